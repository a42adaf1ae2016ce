"""The callback's side of the racks: sound goes out to them, results come back, or the dry sound passes.

Two racks may sound at once while one takes over from another: what comes in goes over to the new one within
RAMP_FRAMES, and the old one rings on and fades::

    direct  ‾‾‾‾\\______________________      1 - the sum of the sends
    rack 0  ____/‾‾‾‾‾‾‾‾‾‾\\___________      send; its output goes on through the tail
    rack 1  .......warming./‾‾‾‾‾‾‾‾‾‾‾

Before it takes over, a rack works on silence, unheard, until its results have been in time for a while.

A result that is not there is replaced by the dry sound, delayed as the result would have been. The step
between both, and the bend, go away (there is no result to fade from), and back again goes a crossfade, after
a while that doubles with repeated misses. Both take the same time, along a raised cosine: at its ends it adds
no slope to what is heard, and in its middle less than 0.002 of the difference at a sample. The bend would be
heard as a faint click: the sound first goes on in the direction it had, for some samples. No call waits;
nothing is allocated.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import carray, float32, int64, njit, typeof, void

from ...codec.playing.kernel_options import INNER
from .address_tables import make_address_table, state_reader
from .c_pointers import as_pointer
from .cycles import read_cycles
from .rings import KERNEL, load_acquire, make_record_ring, store_release
from .shared_memory import (
    BEGIN,
    CHANNEL_COUNT,
    DONE,
    FADE_FRAMES,
    FROM,
    LANE_COUNT,
    PROCESS_WAITS,
    RING_FRAMES,
    WRITTEN,
    WRITTEN_AT,
    RackMemory,
)
from .waking import publish

SLOT_COUNT: Final = 2
#: The sum of the rack's delay and its plug-ins' latencies must stay below this: a power of two.
HISTORY_FRAMES: Final = 65_536
#: Over this the input goes over from one rack to the next.
RAMP_FRAMES: Final = 1_024
#: A rack that rings on still gets so much of what comes in, -120 dB: some plug-ins (MDA Ambience) clear their
#: tail at once where the input is digital silence.
_LEAST_SEND: Final = 1e-6
#: Over this a rack that left may ring on, and one that must leave its slot at once.
TAIL_SECONDS: Final = 2.0
HURRIED_FRAMES: Final = 1_024
#: How long results must be in time before they sound again: at first, and at most after misses that followed
#: each other within the last time.
_LEAST_HOLD_SECONDS: Final = 0.02
_MOST_HOLD_SECONDS: Final = 1.28
_REPEAT_SECONDS: Final = 2.0
#: From a missing result the sound goes on in its direction for about so long.
_STRAIGHT_FRAMES: Final = 8.0
#: Of what was missing when the dry sound came in, after so many frames: the share that is left, from 1 to 0;
#: and of its slope, per frame, how far it has gone. Tables, for a late block costs several times one in time.
_FALLING: Final = 0.5 + 0.5 * np.cos(np.pi * np.arange(FADE_FRAMES + 1) / FADE_FRAMES)
_STRAIGHT: Final = (
    _FALLING * _STRAIGHT_FRAMES * (1.0 - np.exp(-np.arange(FADE_FRAMES + 1) / _STRAIGHT_FRAMES))
)
#: 120 dB over full scale: not sound but damage.
_DAMAGE: Final = np.float32(1e6)

# places in RackState.numbers. Set by the host, DELAY and those after it while the rack is silent: whether it
# shall sound, and whether its tail must end soon
ASKED, HURRIED, DELAY, TAIL_FRAMES, LEAST_HOLD, MOST_HOLD, REPEAT = range(7)
# set by the callback: what the rack does, since when, when it was sent no more, when its tail ends; frames
# heard through it, of these late ones, how often it went dry, samples that were damaged; while it warms up,
# for how many frames its results have been in time, and since when
SOUNDING, SINCE, LEFT, GONE, FRAMES, LATE_FRAMES, LATE_TIMES, DAMAGED_SAMPLES = range(8, 16)
IN_TIME_FRAMES, IN_TIME_SINCE = 16, 17
# when it falls silent: with its tail, or sooner, where its slot is wanted
ENDS = 18
_NUMBER_COUNT: Final = 24
#: What SOUNDING may be, and what ASKED: SILENT, WARMING or PLAYING.
SILENT, WARMING, PLAYING, LEAVING = range(4)

# columns of RackState.lanes; the first two are the host's
USED, LATENCY, MODE, GOOD, HOLD, FADED, LATE_AT, STEPPED = range(8)
_WET, _DRY, _FADING = range(3)

# what the first row of a rack table says: whether the host has racks, set once and for good; how many sound,
# set by the callback
IN_USE, ACTIVE = range(2)


class RackState(NamedTuple):
    """One rack's slot."""

    memory: RackMemory
    history: np.ndarray  # float32 [LANE_COUNT, CHANNEL_COUNT, HISTORY_FRAMES] what went in
    numbers: np.ndarray  # int64 [24]
    lanes: np.ndarray  # int64 [LANE_COUNT, 8]
    last: np.ndarray  # float64 [LANE_COUNT, CHANNEL_COUNT, 2] what came out last, and before that
    steps: np.ndarray  # float64 [LANE_COUNT, CHANNEL_COUNT, 2] from the last result to dry: step, slope


class RacksState(NamedTuple):
    """All that the callback knows of racks; S is the longest slice in frames."""

    slots: tuple[RackState, RackState]
    sum: np.ndarray  # float32 [S, CHANNEL_COUNT]
    wide: np.ndarray  # float32 [2, S * CHANNEL_COUNT] see wide_sound


def make_rack_state(memory: RackMemory, rate: int) -> RackState:
    """A silent slot."""
    numbers = np.zeros(_NUMBER_COUNT, np.int64)
    numbers[TAIL_FRAMES] = round(TAIL_SECONDS * rate)
    numbers[LEAST_HOLD] = round(_LEAST_HOLD_SECONDS * rate)
    numbers[MOST_HOLD] = round(_MOST_HOLD_SECONDS * rate)
    numbers[REPEAT] = round(_REPEAT_SECONDS * rate)
    return RackState(
        memory,
        np.zeros((LANE_COUNT, CHANNEL_COUNT, HISTORY_FRAMES), np.float32),
        numbers,
        np.zeros((LANE_COUNT, 8), np.int64),
        np.zeros((LANE_COUNT, CHANNEL_COUNT, 2)),
        np.zeros((LANE_COUNT, CHANNEL_COUNT, 2)),
    )


def make_racks_state(slots: tuple[RackState, RackState], slice_frames: int) -> RacksState:
    """Racks of an engine with such slices, none of which sounds."""
    return RacksState(
        slots,
        np.zeros((slice_frames, CHANNEL_COUNT), np.float32),
        np.zeros((2, slice_frames * CHANNEL_COUNT), np.float32),
    )


def make_rack_table(racks: RacksState | None) -> np.ndarray:
    """All that an engine has of its racks: one array, whatever they are made of; int64 ``[1 + arrays, 4]``.

    Below the row of flags stand the addresses and shapes of the racks' arrays, which must outlive the engine.
    Handed around as a state, they would cost every block 3 us, whether there are inserts or not.
    """
    flags = np.zeros((1, 4), np.int64)
    return flags if racks is None else np.concatenate([flags, make_address_table(racks)])


def _typed_racks() -> RacksState:
    sound = np.zeros((1, 1, 1), np.float32)
    memory = RackMemory(np.zeros(1, np.int64), make_record_ring(1, 1), sound, sound)
    rack = RackState(
        memory,
        sound,
        np.zeros(1, np.int64),
        np.zeros((1, 1), np.int64),
        np.zeros((1, 1, 1)),
        np.zeros((1, 1, 1)),
    )
    return make_racks_state((rack, rack), 1)


RACKS: Final = typeof(_typed_racks())
_RACK: Final = RACKS.types[0].types[0]
_TABLE: Final = int64[:, ::1]
_racks_at = state_reader(RACKS)


@njit(**INNER)
def _racks_of(table):
    return _racks_at(as_pointer(table.ctypes.data + table.shape[1] * 8))


@njit(float32[:, ::1](_TABLE, int64, int64, int64), **KERNEL)
def wide_sound(table, part, frames, channels):
    """Memory for the events (``part`` 0) or phrases (1) of a slice on all channels, float32 ``[F, C]``."""
    place = _racks_of(table).wide[part].ctypes.data
    return carray(as_pointer(place), (frames, channels), np.float32)


@njit(void(_RACK, int64), **KERNEL)
def _come_in(rack, position):
    numbers = rack.numbers
    numbers[IN_TIME_SINCE] = position
    numbers[IN_TIME_FRAMES] = 0
    numbers[HURRIED] = 0
    for place in (FRAMES, LATE_FRAMES, LATE_TIMES, DAMAGED_SAMPLES):
        numbers[place] = 0
    for lane in range(LANE_COUNT):
        rack.lanes[lane, MODE] = _WET
        rack.lanes[lane, HOLD] = numbers[LEAST_HOLD]
        rack.lanes[lane, LATE_AT] = -numbers[REPEAT] - 1
        for c in range(CHANNEL_COUNT):
            for n in range(2):
                rack.last[lane, c, n] = rack.steps[lane, c, n] = 0.0
        rack.lanes[lane, STEPPED] = FADE_FRAMES
    store_release(rack.memory.indices, WRITTEN, position)
    store_release(rack.memory.indices, BEGIN, position + 1)


@njit(void(_TABLE, int64), **KERNEL)
def begin_racks(table, position):
    """At the beginning of a callback: racks come in, leave and fall silent as the host asks."""
    racks = _racks_of(table)
    active = 0
    for slot in range(SLOT_COUNT):
        rack = racks.slots[slot]
        numbers = rack.numbers
        asked = load_acquire(numbers, ASKED)
        if numbers[SOUNDING] == SILENT and asked != SILENT:
            _come_in(rack, position)
            numbers[SOUNDING] = WARMING
        if numbers[SOUNDING] == WARMING and asked == PLAYING:
            numbers[SOUNDING] = PLAYING
            # where the stream begins, nothing fades in
            numbers[SINCE] = position if position > 0 else -RAMP_FRAMES
        elif numbers[SOUNDING] == WARMING and asked == SILENT:
            store_release(numbers, SOUNDING, SILENT)
        elif numbers[SOUNDING] == PLAYING and asked == SILENT:
            numbers[SOUNDING] = LEAVING
            numbers[LEFT] = position
            numbers[GONE] = numbers[ENDS] = position + numbers[TAIL_FRAMES]
        if numbers[SOUNDING] == LEAVING:
            if load_acquire(numbers, HURRIED) != 0:
                numbers[ENDS] = min(numbers[ENDS], position + HURRIED_FRAMES)
                numbers[HURRIED] = 0
            if position >= numbers[ENDS]:
                store_release(numbers, SOUNDING, SILENT)
        if numbers[SOUNDING] != SILENT:
            active += 1
    table[0, ACTIVE] = active


@njit(**INNER)
def _note_warmth(rack, position):
    """Whether what would have been read up to ``position`` was there."""
    numbers = rack.numbers
    if load_acquire(rack.memory.indices, DONE) < position - numbers[DELAY]:
        numbers[IN_TIME_SINCE] = position
    store_release(numbers, IN_TIME_FRAMES, position - numbers[IN_TIME_SINCE])


@njit(void(_TABLE, int64), **KERNEL)
def end_racks(table, position):
    """At the end of a callback, with the position after it: what it wrote is published, and awaited."""
    racks = _racks_of(table)
    for slot in range(SLOT_COUNT):
        rack = racks.slots[slot]
        if rack.numbers[SOUNDING] == WARMING:
            _note_warmth(rack, position)
        if rack.numbers[SOUNDING] != SILENT:
            now = read_cycles()
            publish(rack.memory.indices, WRITTEN, position, PROCESS_WAITS)
            store_release(rack.memory.indices, WRITTEN_AT, now)


@njit(**INNER)
def _ramp(frames):
    return min(1.0, max(0.0, frames / RAMP_FRAMES))


@njit(**INNER)
def _sounds(rack, lane):
    """Whether the sound of a lane goes through a rack, or what went through it before still comes out."""
    return rack.numbers[SOUNDING] >= PLAYING and rack.lanes[lane, USED] != 0


@njit(**INNER)
def _send_at(rack, position):
    """Share of what comes in that this rack gets."""
    numbers = rack.numbers
    share = _ramp(position - numbers[SINCE])
    if numbers[SOUNDING] == LEAVING:
        # one that leaves while it still comes in goes from where it is
        share = _ramp(numbers[LEFT] - numbers[SINCE]) * (1.0 - _ramp(position - numbers[LEFT]))
    return share


@njit(**INNER)
def _tail_at(rack, position):
    """Share of what comes out of this rack that sounds."""
    numbers = rack.numbers
    if numbers[SOUNDING] != LEAVING:
        return 1.0
    # one that must leave sooner goes on falling from where it is
    slow = (numbers[GONE] - position) / max(HURRIED_FRAMES, numbers[GONE] - numbers[LEFT])
    fast = (numbers[ENDS] - position) / HURRIED_FRAMES
    return min(1.0, max(0.0, min(slow, fast)))


@njit(**INNER)
def _is_steady(rack, position):
    """Whether from ``position`` on all that comes in goes to this rack, and all that comes out sounds."""
    return rack.numbers[SOUNDING] == PLAYING and position - rack.numbers[SINCE] >= RAMP_FRAMES


@njit(**INNER)
def _copy_in(ring, position, block, channel):
    """Write a channel of ``block [F, C]`` to ``ring [N]``, N a power of two: in two runs, which vector units
    copy at once, where frame by frame each would be masked."""
    frames, place = block.shape[0], position & (ring.shape[0] - 1)
    first = min(frames, ring.shape[0] - place)
    ring[place : place + first] = block[:first, channel]
    ring[: frames - first] = block[first:, channel]


@njit(**INNER)
def _hand_over(rack, lane, block, position, steady):
    if steady:
        for c in range(block.shape[1]):
            _copy_in(rack.memory.dry[lane, c], position, block, c)
            _copy_in(rack.history[lane, c], position, block, c)
        return
    least = _LEAST_SEND if rack.numbers[SOUNDING] == LEAVING else 0.0
    for n in range(block.shape[0]):
        share = max(least, _send_at(rack, position + n))
        place = (position + n) & (RING_FRAMES - 1)
        past = (position + n) & (HISTORY_FRAMES - 1)
        for c in range(block.shape[1]):
            value = np.float32(share * block[n, c])
            rack.memory.dry[lane, c, place] = value
            rack.history[lane, c, past] = value


@njit(**INNER)
def _is_whole(sound):
    """Whether all samples of ``sound [N]`` are such, and none is damage."""
    damaged = 0
    for n in range(sound.shape[0]):
        damaged += not abs(sound[n]) <= _DAMAGE
    return damaged == 0


@njit(**INNER)
def _take_back_whole(rack, lane, position, out, alone):
    """Let ``out [F, C]`` be what comes out of a steady rack, if all is there and whole; else do nothing.

    What :func:`_take_back` does frame by frame, for the usual case; it is many times faster.

    Args:
        alone: whether this is all that comes out; else it is added to ``out``.
    """
    want = position - rack.numbers[DELAY]
    frames = out.shape[0]
    if rack.lanes[lane, MODE] != _WET or want < max(0, rack.numbers[SINCE]):
        return False
    indices = rack.memory.indices
    if want + frames > load_acquire(indices, DONE) or want < load_acquire(indices, FROM):
        return False
    place = want & (RING_FRAMES - 1)
    first = min(frames, RING_FRAMES - place)
    for c in range(out.shape[1]):
        wet = rack.memory.wet[lane, c]
        if not (_is_whole(wet[place : place + first]) and _is_whole(wet[: frames - first])):
            return False
    for c in range(out.shape[1]):
        wet = rack.memory.wet[lane, c]
        if alone:
            out[:first, c] = wet[place : place + first]
            out[first:, c] = wet[: frames - first]
        else:
            out[:first, c] += wet[place : place + first]
            out[first:, c] += wet[: frames - first]
        last = rack.last[lane, c]
        last[1] = wet[(want + frames - 2) & (RING_FRAMES - 1)] if frames > 1 else last[0]
        last[0] = wet[(want + frames - 1) & (RING_FRAMES - 1)]
    rack.numbers[FRAMES] += frames
    return True


@njit(**INNER)
def _past(rack, lane, channel, position):
    if position < max(0, rack.numbers[SINCE]):
        return np.float32(0.0)
    return rack.history[lane, channel, position & (HISTORY_FRAMES - 1)]


@njit(**INNER)
def _go_dry(rack, lane, position, past):
    """A result is not there: from this frame on the dry sound, without a step but its own.

    What decays is the difference one frame before, where both are known, and its slope: where wet and dry are
    alike, nothing is heard at all.
    """
    mode = rack.lanes[lane]
    numbers = rack.numbers
    soon = position - mode[LATE_AT] <= numbers[REPEAT]
    mode[HOLD] = min(numbers[MOST_HOLD], 2 * mode[HOLD]) if soon else numbers[LEAST_HOLD]
    mode[MODE] = _DRY
    numbers[LATE_TIMES] += 1
    mode[STEPPED] = 0
    for c in range(CHANNEL_COUNT):
        here = rack.last[lane, c, 0] - _past(rack, lane, c, past - 1)
        before = rack.last[lane, c, 1] - _past(rack, lane, c, past - 2)
        rack.steps[lane, c, 0], rack.steps[lane, c, 1] = here, here - before


@njit(**INNER)
def _take_back(rack, lane, position, share, out):
    """Add what comes out of the rack at ``position``, one frame, to ``out [C]``."""
    numbers = rack.numbers
    mode = rack.lanes[lane]
    want = position - numbers[DELAY]
    past = want - mode[LATENCY]
    if want < max(0, numbers[SINCE]):
        return  # nothing has been sent so early
    indices = rack.memory.indices
    # another program may have written there: what is read is believed only within what was sent
    here = want < load_acquire(indices, DONE) and want >= load_acquire(indices, FROM)
    place = want & (RING_FRAMES - 1)
    for c in range(out.shape[0]):
        if here and not abs(rack.memory.wet[lane, c, place]) <= _DAMAGE:
            here = False
            numbers[DAMAGED_SAMPLES] += 1
    numbers[FRAMES] += 1
    if not here:
        numbers[LATE_FRAMES] += 1
        if mode[MODE] != _DRY:
            _go_dry(rack, lane, position, past)
        mode[LATE_AT] = position
        mode[GOOD] = 0
    elif mode[MODE] == _DRY:
        mode[GOOD] += 1
        if mode[GOOD] >= mode[HOLD]:
            mode[MODE] = _FADING
            mode[FADED] = 0
    faded = 0.0
    if mode[MODE] == _WET:
        faded = 1.0
    elif mode[MODE] == _FADING:
        mode[FADED] += 1
        faded = 1.0 - _FALLING[mode[FADED]]
        if mode[FADED] == FADE_FRAMES:
            mode[MODE] = _WET
    left = straight = 0.0
    if faded < 1.0 and mode[STEPPED] < FADE_FRAMES:
        mode[STEPPED] += 1
        left, straight = _FALLING[mode[STEPPED]], _STRAIGHT[mode[STEPPED]]
    for c in range(out.shape[0]):
        value = 0.0
        if faded < 1.0:
            value = _past(rack, lane, c, past)
            value += left * rack.steps[lane, c, 0] + straight * rack.steps[lane, c, 1]
        if faded > 0.0:
            value += faded * (rack.memory.wet[lane, c, place] - value)
        rack.last[lane, c, 1] = rack.last[lane, c, 0]
        rack.last[lane, c, 0] = value
        out[c] += np.float32(share * value)


@njit(**INNER)
def _direct_at(racks, lane, position):
    """Share of what comes in that passes all racks."""
    direct = 1.0
    for slot in range(SLOT_COUNT):
        rack = racks.slots[slot]
        if _sounds(rack, lane):
            direct -= _send_at(rack, position)
    return direct


@njit(void(_TABLE, int64, float32[:, ::1], int64), **KERNEL)
def process_place(table, lane, block, position):
    """Let ``block [F, C]`` at one place of the path go through what is inserted there, in place."""
    racks = _racks_of(table)
    frames = block.shape[0]
    sounding = 0
    for slot in range(SLOT_COUNT):
        sounding += _sounds(racks.slots[slot], lane)
    if sounding == 0:
        return
    total = racks.sum[:frames, : block.shape[1]]
    begun = all_steady = False
    for slot in range(SLOT_COUNT):
        rack = racks.slots[slot]
        if _sounds(rack, lane):
            steady = _is_steady(rack, position)
            all_steady = all_steady or steady
            _hand_over(rack, lane, block, position, steady)
            if steady and sounding == 1 and _take_back_whole(rack, lane, position, block, True):
                return
            if not begun:
                total[:] = np.float32(0.0)
                begun = True
            if not (steady and _take_back_whole(rack, lane, position, total, False)):
                for n in range(frames):
                    _take_back(rack, lane, position + n, _tail_at(rack, position + n), total[n])
    for n in range(frames):
        direct = 0.0 if all_steady else _direct_at(racks, lane, position + n)
        for c in range(block.shape[1]):
            past = direct * block[n, c] if direct > 0.0 else 0.0  # what is no number is not passed by
            block[n, c] = np.float32(past + total[n, c])


@njit(void(int64[::1], int64, int64), **KERNEL)
def publish_number(numbers, place, value):
    """Set ``numbers[place]`` for the callback to see, after all that was written before."""
    store_release(numbers, place, value)
