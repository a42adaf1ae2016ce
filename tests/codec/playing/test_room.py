"""Rooms: their responses, and the partitioned convolution against scipy's."""

import numpy as np
import pytest
from scipy.signal import butter, fftconvolve, sosfiltfilt

from struck.codec.events.event_spec import BANDWIDTH_HZ, ROOM_COUNT, ROOM_NAMES, ROOM_T60_SECONDS
from struck.codec.playing import convolver
from struck.codec.playing.convolver import GRID, make_room_state, silence_rooms
from struck.codec.playing.room import partition_samples, room_impulse_responses

from .inner_kernels import outer

exchange_room = outer(convolver.exchange_room)
real_fft = outer(convolver.real_fft)
step_rooms = outer(convolver.step_rooms)


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_responses_leave_a_partition_of_predelay(rate):
    size = partition_samples(rate)
    assert size >= 64
    for response in room_impulse_responses(rate):
        assert not response[:size].any()
        spectrum = np.abs(np.fft.rfft(response)) ** 2
        frequency = np.arange(len(spectrum)) * rate / len(response)
        assert np.mean(spectrum[frequency <= BANDWIDTH_HZ]) == pytest.approx(1.0, rel=1e-4)
    assert len(ROOM_NAMES) == ROOM_COUNT


@pytest.mark.parametrize("room", range(ROOM_COUNT))
def test_t60_at_mid_frequencies(room):
    """Schroeder's backward integral of the 500 Hz to 1 kHz octave, -10 to -35 dB."""
    rate = 22_050
    response = room_impulse_responses(rate)[room].astype(np.float64)
    band = sosfiltfilt(butter(4, [500.0, 1000.0], "bandpass", fs=rate, output="sos"), response)
    left = 10 * np.log10(np.cumsum(band[::-1] ** 2)[::-1] / np.sum(band**2) + 1e-30)
    use = np.flatnonzero((left < -10) & (left > -35))
    t60 = -60.0 / np.polyfit(use / rate, left[use], 1)[0]
    assert t60 == pytest.approx(ROOM_T60_SECONDS[room], rel=0.12)


def test_real_fft():
    state = make_room_state(22_050)
    signal = np.random.default_rng(1).standard_normal(2 * partition_samples(22_050)).astype(np.float32)
    out = np.zeros((2, len(signal) // 2 + 1), dtype=np.float32)
    real_fft(signal, out, state.work, state.twiddles)
    assert np.max(np.abs(out[0] + 1j * out[1] - np.fft.rfft(signal))) < 1e-4


def convolve_stream(state, room, signal):
    out = np.zeros_like(signal)
    for position in range(0, len(signal), GRID):
        cell = slice(position, position + GRID)
        for r in range(ROOM_COUNT):
            source = signal[cell] if r == room else np.zeros(GRID, dtype=np.float32)
            exchange_room(state, r, position, source, out[cell], GRID)
        step_rooms(state, position + GRID)
    return out


@pytest.mark.parametrize("rate", [22_050, 48_000, 96_000])
@pytest.mark.parametrize("room", range(ROOM_COUNT))
def test_convolution_is_exact_and_aligned(rate, room):
    rng = np.random.default_rng(room)
    length = 256 * GRID
    signal = np.zeros(length, dtype=np.float32)
    signal[100:3000] = rng.standard_normal(2900)
    signal[length // 2 :] = rng.standard_normal(length // 2)
    wanted = fftconvolve(signal.astype(np.float64), room_impulse_responses(rate)[room].astype(np.float64))[
        :length
    ]
    state = make_room_state(rate)
    error = convolve_stream(state, room, signal) - wanted
    assert np.sqrt(np.mean(error**2)) < 3e-6 * np.sqrt(np.mean(wanted**2))


def test_a_room_sleeps_and_wakes_exactly():
    """After its tail has passed, a room is skipped; later sound must come out as from a fresh one."""
    rate = 22_050
    state = make_room_state(rate)
    burst = np.zeros(160 * GRID, dtype=np.float32)
    burst[10:200] = np.random.default_rng(2).standard_normal(190)
    first = convolve_stream(state, 0, burst)
    assert first.any()
    assert not first[-10 * GRID :].any()
    second = convolve_stream(state, 0, burst)
    assert second.tobytes() == first.tobytes()
    silence_rooms(state)
    assert convolve_stream(state, 0, burst).tobytes() == first.tobytes()
