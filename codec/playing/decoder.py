"""The decoder: scheduled events in, sound out, any block size, the same bytes for every slicing.

Latency is zero; see :mod:`struck.codec.playing.block` for how a block is rendered and
:mod:`struck.codec.playing.convolver` for how the rooms manage without a delay of their own.

Threads: :meth:`Decoder.schedule` and :meth:`Decoder.process` belong to one thread. A host with an audio
thread computes records elsewhere (:mod:`struck.codec.playing.record_maker`), sends them through a ring, and
calls :func:`~struck.codec.playing.block.insert_event` and :func:`~struck.codec.playing.block.process_block`
in the audio thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import index
from typing import Final

import numpy as np

from ..events.events import Event, FloatArray
from ..weights.codec_weights import CodecWeights
from .block import (
    ACTIVE,
    DROPPED,
    LATE,
    POSITION,
    REJECTED,
    STARTED,
    STOLEN,
    clear_state,
    insert_event,
    make_decoder_state,
    process_block,
)
from .record_maker import RecordMaker


class Decoder:
    """Events to mono sound at a device rate.

    Args:
        weights: the codec's weights; only the decoder's part is used.
        rate: device rate in Hz, a multiple of 150 from 22,050 to 192,000.
        voice_count: voices that may sound together; further events steal the quietest.
        pending_count: events that may wait for their onset.
        allow_late: whether an event whose onset has passed starts at once (else it is refused).

    Raises:
        ValueError: the rate or a count is out of range.
    """

    #: An event scheduled for sample n sounds at sample n, rooms included.
    latency_samples: Final = 0

    def __init__(
        self,
        weights: CodecWeights,
        rate: int,
        voice_count: int = 512,
        pending_count: int = 1024,
        allow_late: bool = True,
    ) -> None:
        for name, count in (("voice_count", voice_count), ("pending_count", pending_count)):
            if not 1 <= count <= 65_536:
                raise ValueError(f"{name} is {count}; the range is 1 to 65536")
        self._records = RecordMaker(weights, rate)
        self.rate = rate
        self.state = make_decoder_state(rate, voice_count, pending_count, allow_late)

    def make_records(self, events: Sequence[Event]) -> np.ndarray:
        """Voice records for :func:`insert_event`, float64 ``[E, RECORD_SIZE]``; changes no state."""
        return self._records.make(events)

    def schedule(self, event: Event, at_sample: int | None = None) -> bool:
        """Let ``event`` start at stream sample ``at_sample``, by default its own onset; False if refused.

        Refusals are counted, see :meth:`counters`.

        Raises:
            TypeError: ``event`` is not an :class:`Event`, or ``at_sample`` no whole number.
            ValueError: ``at_sample`` is negative.
        """
        if not isinstance(event, Event):
            raise TypeError(f"schedule takes an Event, not {type(event).__name__}")
        at_sample = event.onset_sample(self.rate) if at_sample is None else index(at_sample)
        if at_sample < 0:
            raise ValueError(f"at_sample is {at_sample}; it must not be negative")
        return bool(insert_event(self.state, self.make_records([event])[0], at_sample, 0, 1.0, 0))

    def process(self, frames: int) -> FloatArray:
        """The next ``frames`` samples, float32 ``[frames]``.

        Raises:
            TypeError: ``frames`` is no whole number.
            ValueError: ``frames`` is negative.
        """
        if index(frames) < 0:
            raise ValueError(f"frames is {frames}; it must not be negative")
        out = np.empty(frames, dtype=np.float32)
        process_block(self.state, out)
        return out

    def reset(self) -> None:
        """Back to sample 0: silent, nothing pending, all counters zero."""
        clear_state(self.state)

    @property
    def position_samples(self) -> int:
        """Stream position: samples rendered since the start or the last reset."""
        return int(self.state.numbers[POSITION])

    @property
    def active_voice_count(self) -> int:
        """Voices sounding now."""
        return int(self.state.numbers[ACTIVE])

    def counters(self) -> dict[str, int]:
        """Events since the start: started, stolen (cut short for another), late, rejected (not finite),
        dropped (pending table full)."""
        numbers = self.state.numbers
        places = {
            "started": STARTED,
            "stolen": STOLEN,
            "late": LATE,
            "rejected": REJECTED,
            "dropped": DROPPED,
        }
        return {name: int(numbers[place]) for name, place in places.items()}


#: A rendering ends when this much of it in a row stays below -80 dBFS.
_QUIET_SECONDS: Final = 0.25
_QUIET_PEAK: Final = 1e-4


def render(
    weights: CodecWeights,
    events: Iterable[Event],
    rate: int,
    voice_count: int = 512,
    block_frames: int = 512,
    longest_tail_seconds: float = 30.0,
) -> Iterator[FloatArray]:
    """Sound of ``events`` as float32 blocks ``[block_frames]``, until the last tail has fallen below -80
    dBFS.

    Events are read one ahead as the stream reaches them, so an hour takes no more memory than a second.

    Args:
        weights, rate, voice_count: as for :class:`Decoder`.
        events: in onset order.
        block_frames: samples per block.
        longest_tail_seconds: sound ends this long after the last onset at the latest.

    Raises:
        ValueError: an event's onset precedes that of the one before it.
    """
    decoder = Decoder(weights, rate, voice_count)
    source = iter(events)
    event = next(source, None)
    last_onset = 0
    wake = 0  # the stream may still be rising before this sample
    quiet = 0
    while True:
        while (
            event is not None
            and (onset := event.onset_sample(rate)) < decoder.position_samples + block_frames
        ):
            if onset < last_onset:
                raise ValueError(f"events must come in onset order: {event.onset_seconds} s is too early")
            last_onset = onset
            wake = max(wake, onset + 2 * rate)  # longer than the longest attack
            decoder.schedule(event)
            event = next(source, None)
        block = decoder.process(block_frames)
        quiet = 0 if np.max(np.abs(block)) >= _QUIET_PEAK else quiet + block_frames
        position = decoder.position_samples
        if event is None:
            silent = decoder.active_voice_count == 0 or position >= wake
            if silent and quiet >= _QUIET_SECONDS * rate:
                return
            if position >= last_onset + longest_tail_seconds * rate:
                yield block
                return
        yield block
