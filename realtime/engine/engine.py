"""The engine: one compiled function that turns a block of input into a block of output, under every driver.

::

    source ─► guard ─► gain ─┬─► capture ring (the encoder's thread)
                             └─► dry ─┐
    command ring ─► decoder ─► events ┼─► mixer ─► limiter ─┬─► out
                  │  └─► result ring  │                     └─► recording ring
                  └─► phrases ────────┘

Between these stand places for inserts (:mod:`.exchange`): at the input after the guard, in the events, in
the phrases, and before the limiter.

It allocates nothing, takes no lock, raises nothing and calls no system, but to wake an insert's process. Its
work is bounded by the voices, by the phrases, and by limits that grow with the block: commands obeyed, events
started, amended and ended. What exceeds a limit is done in the next block, in its order, and counted.

:mod:`struck.realtime.engine.commands` says what the rows of both rings mean.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import float32, njit, void

from ...codec.playing.arrivals import amend_voice, drop_voices, end_voice, insert_event
from ...codec.playing.block import process_block
from ...codec.playing.decoder_state import LOGGED
from ...codec.playing.kernel_options import INNER
from .commands import (
    AMEND,
    AT_SAMPLE,
    CONTROL,
    END,
    EVENT_ID,
    FLAGS,
    JOIN_PHRASE,
    KEY,
    KIND,
    LOOPS,
    OUTCOME,
    PANIC,
    PLAY,
    RECORD,
    RESULT_ID,
    RESULT_SAMPLE,
    START_PHRASE,
    STOP_PHRASE,
    VALUE,
)  # fmt: skip
from .exchange import ACTIVE, IN_USE, begin_racks, end_racks, process_place, wide_sound
from .limiter import limit
from .rings import KERNEL, load_acquire, pop_row, push_row, read_frames, store_release, write_frames
from .shared_memory import EVENTS_LANE, INPUT_LANE, MASTER_LANE, PHRASES_LANE
from .slots import SLOT_COUNT, join_slot, play_slots, start_slot, stop_slot
from .state import (
    CAPTURING,
    CEILING,
    DAMAGED,
    DELAYED_PHRASES,
    DRY,
    ENGINE,
    EVENTS,
    FEED_ENDED,
    FEEDING,
    IN_MOST,
    IN_PEAK,
    IN_POWER,
    INPUT,
    OUTPUT,
    PHRASES,
    POSITION,
    RECORDING,
    REFUSED_PHRASES,
    SLICE_FRAMES,
    STARVED,
    WEIGHTS,
    WIDTH,
)  # fmt: skip

#: 120 dB over full scale: not sound but damage.
_DAMAGE: Final = 1e6


@njit(**INNER)
def _obey(state, position):
    """Carry out ``state.command``."""
    command = state.command
    kind = int(command[KIND])
    at_sample = int(command[AT_SAMPLE])
    key = int(command[KEY])
    value = command[VALUE]
    if kind == PLAY:
        insert_event(state.decoder, command[RECORD:], at_sample, int(command[EVENT_ID]))
    elif kind == AMEND:
        amend_voice(state.decoder, command[RECORD:], int(command[EVENT_ID]), at_sample)
    elif kind == END:
        end_voice(state.decoder, int(command[EVENT_ID]), at_sample)
    elif kind == CONTROL:
        state.targets[key] = value
    elif kind == PANIC:
        drop_voices(state.decoder)
        for slot in range(SLOT_COUNT):
            stop_slot(state.phrases, slot, position)
    elif kind in (START_PHRASE, JOIN_PHRASE):
        start = max(position, at_sample)
        loops = int(command[FLAGS]) & LOOPS != 0
        if kind == START_PHRASE:
            begun = start_slot(state.phrases, key, start, loops, value)
        else:
            begun = join_slot(state.phrases, key, start, loops, value)
        if not begun:
            state.numbers[REFUSED_PHRASES] += 1
        elif at_sample < position:
            state.numbers[DELAYED_PHRASES] += 1
    elif kind == STOP_PHRASE:
        stop_slot(state.phrases, key, max(position, at_sample))


@njit(**INNER)
def _take_commands(state, position, frames):
    """Obey what other threads have sent."""
    for _ in range(max(4, frames // 4)):
        if not pop_row(state.commands, state.command):
            break
        _obey(state, position)


@njit(**INNER)
def _tell_results(state):
    """Pass on what became of events, out of the decoder's log."""
    decoder = state.decoder
    for i in range(decoder.numbers[LOGGED]):
        state.result[OUTCOME] = decoder.log[i, 0]
        state.result[RESULT_ID] = decoder.log[i, 1]
        state.result[RESULT_SAMPLE] = decoder.log[i, 2]
        push_row(state.results, state.result)
    decoder.numbers[LOGGED] = 0


@njit(**INNER)
def _take_input(state, source, frames):
    """Bring the slice's input to ``state.source``: from the device or the feed, free of damage.

    Returns how many frames of it are to be heard: after the end of a feed there are none.
    """
    numbers = state.numbers
    own = state.source[:frames]
    heard = frames
    if numbers[FEEDING] != 0:
        ended = load_acquire(numbers, FEED_ENDED) != 0
        count = read_frames(state.feed, own)
        for n in range(count, frames):
            for c in range(own.shape[1]):
                own[n, c] = np.float32(0.0)
        if ended:
            heard = count
        else:
            numbers[STARVED] += frames - count
    else:
        for n in range(frames):
            for c in range(own.shape[1]):
                own[n, c] = source[n, c]
    for n in range(frames):
        for c in range(own.shape[1]):
            if not abs(own[n, c]) <= _DAMAGE:  # true for NaN too
                own[n, c] = np.float32(0.0)
                numbers[DAMAGED] += 1
    return heard


@njit(**INNER)
def _measure(state, side, block):
    """Let the meters of ``side`` (0: in, 1: out) follow ``block [F, C]``."""
    levels = state.levels
    frames = block.shape[0]
    peak_fall = state.rates[2] ** frames
    power_fall = state.rates[3] ** frames
    for c in range(block.shape[1]):
        peak = 0.0
        power = 0.0
        for n in range(frames):
            value = float(block[n, c])
            peak = max(peak, abs(value))
            power += value * value
        levels[IN_PEAK + side, c] = max(peak, levels[IN_PEAK + side, c] * peak_fall)
        levels[IN_MOST + side, c] = max(peak, levels[IN_MOST + side, c])
        levels[IN_POWER + side, c] = power / frames + power_fall * (
            levels[IN_POWER + side, c] - power / frames
        )


def _make_mix(wide):
    """What mixes a slice: ``wide`` where events and phrases have gone through inserts, on all channels.

    Two functions of one text: to ask at each sample would cost an engine without inserts some per cent.
    """

    @njit(**INNER)
    def mix(state, out, frames, events, phrases):
        """Input gain, capture, and the sum of dry, events and phrases to ``out [frames, C_out]``."""
        gains = state.gains
        targets = state.targets
        source = state.source
        mono = state.mono
        inputs = source.shape[1]
        smoothing = state.rates[1]
        for n in range(frames):
            for i in range(len(gains)):
                if gains[i] != targets[i]:
                    gains[i] += smoothing * (targets[i] - gains[i])
                    if abs(gains[i] - targets[i]) < 1e-5:
                        gains[i] = targets[i]
            total = 0.0
            for c in range(inputs):
                source[n, c] = np.float32(gains[INPUT] * source[n, c])
                total += gains[WEIGHTS + c] * source[n, c]
            mono[n, 0] = np.float32(total)
            if not wide:
                played = gains[EVENTS] * events[n] + gains[PHRASES] * phrases[n]
            for c in range(out.shape[1]):
                if wide:
                    played = gains[EVENTS] * events[n, c] + gains[PHRASES] * phrases[n, c]
                # one input, or a chosen one, to both outputs; two inputs to one output as they are heard
                dry = float(mono[n, 0])
                if inputs == out.shape[1]:
                    dry = (1.0 - gains[WIDTH]) * dry + gains[WIDTH] * source[n, c]
                value = gains[OUTPUT] * (played + gains[DRY] * dry)
                if not abs(value) <= _DAMAGE:
                    value = 0.0
                    state.numbers[DAMAGED] += 1
                out[n, c] = np.float32(value)

    return mix


_mix = _make_mix(wide=False)
_mix_wide = _make_mix(wide=True)


@njit(**INNER)
def _mix_inserted(state, position, out, frames):
    """Let events and phrases, each on all channels, through what is inserted there, and mix them."""
    channels = out.shape[1]
    events = wide_sound(state.racks, 0, frames, channels)
    phrases = wide_sound(state.racks, 1, frames, channels)
    for n in range(frames):
        for c in range(channels):
            events[n, c] = state.events[n]
            phrases[n, c] = state.phrase[n]
    process_place(state.racks, EVENTS_LANE, events, position)
    process_place(state.racks, PHRASES_LANE, phrases, position)
    _mix_wide(state, out, frames, events, phrases)
    process_place(state.racks, MASTER_LANE, out, position)


@njit(**INNER)
def _process_slice(state, source, out):
    frames = out.shape[0]
    numbers = state.numbers
    position = numbers[POSITION]
    heard = _take_input(state, source, frames)
    inserted = state.racks[0, ACTIVE] != 0
    if inserted:
        process_place(state.racks, INPUT_LANE, state.source[:frames], position)
    process_block(state.decoder, state.events[:frames])
    _tell_results(state)
    for n in range(frames):
        state.phrase[n] = np.float32(0.0)
    play_slots(state.phrases, position, state.phrase[:frames])
    if inserted:
        _mix_inserted(state, position, out, frames)
    else:
        _mix(state, out, frames, state.events, state.phrase)
    if numbers[CAPTURING] != 0 and heard > 0:
        write_frames(state.capture, state.mono[:heard])
    limit(state.limiter, state.targets[CEILING], out)
    if load_acquire(numbers, RECORDING) != 0:
        write_frames(state.recording, out)
    _measure(state, 0, state.source[:frames])
    _measure(state, 1, out)
    store_release(numbers, POSITION, position + frames)


@njit(void(ENGINE, float32[:, ::1], float32[:, ::1]), **KERNEL)
def process_engine(state, source, out):
    """The next ``len(out)`` frames: ``source [F, C_in]`` in, ``out [F, C_out]`` out, any F."""
    inserts = load_acquire(state.racks[0], IN_USE) != 0
    if inserts:
        begin_racks(state.racks, state.numbers[POSITION])
    done = 0
    while done < out.shape[0]:
        end = min(out.shape[0], done + SLICE_FRAMES)
        _take_commands(state, state.numbers[POSITION], end - done)
        _process_slice(state, source[done:end], out[done:end])
        done = end
    if inserts:
        end_racks(state.racks, state.numbers[POSITION])
