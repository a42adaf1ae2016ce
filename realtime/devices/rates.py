"""What to do about a device that does not run at the rate wanted, in words."""

from __future__ import annotations

from ...codec.playing.noise import check_rate


def advise_rate(own_rate: float, how_to_set: str) -> str:
    """What helps with a device of this rate in Hz: to use it, if struck can, else to set another.

    Args:
        own_rate: of the device.
        how_to_set: how the device is set to 48 kHz.

    >>> advise_rate(44_100, "restart it with -r 48000")
    'use --rate 44100, or restart it with -r 48000'
    """
    try:
        check_rate(round(own_rate))
    except ValueError:
        return f"struck cannot run at that rate, so {how_to_set}"
    return f"use --rate {own_rate:g}, or {how_to_set}"
