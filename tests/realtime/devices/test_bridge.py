"""The bridge between two clocks: no gap, no wander, no click; and what it does when one side stops."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from numba import config, njit

from struck.realtime.devices.bridge import (
    ERROR,
    aim_bridge,
    bridge_read,
    bridge_stats,
    bridge_write,
    latency_seconds,
    make_bridge,
)
from struck.realtime.devices.bridge_callbacks import BridgeCallbacks

from .stream_callbacks import HAD_INPUT, Counting

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="rings need the compiler")
ROOT = Path(__file__).parents[3]
HZ = 1000.0
AMPLITUDE = 0.5


@njit
def simulate(state, write_seconds, read_seconds, input_block, input_hz, out, errors):
    """Blocks of a sine of 1 kHz come and go at their seconds."""
    written = 0
    position = 0
    frames = out.shape[0] // len(read_seconds)
    block = np.zeros((input_block, out.shape[1]), np.float32)
    for k in range(len(read_seconds)):
        while written < len(write_seconds) and write_seconds[written] <= read_seconds[k]:
            for n in range(input_block):
                block[n, :] = np.float32(AMPLITUDE * np.sin(2 * np.pi * HZ * (position + n) / input_hz))
            bridge_write(state, block, write_seconds[written])
            position += input_block
            written += 1
        bridge_read(state, out[k * frames : (k + 1) * frames], read_seconds[k])
        errors[k] = state.numbers[ERROR]


def run(state, seconds, rates, ppm, blocks, jitter=0.001, pause=(0.0, 0.0), who="", channels=1):
    """The output and the smoothed errors in seconds.

    Clocks are off by ``ppm``, blocks late by up to ``jitter`` seconds; during ``pause`` the writer or the
    reader is away.
    """
    rng = np.random.default_rng(1)
    times = []
    for rate, off, block in zip(rates, ppm, blocks, strict=True):
        actual = rate * (1 + off * 1e-6)
        count = int(seconds * actual / block)
        on_time = np.arange(1, count + 1) * block / actual
        times.append(np.maximum.accumulate(on_time + rng.uniform(0, jitter, count)))
    for side, name in enumerate(("writer", "reader")):
        if who == name:
            times[side] = times[side][(times[side] < pause[0]) | (times[side] >= pause[1])]
    out = np.zeros((len(times[1]) * blocks[1], channels), np.float32)
    errors = np.zeros(len(times[1]))
    simulate(state, *times, blocks[0], rates[0] * (1 + ppm[0] * 1e-6), out, errors)
    return out, errors / rates[0]


def snr_db(sound, rate):
    """Of a sine of about 1 kHz, its frequency fitted."""
    n = np.arange(len(sound)) - len(sound) / 2
    hz = HZ
    for _ in range(6):
        omega = 2 * np.pi * hz / rate
        c, s = np.cos(omega * n), np.sin(omega * n)
        basis = np.stack([c, s, n * c, n * s], axis=1)
        a, b, slope_c, slope_s = np.linalg.lstsq(basis, sound, rcond=None)[0]
        # d/d omega of a cos + b sin is n (b cos - a sin)
        hz += (slope_c * b - slope_s * a) / (a * a + b * b) * rate / (2 * np.pi)
    basis = basis[:, :2]
    rest = sound - basis @ np.linalg.lstsq(basis, sound, rcond=None)[0]
    return 10 * np.log10(np.mean(sound**2) / np.mean(rest**2))


def largest_step(sound, rate):
    """The largest step between samples, as a multiple of the sine's own."""
    return np.abs(np.diff(sound)).max() / (AMPLITUDE * 2 * np.pi * HZ / rate)


@pytest.mark.parametrize(
    ("rates", "ppm", "blocks"),
    [
        ((48_000, 48_000), (120, 0), (128, 64)),
        ((48_000, 48_000), (-300, 50), (64, 256)),
        ((44_100, 48_000), (20, -80), (128, 128)),
        ((96_000, 44_100), (0, 300), (256, 64)),
    ],
)
def test_drifting_clocks_for_ten_minutes(rates, ppm, blocks):
    state = make_bridge(1, *rates, *blocks)
    out, errors = run(state, 600, rates, ppm, blocks)
    stats = bridge_stats(state)
    for counter in ("bridge_underruns", "bridge_underrun_frames", "bridge_resyncs", "bridge_lost_frames"):
        assert stats[counter] == 0, stats
    assert stats["bridge_drift_ppm"] == pytest.approx(ppm[0] - ppm[1], abs=5)
    settled = len(errors) // 100  # 6 s
    assert np.abs(errors[settled:]).max() < 1e-3
    actual = rates[1] * (1 + ppm[1] * 1e-6)
    for second in (60, 200, 400, 590):
        part = out[int(second * actual) : int((second + 1) * actual), 0].astype(np.float64)
        assert snr_db(part, actual) > 60, second
    # after the ramp of the beginning no step is larger than the sine's
    begin = int(np.flatnonzero(out[:, 0])[0]) + 200
    assert largest_step(out[begin:, 0], actual) < 1.03


def test_latency_is_what_is_said():
    """An impulse comes out that much later than it went in, with blocks on time and clocks alike."""
    state = make_bridge(2, 48_000, 48_000, 128, 64)
    aim_bridge(state, 128, 64, jitter_seconds=0.005)
    blocks_in = np.zeros((400, 128, 2), np.float32)
    blocks_in[300, 127, 1] = 1.0  # the last frame of a block that arrives at its end
    outs = []
    written = 0
    for k in range(790):
        now = k * 64 / 48_000 + 1e-5
        while (written + 1) * 128 / 48_000 <= now:
            bridge_write(state, blocks_in[written], (written + 1) * 128 / 48_000)
            written += 1
        out = np.ones((64, 2), np.float32)
        bridge_read(state, out, now)
        outs.append(out)
    sound = np.concatenate(outs)
    assert not sound[:, 0].any()
    seconds = np.argmax(sound[:, 1]) / 48_000 - 301 * 128 / 48_000
    assert seconds == pytest.approx(latency_seconds(state), abs=2 / 48_000)
    assert latency_seconds(state) == pytest.approx((128 + 64 + 32 + 240 + 16) / 48_000)


@pytest.mark.parametrize("who", ["writer", "reader"])
def test_one_side_stops_for_a_while(who):
    rates, blocks = (48_000, 48_000), (128, 64)
    state = make_bridge(1, *rates, *blocks)
    out, errors = run(state, 40, rates, (50, -50), blocks, pause=(10.0, 12.5), who=who)
    stats = bridge_stats(state)
    if who == "writer":
        assert stats["bridge_underruns"] >= 1
        assert stats["bridge_underrun_frames"] == pytest.approx(2.5 * 48_000, rel=0.05)
    else:
        assert stats["bridge_lost_frames"] > 48_000
        assert 1 <= stats["bridge_resyncs"] <= 4
    assert abs(errors[-1]) < 1e-3
    assert snr_db(out[-24_000:, 0].astype(np.float64), 48_000) > 40
    begin = int(np.flatnonzero(out[:, 0])[0]) + 200
    if who == "writer":  # the gap's edges are ramps; what was lost to the reader is lost with one cut
        assert largest_step(out[begin:, 0], 48_000) < 1.5


def test_rates_too_far_apart():
    with pytest.raises(ValueError, match="factor 4"):
        make_bridge(1, 8_000, 48_000, 64, 64)


def test_blocks_too_long():
    state = make_bridge(1, 48_000, 48_000, 64, 64)
    with pytest.raises(ValueError, match="do not fit"):
        aim_bridge(state, 20_000, 64)


def test_callbacks_carry_sound_to_the_engine():
    """Called here as the devices do, from two C pointers."""
    function = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong,
        ctypes.c_void_p,
    )  # fmt: skip
    engine = Counting()
    callbacks = BridgeCallbacks(make_bridge(2, 48_000, 48_000, 64, 64), 64, engine.pointer, engine.userdata)
    write, read = function(callbacks.write_callback), function(callbacks.read_callback)
    block = np.tile(np.array([0.125, 0.25], np.float32), (64, 1))
    out = np.zeros((64, 2), np.float32)
    end = time.monotonic() + 30.0
    written = 0
    while not np.allclose(out, 2 * block, atol=1e-3):
        assert time.monotonic() < end
        assert write(block.ctypes.data, None, 64, None, 0, callbacks.userdata) == 0
        written += 1
        time.sleep(64 / 48_000)
        assert read(None, out.ctypes.data, 64, None, 0, callbacks.userdata) == 0
    assert engine.counts[HAD_INPUT]
    assert callbacks.blocks_written == written


def test_nothing_is_allocated():
    script = """
import numpy as np
from numba import njit
from numba.core.runtime import rtsys
from struck.realtime.devices.bridge import bridge_read, bridge_write, make_bridge
@njit
def run(state, block, out, turns):
    for k in range(turns):
        bridge_write(state, block, k * 64 / 48000)
        bridge_read(state, out, k * 64 / 48000)
@njit
def control(turns):
    total = 0.0
    for k in range(turns):
        total += np.zeros(4 + k % 2)[0]
    return total
counts = []
state = make_bridge(2, 48000, 48000, 64, 64)
block, out = np.zeros((64, 2), np.float32), np.ones((64, 2), np.float32)
for function, arguments in ((control, ()), (run, (state, block, out))):
    for turns in (1, 1, 10_001):
        before = rtsys.get_allocation_stats().alloc
        function(*arguments, turns)
        count = rtsys.get_allocation_stats().alloc - before
    counts.append(count)
print(counts[0] > 9_000, counts[1] < 100)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=ROOT,
        env={**os.environ, "NUMBA_NRT_STATS": "1"},
    )  # fmt: skip
    assert done.stdout == "True True\n", done.stderr
