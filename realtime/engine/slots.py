"""Plays prepared sound in time: phrases in slots of fixed size, started and stopped at stream samples.

A worker fills a slot while it is silent; the audio thread only reads it. Loops cross-fade: the last ``FADE``
samples before the loop's end are mixed with those before its start::

    slot      |....[start]=================[fade|end]
    played     ----------------------------\\>/
                    /<---------------------/ \\

A phrase that takes over from another one begins with the same cross-fade: it *joins*, while the other is
stopped at its loop's joint and plays on into its fade, instead of into its own beginning.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import boolean, float32, float64, int64, njit, typeof, void

from .rings import KERNEL, load_acquire, store_release

SLOT_COUNT: Final = 8
#: Frames over which a stopped phrase goes, and over which a loop joins its own beginning.
FADE: Final = 256

# columns of PhraseState.numbers, one row per slot
STATE, LENGTH, LOOPS, PLACE, START_AT, STOP_AT = range(6)
# bits of LOOPS
_LOOP, _JOIN = 1, 2
# values of STATE
EMPTY, READY, PLAYING = range(3)
_NEVER: Final = np.iinfo(np.int64).max


class PhraseState(NamedTuple):
    """Sound and places of the slots."""

    sound: np.ndarray  # float32 [SLOT_COUNT, N]
    numbers: np.ndarray  # int64 [SLOT_COUNT * 6] states and places
    gain: np.ndarray  # float64 [SLOT_COUNT]


def make_phrase_state(capacity: int) -> PhraseState:
    """Empty slots of ``capacity`` frames each."""
    state = PhraseState(
        np.zeros((SLOT_COUNT, capacity), dtype=np.float32),
        np.zeros(SLOT_COUNT * 6, dtype=np.int64),
        np.zeros(SLOT_COUNT),
    )
    state.sound.fill(0.0)  # maps its pages now
    return state


PHRASES: Final = typeof(make_phrase_state(1))


@njit(boolean(PHRASES, int64, float32[::1]), **KERNEL)
def fill_slot(phrases, slot, sound):
    """Put ``sound [n]``, of finite numbers, into a silent slot; False while it plays, or where it does not
    fit. A worker's thread."""
    if load_acquire(phrases.numbers, slot * 6 + STATE) == PLAYING or sound.shape[0] > phrases.sound.shape[1]:
        return False
    store_release(phrases.numbers, slot * 6 + STATE, EMPTY)  # a start that comes meanwhile is refused
    for n in range(sound.shape[0]):
        phrases.sound[slot, n] = sound[n]
    phrases.numbers[slot * 6 + LENGTH] = sound.shape[0]
    store_release(phrases.numbers, slot * 6 + STATE, READY)
    return True


@njit(boolean(PHRASES, int64, int64, int64, float64), **KERNEL)
def _start(phrases, slot, at_sample, loops, gain):
    numbers = phrases.numbers
    first = slot * 6
    if load_acquire(numbers, first + STATE) != READY:
        return False
    numbers[first + LOOPS] = loops
    numbers[first + PLACE] = 0
    numbers[first + START_AT] = at_sample
    numbers[first + STOP_AT] = _NEVER
    phrases.gain[slot] = gain
    store_release(numbers, first + STATE, PLAYING)
    return True


@njit(boolean(PHRASES, int64, int64, boolean, float64), **KERNEL)
def start_slot(phrases, slot, at_sample, loops, gain):
    """Play a filled slot from its beginning; False if it is empty or plays. The audio thread."""
    return _start(phrases, slot, at_sample, _LOOP if loops else 0, gain)


@njit(boolean(PHRASES, int64, int64, boolean, float64), **KERNEL)
def join_slot(phrases, slot, at_sample, loops, gain):
    """As :func:`start_slot`, fading in as a loop does where it begins again. The audio thread."""
    return _start(phrases, slot, at_sample, (_LOOP if loops else 0) | _JOIN, gain)


@njit(void(PHRASES, int64, int64), **KERNEL)
def stop_slot(phrases, slot, at_sample):
    """Fade a playing slot out, from ``at_sample`` on. The audio thread."""
    numbers = phrases.numbers
    numbers[slot * 6 + STOP_AT] = min(numbers[slot * 6 + STOP_AT], at_sample)


@njit(void(PHRASES, int64, float32[::1]), **KERNEL)
def play_slots(phrases, position, out):
    """Add all playing slots to ``out``, whose first frame is stream sample ``position``. The audio
    thread."""
    numbers = phrases.numbers
    for slot in range(SLOT_COUNT):
        first = slot * 6
        if numbers[first + STATE] != PLAYING:
            continue
        sound = phrases.sound[slot]
        if numbers[first + STOP_AT] <= numbers[first + START_AT]:  # stopped before it began
            store_release(numbers, first + STATE, READY)
            continue
        length = numbers[first + LENGTH]
        loops = numbers[first + LOOPS] & _LOOP != 0 and length > 2 * FADE
        joins = numbers[first + LOOPS] & _JOIN != 0
        place = numbers[first + PLACE]
        start = max(0, numbers[first + START_AT] - position)
        for n in range(start, out.shape[0]):
            fading = position + n - numbers[first + STOP_AT]
            if fading >= FADE or place >= length:
                store_release(numbers, first + STATE, READY)
                break
            value = sound[place]
            into = place - (length - FADE)
            if loops and into >= 0 and fading < into:  # not stopped at the joint or before
                share = np.float32(into / FADE)
                value += share * (sound[into] - value)
            begun = position + n - numbers[first + START_AT]
            if joins and begun < FADE:
                value *= np.float32(begun / FADE)
            if fading > 0:
                value *= np.float32(1.0 - fading / FADE)
            out[n] += np.float32(phrases.gain[slot]) * value
            place += 1
            if loops and place == length:
                place = FADE
        numbers[first + PLACE] = place
