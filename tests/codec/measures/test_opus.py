"""The Opus baseline: in time, at a low rate, and absent without a fuss."""

import shutil
import subprocess

import numpy as np
import pytest

from struck.codec.measures import opus
from struck.codec.measures.opus import find_opus_fault, pass_through_opus

RATE = 22_050


@pytest.fixture(autouse=True)
def ask_again():
    find_opus_fault.cache_clear()
    yield
    find_opus_fault.cache_clear()


def skip_without_opus() -> None:
    fault = find_opus_fault()
    if fault is not None:
        pytest.skip(fault)


def test_a_copy_has_the_length_the_time_and_a_low_rate() -> None:
    skip_without_opus()
    rng = np.random.default_rng(0)
    signal = np.zeros(2 * RATE + 17, dtype=np.float32)
    for start in (3000, 17_000, 33_000):  # bursts are clear in time, noise is ambiguous at no lag
        burst = rng.standard_normal(6000) * np.exp(-np.arange(6000) / 1500)
        signal[start : start + 6000] = np.convolve(burst, np.ones(16) / 16, "same")
    copy = pass_through_opus(signal, RATE, 6000)
    assert copy.decoded.shape == signal.shape
    assert copy.decoded.dtype == np.float32
    lags = np.arange(-300, 301)
    match = [np.dot(signal[500:-500], copy.decoded[500 + lag : signal.size - 500 + lag]) for lag in lags]
    assert abs(lags[int(np.argmax(match))]) <= 0.001 * RATE
    assert 1000 < copy.payload_bits / (signal.size / RATE) < 12_000


def test_an_empty_signal_costs_nothing() -> None:
    copy = pass_through_opus(np.zeros(0, dtype=np.float32), RATE, 6000)
    assert copy.decoded.size == 0
    assert copy.payload_bits == 0


def test_without_ffmpeg_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert find_opus_fault() == "ffmpeg is not installed"


def test_without_libopus_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/ffmpeg")
    monkeypatch.setattr(opus, "_run", lambda *command: " A..X.. opus    Opus\n")
    assert find_opus_fault() == "this ffmpeg was built without libopus"


def test_a_failing_ffmpeg_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "no space left")
    monkeypatch.setattr(subprocess, "run", lambda *args, **kwargs: failed)
    with pytest.raises(RuntimeError, match="no space left"):
        pass_through_opus(np.zeros(100, dtype=np.float32), RATE, 6000)
