"""Metrics: known answers, edge cases, chunks."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.measures import metrics
from struck.codec.measures.metrics import (
    BIN_COUNT,
    ENERGY_LIMIT_DB,
    FRAME,
    HOP,
    OnsetScore,
    energy_removed_db,
    magnitude_spectrogram,
    mel_distance_db,
    note_f_measure,
    onset_f_measure,
)


def make_tone(frequency_hz: float, seconds: float = 1.0) -> np.ndarray:
    time = np.arange(round(seconds * ANALYSIS_RATE)) / ANALYSIS_RATE
    return np.sin(2 * np.pi * frequency_hz * time).astype(np.float32)


def make_noise(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    count = round(seconds * ANALYSIS_RATE)
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


@pytest.mark.parametrize("signal", [make_tone(440.0), make_noise()])
@pytest.mark.parametrize("share", [0.5, 0.9, 1.5])
def test_energy_removed_by_a_scaled_copy_is_what_is_left(signal: np.ndarray, share: float) -> None:
    expected = -20 * np.log10(abs(1 - share))
    assert energy_removed_db(signal, share * signal) == pytest.approx(expected, abs=1e-3)


def test_energy_removed_at_its_limits() -> None:
    tone, silence = make_tone(440.0), np.zeros(1000)
    assert energy_removed_db(tone, tone) == ENERGY_LIMIT_DB
    assert energy_removed_db(tone, silence) == pytest.approx(0.0, abs=1e-6)
    assert energy_removed_db(tone, 2 * tone) == pytest.approx(0.0, abs=1e-4)
    assert energy_removed_db(tone, 11 * tone) == pytest.approx(-20.0, abs=1e-3)
    assert energy_removed_db(silence, silence) == ENERGY_LIMIT_DB
    assert energy_removed_db(silence, tone) == -ENERGY_LIMIT_DB


def test_energy_removed_of_one_of_two_tones_far_apart_is_the_ratio_of_their_energies() -> None:
    low, high = make_tone(440.0), 0.1 * make_tone(4000.0)
    assert energy_removed_db(low + high, low) == pytest.approx(10 * np.log10(101), abs=0.05)


@pytest.mark.parametrize("gain_db", [-9.0, 0.0, 3.0])
def test_mel_distance_of_a_gain_change_is_the_change(gain_db: float) -> None:
    noise = make_noise()
    # White noise keeps every band well above the floor.
    assert mel_distance_db(noise, noise * 10 ** (gain_db / 20)) == pytest.approx(abs(gain_db), abs=1e-3)


def test_mel_distance_ignores_what_lies_under_the_floor() -> None:
    tone = make_tone(1000.0)
    faint = tone + 1e-6 * make_noise()
    assert mel_distance_db(tone, faint) < 0.02
    assert mel_distance_db(tone, tone + make_noise()) > 10.0


def test_mel_distance_with_silence() -> None:
    tone, silence = make_tone(1000.0), np.zeros(500)
    assert mel_distance_db(silence, silence) == 0.0
    assert 0.0 < mel_distance_db(tone, silence) <= metrics.FLOOR_DB
    assert 0.0 < mel_distance_db(silence, tone) <= metrics.FLOOR_DB


def test_every_mel_band_is_covered() -> None:
    filters = metrics.mel_filters()
    assert filters.shape == (BIN_COUNT, metrics.MEL_BAND_COUNT)
    assert (filters.max(axis=0) > 0.4).all()
    assert filters.max() <= 1.0


@pytest.mark.parametrize("length", [0, 1, 100, HOP, HOP + 1, FRAME, 5 * FRAME + 3])
def test_any_length_works_and_the_shorter_signal_is_padded(length: int) -> None:
    signal = make_noise()[:length]
    spectrum = magnitude_spectrogram(signal)
    assert spectrum.shape == (1 + -(-length // HOP), BIN_COUNT)
    assert energy_removed_db(signal, np.pad(signal, (0, 700))) == ENERGY_LIMIT_DB
    assert mel_distance_db(np.pad(signal, (0, 700)), signal) == 0.0


def test_magnitudes_of_a_full_scale_sine_peak_at_a_quarter_of_the_frame() -> None:
    spectrum = magnitude_spectrogram(make_tone(100 * ANALYSIS_RATE / FRAME))
    middle = spectrum[len(spectrum) // 2]
    assert np.argmax(middle) == 100
    assert middle[100] == pytest.approx(FRAME / 4, rel=1e-4)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    signal, other = make_noise(2.0), make_noise(2.0, seed=1)
    whole = magnitude_spectrogram(signal)
    numbers = energy_removed_db(signal, other), mel_distance_db(signal, other)
    monkeypatch.setattr(metrics, "_CHUNK_FRAMES", 7)
    np.testing.assert_allclose(magnitude_spectrogram(signal), whole, rtol=1e-4, atol=1e-5)
    assert (energy_removed_db(signal, other), mel_distance_db(signal, other)) == pytest.approx(numbers)


@pytest.mark.parametrize("bad", [np.zeros((2, 3)), [0.0, np.nan], [np.inf]])
def test_bad_signals_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"mono samples|finite"):
        energy_removed_db(np.zeros(3), bad)
    with pytest.raises(ValueError, match=r"mono samples|finite"):
        mel_distance_db(bad, np.zeros(3))


@pytest.mark.parametrize(
    ("truth", "found", "precision", "recall"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1.0, 1.0),
        ([1.0, 2.0], [1.04, 2.06], 0.5, 0.5),
        ([1.0], [0.95], 1.0, 1.0),
        ([1.0], [1.05], 1.0, 1.0),
        ([1.0], [1.0501], 0.0, 0.0),
        ([1.0], [0.98, 1.0, 1.02], 1 / 3, 1.0),
        ([1.0, 1.0, 1.0], [1.0], 1.0, 1 / 3),
        ([3.0, 1.0, 2.0], [2.01, 3.01], 1.0, 2 / 3),
        # The nearest pair (1.00, 1.01) would leave 0.97 and 1.04 unmatched; the best matching has two pairs.
        ([0.97, 1.00], [1.01, 1.04], 1.0, 1.0),
        ([], [1.0], 0.0, 0.0),
        ([1.0], [], 0.0, 0.0),
        ([], [], 1.0, 1.0),
    ],
)
def test_onset_hand_cases(truth: list, found: list, precision: float, recall: float) -> None:
    score = onset_f_measure(truth, found)
    assert (score.precision, score.recall) == pytest.approx((precision, recall))
    total = precision + recall
    assert score.f_measure == pytest.approx(2 * precision * recall / total if total else 0.0)


def test_onset_matching_is_the_largest_one() -> None:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    rng = np.random.default_rng(3)
    for _ in range(50):
        truth, found = rng.uniform(0, 1.0, rng.integers(1, 30)), rng.uniform(0, 1.0, rng.integers(1, 30))
        near = csr_array(np.abs(truth[:, None] - found) <= 0.05)
        pairs = int((maximum_bipartite_matching(near, perm_type="column") >= 0).sum())
        score = onset_f_measure(truth, found)
        expected = OnsetScore(pairs / found.size, pairs / truth.size, 2 * pairs / (truth.size + found.size))
        assert score == expected


def test_bad_onsets_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        onset_f_measure([np.nan], [1.0])
    with pytest.raises(ValueError, match="tolerance"):
        onset_f_measure([1.0], [1.0], -0.1)


def most_pairs(truth: list[tuple[float, float]], found: list[tuple[float, float]]) -> int:
    """The largest number of pairs, by trying all."""
    if not truth:
        return 0
    (onset, pitch), rest = truth[0], truth[1:]
    best = most_pairs(rest, found)
    for i, (seconds, midi) in enumerate(found):
        if round(abs(seconds - onset), 4) <= 0.05 and abs(midi - pitch) <= 0.5:
            best = max(best, 1 + most_pairs(rest, found[:i] + found[i + 1 :]))
    return best


def test_notes_are_paired_as_often_as_they_can_be() -> None:
    rng = np.random.default_rng(6)
    for _ in range(30):
        truth, found = (
            [
                (float(a), float(b))
                for a, b in zip(rng.uniform(0, 0.2, n), rng.uniform(60, 62, n), strict=True)
            ]
            for n in rng.integers(1, 7, 2)
        )
        pairs = most_pairs(truth, found)
        score = note_f_measure(truth, found)
        assert score.precision == pytest.approx(pairs / len(found))
        assert score.recall == pytest.approx(pairs / len(truth))
        assert score.f_measure == pytest.approx(2 * pairs / (len(truth) + len(found)))


def test_notes_at_the_edges() -> None:
    assert note_f_measure([], []) == OnsetScore(1.0, 1.0, 1.0)
    assert note_f_measure([(0.1, 60.0)], []) == OnsetScore(0.0, 0.0, 0.0)
    assert note_f_measure([(0.1, 60.0)], [(0.15, 60.5)]).f_measure == 1.0
    assert note_f_measure([(0.1, 60.0)], [(0.1502, 60.0)]).f_measure == 0.0
    assert note_f_measure([(0.1, 60.0)], [(0.1, 60.51)]).f_measure == 0.0
    with pytest.raises(ValueError, match="finite"):
        note_f_measure([(np.nan, 60.0)], [])
