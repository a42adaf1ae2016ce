"""Devices, threads, time and the command line.

A :class:`Host` is a performance: what ``struck live`` runs. From one sound file to another, as it would sound
live:

    >>> from struck.codec import write_audio
    >>> from struck.realtime import Host, LiveSettings
    >>> import numpy as np
    >>> seconds = np.arange(44_100) / 44_100
    >>> write_audio("in.wav", 0.3 * np.exp(-4 * seconds) * np.sin(2 * np.pi * 220 * seconds), 44_100)
    >>> settings = LiveSettings(input="in.wav", output="out.wav", profile="tight")
    >>> with Host(settings) as host:
    ...     host.run()
    >>> host.summary()["counters"]["events_heard"] > 0
    True

On stage, ``LiveSettings(input="jack:system", output="jack:system", midi_in=("keyboard",), patch="bells")``,
or ``LiveSettings()`` for the default devices. ``run`` then lasts until its ``stop`` is set, and what the
performer should know goes to standard error. These names are the public ones.
"""

from typing import TYPE_CHECKING

from ..codec.lazy_names import lazy_names

if TYPE_CHECKING:
    from .host.host import Host
    from .host.settings import LiveSettings

__all__ = ["Host", "LiveSettings"]

__getattr__, __dir__ = lazy_names(__name__, {"Host": ".host.host", "LiveSettings": ".host.settings"})
