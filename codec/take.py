"""A take as a Python program meets it: opened, looked at, rendered, written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from .decoder import render
from .events.amendments import StreamItem, in_stream_order
from .events.events import FloatArray
from .events.profiles import PROFILES
from .pipeline import make_header
from .takes.takes import TakeReader, TakeWriter, summarise_take
from .weights.codec_weights import CodecWeights, shipped_codec_weights


class Take(TakeReader):
    """Recorded events with everything needed to play them again: one MCAP file.

    ``header`` says by which weights and profile it was made; :meth:`events` gives its events one by one,
    :meth:`items` also what was amended and ended; :meth:`midi`, :meth:`osc`, :meth:`patches` and
    :meth:`marks` what was recorded beside them; ``duration_seconds`` is its length. A take that was cut off
    yields what is whole; ``truncated`` tells.

    Raises:
        StruckError: the file cannot be read, is not a take, or is of a newer version.

    Example:
        >>> import numpy as np, tempfile
        >>> from struck.codec import Event, Take
        >>> folder = tempfile.TemporaryDirectory()
        >>> written = Take.write(folder.name + "/one.mcap", [Event(0.5, -12, np.zeros(32))])
        >>> take = Take.open(folder.name + "/one.mcap")
        >>> [event.onset_seconds for event in take.events()], take.header.profile, take.truncated
        ([0.5], 'studio', False)
        >>> take.info()["events"], len(take.render(48_000)) > 24_000
        (1, True)
        >>> folder.cleanup()
    """

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """The take in a file."""
        return cls(path)

    @classmethod
    def write(
        cls,
        path: str | Path,
        items: Iterable[StreamItem],
        *,
        profile: str = "studio",
        source: str = "",
        duration_seconds: float = 0.0,
        exact: bool = False,
        weights: CodecWeights | None = None,
    ) -> Self:
        """Write a take, whole or not at all: an older one is replaced when the new one is complete.

        Args:
            path: of the file, usually ``.mcap``.
            items: events, and what amends and ends them, in any order.
            profile: of the encoder that heard them.
            source: a name for people, say of the sound file.
            duration_seconds: of what was heard; at least up to the last onset is assumed.
            exact: store 32-bit floats; else vectors are quantised, a tenth of the size.
            weights: those that the events were made with; None takes those shipped.

        Returns:
            The take, opened.

        Raises:
            ValueError: there is no such profile, or a time is beyond what a take holds.
            StruckError: the file cannot be written.
        """
        if profile not in PROFILES:
            raise ValueError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
        header = make_header(weights or shipped_codec_weights(), PROFILES[profile], source, exact)
        with TakeWriter(path, header) as writer:
            for item in in_stream_order(items):
                writer.write(item)
            writer.close(duration_seconds)
        return cls(path)

    def info(self) -> dict[str, Any]:
        """What ``struck info`` tells: counts, rates, length, what made it, whether anything is missing."""
        return summarise_take(self.path)

    def render(self, rate: int = 48_000, weights: CodecWeights | None = None) -> FloatArray:
        """The sound of its events, as they were amended and ended, mono float32 ``[N]`` at ``rate`` Hz.

        Raises:
            ValueError: the rate is out of range.
            StruckError: the take was made with other weights.
        """
        weights = weights or shipped_codec_weights()
        self.check_weights(weights)
        return render(self.items(), rate, weights)
