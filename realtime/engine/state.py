"""The engine's state: all that the audio thread reads and writes, allocated once."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit, typeof, void

from ...codec.playing.decoder_state import DecoderState, make_decoder_state
from ...codec.playing.noise import check_rate
from .commands import COMMAND_SIZE, RESULT_SIZE
from .exchange import RacksState, make_rack_table
from .limiter import LEAST_GAIN, make_limiter
from .parameters import ENGINE_PARAMETERS, PARAMETER, gain_from_db
from .rings import KERNEL, RecordRing, SampleRing, make_record_ring, make_sample_ring, store_release
from .slots import PLAYING, STATE, PhraseState, make_phrase_state

#: The engine works in slices of at most this many frames.
SLICE_FRAMES: Final = 2_048
#: Most events that start in a grid cell, 64 samples: with two thirds of a block's time for 512 voices, a
#: block that starts as many as it may, each in place of another, amends and ends has the rest.
STARTS_PER_CELL: Final = 16
#: Results that may wait for their reader; in the worst storm about a third of a second.
_RESULT_COUNT: Final = 8_192

# places in EngineState.numbers
(
    POSITION, CAPTURING, RECORDING, FEEDING, FEED_ENDED, STARVED, DAMAGED, REFUSED_PHRASES, DELAYED_PHRASES,
) = range(9)  # fmt: skip
# rows of EngineState.levels
IN_PEAK, OUT_PEAK, IN_MOST, OUT_MOST, IN_POWER, OUT_POWER = range(6)
#: A peak meter falls by 20 dB in this time, as peak programme meters do (IEC 60268-10, type I); the power's
#: falls by 63 % in a VU meter's 300 ms.
_PEAK_SECONDS: Final = 1.7
_POWER_SECONDS: Final = 0.3
#: Gains reach a new value within a hair in about four times this.
_SMOOTHING_SECONDS: Final = 0.005
GAIN_COUNT: Final = len(ENGINE_PARAMETERS)
INPUT, DRY, EVENTS, PHRASES, OUTPUT, CEILING = range(GAIN_COUNT)
#: After the gains: the share of the input's own channels in the dry sound, the rest being what is heard; then
#: the weight of each input channel in what is heard.
WIDTH: Final = GAIN_COUNT
WEIGHTS: Final = GAIN_COUNT + 1


class EngineState(NamedTuple):
    """Everything :func:`process_engine` reads and writes; S is SLICE_FRAMES."""

    decoder: DecoderState
    phrases: PhraseState
    commands: RecordRing  # to the audio thread
    results: RecordRing  # from it: what became of events
    capture: SampleRing  # [N, 1] what the encoder hears
    recording: SampleRing  # [N, C_out] what went out
    feed: SampleRing  # [N, C_in] a file in place of the device's input
    targets: np.ndarray  # float64 [WEIGHTS + C_in] where the gains go, as factors
    gains: np.ndarray  # float64 [WEIGHTS + C_in] where they are; the ceiling's is in the limiter
    limiter: np.ndarray  # float64 [8]
    levels: np.ndarray  # float64 [6, 2] peaks of both sides, the most since the start, powers
    rates: np.ndarray  # float64 [4] device rate in Hz, smoothing factor, falls of peak and power per frame
    numbers: np.ndarray  # int64 [32]
    command: np.ndarray  # float64 [COMMAND_SIZE] the one being obeyed
    result: np.ndarray  # float64 [RESULT_SIZE] the one being told
    source: np.ndarray  # float32 [S, C_in] input of the slice
    mono: np.ndarray  # float32 [S, 1] the same, as the encoder hears it
    events: np.ndarray  # float32 [S]
    phrase: np.ndarray  # float32 [S]
    racks: np.ndarray  # int64 [1 + arrays, 4] of make_rack_table


def make_engine_state(
    rate: int,
    input_channels: int = 1,
    output_channels: int = 2,
    voice_count: int = 512,
    pending_count: int = 1024,
    ring_seconds: float = 4.0,
    phrase_seconds: float = 30.0,
    racks: RacksState | None = None,
) -> EngineState:
    """A silent engine at stream sample 0.

    Args:
        rate: device rate in Hz, a multiple of 150 from 22,050 to 192,000.
        input_channels, output_channels: 1 or 2.
        voice_count, pending_count: as for :class:`~struck.codec.playing.decoder.Decoder`.
        ring_seconds: of sound that the rings to other threads hold.
        phrase_seconds: of sound that each of the phrase slots holds.
        racks: where inserts may come in; None for an engine that has none.

    Raises:
        ValueError: a value is out of range.
    """
    for name, count in (("input_channels", input_channels), ("output_channels", output_channels)):
        if count not in (1, 2):
            raise ValueError(f"{name} is {count}; it must be 1 or 2")
    ring_frames = max(2 * SLICE_FRAMES, round(ring_seconds * check_rate(rate)))
    gains = [gain_from_db(PARAMETER[name].default) for name in ENGINE_PARAMETERS]
    defaults = np.array([*gains, 1.0, *[1.0 / input_channels] * input_channels])
    numbers = np.zeros(32, dtype=np.int64)
    numbers[CAPTURING] = 1
    return EngineState(
        decoder=make_decoder_state(
            rate,
            voice_count,
            pending_count,
            True,
            STARTS_PER_CELL,
            # at most, between two looks: all that wait dropped, and in a slice's cells starts and steals
            pending_count + 2 * SLICE_FRAMES,
        ),
        phrases=make_phrase_state(round(phrase_seconds * rate)),
        commands=make_record_ring(256, COMMAND_SIZE),
        results=make_record_ring(_RESULT_COUNT, RESULT_SIZE),
        capture=make_sample_ring(ring_frames, 1),
        recording=make_sample_ring(ring_frames, output_channels),
        feed=make_sample_ring(ring_frames, input_channels),
        targets=defaults,
        gains=defaults.copy(),
        limiter=make_limiter(rate),
        levels=np.zeros((6, 2)),
        rates=np.array(
            [
                rate,
                1.0 - np.exp(-1.0 / (_SMOOTHING_SECONDS * rate)),
                10.0 ** (-1.0 / (_PEAK_SECONDS * rate)),
                np.exp(-1.0 / (_POWER_SECONDS * rate)),
            ]
        ),
        numbers=numbers,
        command=np.zeros(COMMAND_SIZE),
        result=np.zeros(RESULT_SIZE),
        source=np.zeros((SLICE_FRAMES, input_channels), dtype=np.float32),
        mono=np.zeros((SLICE_FRAMES, 1), dtype=np.float32),
        events=np.zeros(SLICE_FRAMES, dtype=np.float32),
        phrase=np.zeros(SLICE_FRAMES, dtype=np.float32),
        racks=make_rack_table(racks),
    )


ENGINE: Final = typeof(make_engine_state(22_050, ring_seconds=0.0, phrase_seconds=0.0))


@njit(void(typeof(np.zeros(1, np.int64)), typeof(0), typeof(0)), **KERNEL)
def publish_number(numbers, place, value):
    """Set ``numbers[place]`` for the audio thread to see, after all that was written before."""
    store_release(numbers, place, value)


def position_seconds(state: EngineState) -> float:
    """Stream time."""
    return float(state.numbers[POSITION]) / float(state.rates[0])


def slot_is_playing(state: EngineState, slot: int) -> bool:
    """Whether a phrase slot sounds or waits for its start."""
    return bool(state.phrases.numbers[slot * 6 + STATE] == PLAYING)


def limiter_gain(state: EngineState) -> float:
    """The least gain of the limiter in the last block; 1 while it does nothing."""
    return float(state.limiter[LEAST_GAIN])
