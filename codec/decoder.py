"""The decoder: scheduled events in, sound out, any block size, the same bytes for every slicing.

One compiled function, :func:`process_block`, does all the work over arrays allocated beforehand; the audio thread
may call it directly. It cuts a block where something begins::

    stream   |0 . . . . . . . |64 . . . . . . . |128 . .      grid of 64: noise gains, rooms
    events         ^onset           ^onset                    voices start exactly there
    segments |-----|----------|-----|-----------|---

Cuts depend on the stream position only, never on the block. At each grid point every voice renders the one chunk of
its own that begins in the cell, added to ``ahead``; the order of all additions is then fixed, and slicing cannot show. Latency is zero; see :mod:`struck.codec.convolver` for how the rooms manage that.

Threads: :meth:`Decoder.schedule` and :meth:`Decoder.process` belong to one thread. A host with an audio thread
computes records elsewhere (:meth:`Decoder.make_records`), sends them through a ring, and calls
:func:`insert_event` and :func:`process_block` in the audio thread.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
from numba import boolean, float32, float64, int64, njit, typeof, void

from .controls import compute_controls, make_tables
from .convolver import GRID, RoomState, clear_rooms, exchange_room, make_room_state, step_rooms
from .events import Event, FloatArray, stack_gains, stack_vectors
from .noise import check_rate
from .voice_records import BUS_COUNT, CHUNK, RECORD_SIZE, make_voice_records
from .voices import (
    CHUNK_NUMBER,
    NOISE_LEVEL,
    NOISE_ON,
    ONSET,
    TONE_LEVEL,
    TONE_ON,
    NoiseState,
    VoiceState,
    add_chunk,
    add_noise_power,
    aim_noise,
    make_noise_state,
    make_voice_state,
    mix_noise,
    render_chunk,
    settle_noise,
    start_voice,
)
from .weights import CodecWeights

# places in DecoderState.numbers
POSITION, NEXT_GRID, ACTIVE, PENDING, ORDER, ALLOW_LATE = range(6)
STARTED, STOLEN, LATE, REJECTED, DROPPED = range(6, 11)
_NUMBER_COUNT = 11
_NEVER = np.iinfo(np.int64).max


class DecoderState(NamedTuple):
    """Everything :func:`process_block` reads and writes; V voices, P pending events."""

    voices: VoiceState
    noise: NoiseState
    rooms: RoomState
    buses: np.ndarray  # float32 [BUS_COUNT, GRID] the segment being mixed
    ahead: np.ndarray  # float32 [BUS_COUNT, 4 GRID] tones rendered ahead, from the start of the grid cell
    active: np.ndarray  # int64 [V] sounding voices in the order they started, then the free ones
    pending_onset: np.ndarray  # int64 [P] stream sample, or the largest int64 for a free place
    pending_order: np.ndarray  # int64 [P] order of arrival
    pending_record: np.ndarray  # float64 [P, RECORD_SIZE]
    numbers: np.ndarray  # int64 [11] positions and counters


def make_decoder_state(rate: int, voice_count: int, pending_count: int, allow_late: bool) -> DecoderState:
    """All arrays of a decoder, allocated and silent."""
    numbers = np.zeros(_NUMBER_COUNT, dtype=np.int64)
    numbers[ALLOW_LATE] = allow_late
    return DecoderState(
        voices=make_voice_state(voice_count),
        noise=make_noise_state(rate),
        rooms=make_room_state(rate),
        buses=np.zeros((BUS_COUNT, GRID), dtype=np.float32),
        ahead=np.zeros((BUS_COUNT, 4 * GRID), dtype=np.float32),
        active=np.arange(voice_count, dtype=np.int64),
        pending_onset=np.full(pending_count, _NEVER, dtype=np.int64),
        pending_order=np.zeros(pending_count, dtype=np.int64),
        pending_record=np.zeros((pending_count, RECORD_SIZE)),
        numbers=numbers,
    )


_COMPILED: Final = {"nogil": True, "cache": True, "error_model": "numpy"}
_STATE_TYPE: Final = typeof(make_decoder_state(22_050, 1, 1, True))


@njit(**_COMPILED)
def _render_ahead(voices, v, ahead, cell, fade_out):
    """Render the next chunk of voice ``v`` into ``ahead``, which begins at stream sample ``cell``."""
    place = voices.counts[v, ONSET] + voices.counts[v, CHUNK_NUMBER] * CHUNK - cell
    if render_chunk(
        voices.slow, voices.fast, voices.scalars, voices.levels, voices.counts, voices.scratch, voices.chunk, v
    ):
        if fade_out:
            for n in range(CHUNK):
                voices.chunk[n] *= np.float32(1.0 - n / CHUNK)
        add_chunk(voices.chunk, voices.bus, v, ahead, place)


@njit(**_COMPILED)
def _steal_quietest(state):
    """Free the quietest voice, moving it behind the active ones.

    Its tone plays to the end of what is rendered and fades out over one more chunk; its noise fades in the next
    grid cell, to which it adds no power.
    """
    levels = state.voices.levels
    active = state.active
    count = state.numbers[ACTIVE]
    quietest = 0
    lowest = np.inf
    for i in range(count):
        level = levels[active[i], TONE_LEVEL] + levels[active[i], NOISE_LEVEL]
        if level < lowest:
            lowest = level
            quietest = i
    v = active[quietest]
    if state.voices.counts[v, TONE_ON] != 0:
        _render_ahead(state.voices, v, state.ahead, state.numbers[NEXT_GRID] - GRID, True)
    for i in range(quietest, count - 1):
        active[i] = active[i + 1]
    active[count - 1] = v
    state.numbers[ACTIVE] = count - 1
    state.numbers[STOLEN] += 1


@njit(**_COMPILED)
def _start_due(state, position):
    """Start all pending events that are due, in order of onset, then of arrival; return the next onset."""
    numbers = state.numbers
    voices = state.voices
    cell_end = numbers[NEXT_GRID]
    while True:
        first = -1
        onset = _NEVER
        order = _NEVER
        if numbers[PENDING] > 0:
            for i in range(state.pending_onset.shape[0]):
                at = state.pending_onset[i]
                if at < onset or (at == onset and at != _NEVER and state.pending_order[i] < order):
                    first = i
                    onset = at
                    order = state.pending_order[i]
        if onset > position:
            return onset
        if numbers[ACTIVE] == state.active.shape[0]:
            _steal_quietest(state)
        v = state.active[numbers[ACTIVE]]
        numbers[ACTIVE] += 1
        start_voice(voices, v, state.pending_record[first], position)
        state.pending_onset[first] = _NEVER
        numbers[PENDING] -= 1
        numbers[STARTED] += 1
        _render_ahead(voices, v, state.ahead, cell_end - GRID, False)
        if voices.counts[v, NOISE_ON] != 0:
            power = state.noise.power
            add_noise_power(
                voices.scalars, voices.levels, voices.counts, voices.bus, voices.noise, v, power, cell_end
            )
            aim_noise(state.noise, position, cell_end)


@njit(**_COMPILED)
def _render_cell(slow, fast, scalars, levels, counts, own_noise, bus, chunk, scratch, active, ahead, power, cell, count):
    """Render what begins in the grid cell at stream sample ``cell``: the first ``count`` of the ``active`` voices.

    The arrays are those of the states. Returns how many voices live on; they keep their order.
    """
    kept = 0
    for i in range(count):
        v = active[i]
        if counts[v, TONE_ON] != 0:
            place = counts[v, ONSET] + counts[v, CHUNK_NUMBER] * CHUNK - cell
            if render_chunk(slow, fast, scalars, levels, counts, scratch, chunk, v):
                add_chunk(chunk, bus, v, ahead, place)
        if counts[v, NOISE_ON] != 0:
            add_noise_power(scalars, levels, counts, bus, own_noise, v, power, cell + GRID)
        if counts[v, TONE_ON] != 0 or counts[v, NOISE_ON] != 0:
            active[i] = active[kept]
            active[kept] = v
            kept += 1
    return kept


@njit(**_COMPILED)
def _step_grid(state, position):
    """At each multiple of GRID: render the chunks that begin before the next one, and aim the noise there."""
    voices = state.voices
    numbers = state.numbers
    numbers[NEXT_GRID] = position + GRID
    for bus in range(BUS_COUNT):
        for n in range(3 * GRID):
            state.ahead[bus, n] = state.ahead[bus, n + GRID]
        for n in range(3 * GRID, 4 * GRID):
            state.ahead[bus, n] = np.float32(0.0)
    settle_noise(state.noise, position)
    numbers[ACTIVE] = _render_cell(
        voices.slow, voices.fast, voices.scalars, voices.levels, voices.counts, voices.noise, voices.bus, voices.chunk,
        voices.scratch, state.active, state.ahead, state.noise.power, position, numbers[ACTIVE],
    )  # fmt: skip
    aim_noise(state.noise, position, position + GRID)


@njit(**_COMPILED)
def _mix_segment(state, position, out):
    """One segment ``out [frames]`` inside a grid cell."""
    frames = out.shape[0]
    buses = state.buses
    start = position - (state.numbers[NEXT_GRID] - GRID)
    for bus in range(BUS_COUNT):
        for n in range(frames):
            buses[bus, n] = state.ahead[bus, start + n]
    mix_noise(state.noise, position, buses, frames)
    for n in range(frames):
        out[n] = buses[0, n]
    for r in range(BUS_COUNT - 1):
        exchange_room(state.rooms, r, position, buses[1 + r], out, frames)


@njit(void(_STATE_TYPE, float32[::1]), **_COMPILED)
def process_block(state, out):
    """Render the next ``len(out)`` samples into ``out``: float32, contiguous, any length.

    Allocates nothing, raises nothing, takes no lock; its work is bounded by the voices and the pending events.
    """
    numbers = state.numbers
    done = 0
    while done < out.shape[0]:
        position = numbers[POSITION]
        if position == numbers[NEXT_GRID]:
            _step_grid(state, position)
        next_onset = _start_due(state, position)
        end = min(position + out.shape[0] - done, numbers[NEXT_GRID], next_onset)
        frames = end - position
        _mix_segment(state, position, out[done : done + frames])
        done += frames
        numbers[POSITION] = end
        if end == numbers[NEXT_GRID]:
            step_rooms(state.rooms, end)


@njit(boolean(_STATE_TYPE, float64[::1], int64), **_COMPILED)
def insert_event(state, record, onset):
    """Copy a voice record to the pending table, to start at stream sample ``onset``; False if it was refused.

    A record with a number that is not finite is refused and counted as rejected, one that finds the table full as
    dropped. A past onset is counted as late; then the event starts with the next sample, or is refused.
    """
    numbers = state.numbers
    for i in range(record.shape[0]):
        if not np.isfinite(record[i]):
            numbers[REJECTED] += 1
            return False
    if onset < numbers[POSITION]:
        numbers[LATE] += 1
        if numbers[ALLOW_LATE] == 0:
            return False
        onset = numbers[POSITION]
    for i in range(state.pending_onset.shape[0]):
        if state.pending_onset[i] == _NEVER:
            state.pending_record[i, :] = record
            state.pending_order[i] = numbers[ORDER]
            state.pending_onset[i] = onset
            numbers[ORDER] += 1
            numbers[PENDING] += 1
            return True
    numbers[DROPPED] += 1
    return False


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
        self.rate = check_rate(rate)
        self.state = make_decoder_state(rate, voice_count, pending_count, allow_late)
        # double precision: pitch is then exact to 1e-9 cent, and both decoders agree over minutes
        self._weights = {name: array.astype(np.float64) for name, array in weights.decoder.items()}
        self._tables = make_tables(lambda array: np.asarray(array, dtype=np.float64))

    def make_records(self, events: Sequence[Event]) -> np.ndarray:
        """Voice records of ``events`` for :func:`insert_event`, float64 ``[E, RECORD_SIZE]``; changes no state."""
        gains = stack_gains(events).astype(np.float64)
        vectors = stack_vectors(events).astype(np.float64)
        controls = compute_controls(self._weights, gains, vectors, self._tables, np)
        return make_voice_records(controls, self.rate)

    def schedule(self, event: Event, at_sample: int | None = None) -> bool:
        """Let ``event`` start at stream sample ``at_sample``, by default its own onset; False if refused.

        Refusals are counted, see :meth:`counters`.

        Raises:
            TypeError: ``event`` is not an :class:`Event`.
            ValueError: ``at_sample`` is negative.
        """
        if not isinstance(event, Event):
            raise TypeError(f"schedule takes an Event, not {type(event).__name__}")
        at_sample = event.onset_sample(self.rate) if at_sample is None else int(at_sample)
        if at_sample < 0:
            raise ValueError(f"at_sample is {at_sample}; it must not be negative")
        return bool(insert_event(self.state, self.make_records([event])[0], at_sample))

    def process(self, frames: int) -> FloatArray:
        """The next ``frames`` samples, float32 ``[frames]``."""
        out = np.empty(frames, dtype=np.float32)
        process_block(self.state, out)
        return out

    def reset(self) -> None:
        """Back to sample 0: silent, nothing pending, all counters zero."""
        numbers = self.state.numbers
        allow_late = numbers[ALLOW_LATE]
        numbers[:] = 0
        numbers[ALLOW_LATE] = allow_late
        self.state.pending_onset[:] = _NEVER
        self.state.active[:] = np.arange(len(self.state.active))
        self.state.ahead[:] = 0.0
        noise = self.state.noise
        for array in (noise.power, noise.gain, noise.slope, noise.ramp):
            array[:] = 0
        clear_rooms(self.state.rooms)

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
        places = {"started": STARTED, "stolen": STOLEN, "late": LATE, "rejected": REJECTED, "dropped": DROPPED}
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
    """Sound of ``events`` as float32 blocks ``[block_frames]``, until the last tail has fallen below -80 dBFS.

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
        while event is not None and (onset := event.onset_sample(rate)) < decoder.position_samples + block_frames:
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
