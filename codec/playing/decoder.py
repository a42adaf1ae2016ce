"""The decoder: scheduled events, amendments and ends in, sound out, the same bytes for every slicing.

Latency is zero; see :mod:`struck.codec.playing.block` for how a block is rendered and
:mod:`struck.codec.playing.convolver` for how the rooms manage without a delay of their own.

Threads: :meth:`Decoder.schedule` and :meth:`Decoder.process` belong to one thread. A host with an audio
thread computes records elsewhere (:class:`~struck.codec.playing.voice_records.RecordMaker`), sends them
through a ring, and calls what is in :mod:`struck.codec.playing.arrivals`, and
:func:`~struck.codec.playing.block.process_block`, in the audio thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import index
from typing import Final

import numpy as np

from ..events.amendments import Amendment, End, StreamItem, item_seconds
from ..events.events import Event, FloatArray
from ..events.present_events import PresentEvents
from ..weights.codec_weights import CodecWeights
from . import changes
from .arrivals import amend_voice, end_voice, insert_event
from .block import process_block
from .decoder_state import (
    ACTIVE,
    DROPPED,
    LATE,
    POSITION,
    REJECTED,
    STARTED,
    STOLEN,
    clear_state,
    make_decoder_state,
)
from .voice_records import CHUNK, RecordMaker
from .voice_state import NO_ID


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
        self._present = PresentEvents(voice_count + pending_count)

    def make_records(self, events: Sequence[Event]) -> np.ndarray:
        """Voice records for :func:`insert_event`, float64 ``[E, RECORD_SIZE]``; changes no state."""
        return self._records.make(events)

    def schedule(self, item: StreamItem, at_sample: int | None = None) -> bool:
        """Let an event start, be amended or end at stream sample ``at_sample``, by default its own time;
        False if refused.

        Amendments and ends act on the last event of their id, at its first chunk boundary from then on that
        is not rendered yet, and in the order in which they come. Refusals are counted, see :meth:`counters`.

        Raises:
            TypeError: ``item`` is no event, amendment or end, or ``at_sample`` no whole number.
            ValueError: ``at_sample`` is negative.
        """
        if not isinstance(item, Event | Amendment | End):
            raise TypeError(f"schedule takes an Event, Amendment or End, not {type(item).__name__}")
        at_sample = round(item_seconds(item) * self.rate) if at_sample is None else index(at_sample)
        if at_sample < 0:
            raise ValueError(f"at_sample is {at_sample}; it must not be negative")
        if isinstance(item, Event):
            return self._begin(item, at_sample)
        if isinstance(item, End):
            return bool(end_voice(self.state, item.id + 1, at_sample))
        event = self._present.amend(item)
        if event is None:
            self.state.changes.numbers[changes.UNKNOWN] += 1
            return False
        return bool(amend_voice(self.state, self.make_records([event])[0], item.id + 1, at_sample))

    def _begin(self, event: Event, at_sample: int) -> bool:
        self._present.begin(event)
        name = NO_ID if event.id is None else event.id + 1
        return bool(insert_event(self.state, self.make_records([event])[0], at_sample, name))

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
        self._present.clear()

    @property
    def position_samples(self) -> int:
        """Stream position: samples rendered since the start or the last reset."""
        return int(self.state.numbers[POSITION])

    @property
    def active_voice_count(self) -> int:
        """Voices sounding now."""
        return int(self.state.numbers[ACTIVE])

    def counters(self) -> dict[str, int]:
        """Since the start: events started, stolen (cut short for another), late, rejected (not finite, also
        amendments), dropped (pending table full); amendments and ends that acted, that named no sounding
        event, that found no place to wait, and amendments that had to wait for the next grid cell."""
        numbers = self.state.numbers
        waiting = self.state.changes.numbers
        return {
            **{name: int(numbers[place]) for name, place in _EVENT_COUNTERS.items()},
            **{name: int(waiting[place]) for name, place in _CHANGE_COUNTERS.items()},
        }


_EVENT_COUNTERS: Final = {
    "started": STARTED,
    "stolen": STOLEN,
    "late": LATE,
    "rejected": REJECTED,
    "dropped": DROPPED,
}
_CHANGE_COUNTERS: Final = {
    "amended": changes.AMENDED,
    "ended": changes.ENDED,
    "amendments_unknown": changes.UNKNOWN,
    "amendments_dropped": changes.DROPPED,
    "amendments_spilled": changes.SPILLED,
}

#: A rendering ends when this much of it in a row stays below -80 dBFS.
_QUIET_SECONDS: Final = 0.25
_QUIET_PEAK: Final = 1e-4


def render(
    weights: CodecWeights,
    items: Iterable[StreamItem],
    rate: int,
    voice_count: int = 512,
    block_frames: int = 512,
    longest_tail_seconds: float = 30.0,
) -> Iterator[FloatArray]:
    """Sound of a stream as float32 blocks ``[block_frames]``, until the last tail has fallen below -80 dBFS.

    The stream is read one ahead as the sound reaches it, so an hour takes no more memory than a second.

    Args:
        weights, rate, voice_count: as for :class:`Decoder`.
        items: events, amendments and ends in the order of their times.
        block_frames: samples per block.
        longest_tail_seconds: sound ends this long after the last of them at the latest.

    Raises:
        ValueError: an item's time precedes that of the one before it.
    """
    decoder = Decoder(weights, rate, voice_count)
    source = iter(items)
    item = next(source, None)
    last = 0
    wake = 0  # the stream may still be rising before this sample
    quiet = 0
    while True:
        # an amendment must be known before the chunk that it falls into is rendered, up to two chunks ahead
        while (
            item is not None
            and (at := round(item_seconds(item) * rate)) < decoder.position_samples + block_frames + 2 * CHUNK
        ):
            if at < last:
                raise ValueError(
                    f"items must come in the order of their times: {item_seconds(item)} s is too early"
                )
            last = at
            wake = max(wake, at + 2 * rate)  # longer than the longest attack
            decoder.schedule(item)
            item = next(source, None)
        block = decoder.process(block_frames)
        quiet = 0 if np.max(np.abs(block)) >= _QUIET_PEAK else quiet + block_frames
        position = decoder.position_samples
        if item is None:
            # the last event is known before it sounds: until then there may be no voice
            silent = position > last and (decoder.active_voice_count == 0 or position >= wake)
            if silent and quiet >= _QUIET_SECONDS * rate:
                return
            if position >= last + longest_tail_seconds * rate:
                yield block
                return
        yield block
