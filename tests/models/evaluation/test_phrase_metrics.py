"""Distances between sets of sounds, pitch, chroma and onsets: known answers."""

from collections.abc import Sequence

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.evaluation.notes.features import BAND_COUNT, LOWEST_PITCH, note_features, pack, unpack
from struck.models.evaluation.notes.metrics import (
    Bins,
    frechet_distance,
    inception_score,
    kernel_distance,
    level_error,
    two_proportions_differ,
)
from struck.models.evaluation.notes.nearest_sounds import nearest_embeddings, nearest_spectrograms
from struck.models.evaluation.notes.pitch import cents_off, note_pitch
from struck.models.evaluation.phrases.chroma import chord_classes, chroma, energy_share
from struck.models.evaluation.phrases.figures import measure_phrases
from struck.models.evaluation.phrases.grids import grid_seconds
from struck.models.evaluation.phrases.seam import beat_errors, seam_db
from struck.models.evaluation.phrases.transcription import score_arpeggio, transcribe
from struck.models.mars.condition_inputs import CLIP_SAMPLES
from struck.models.mars.conditions import PhraseConditions
from struck.models.mars.sound.onsets import grid_errors, onset_times, onsets_near

TIME = np.arange(CLIP_SAMPLES) / ANALYSIS_RATE


def to_hz(pitch: float) -> float:
    return 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)


def make_note(pitch: float, begin: float = 0.0, decay: float = 1.0, partials: int = 8) -> np.ndarray:
    """Harmonics falling as 1 / n, dying away, from ``begin`` seconds on."""
    since = TIME - begin
    wave = sum(
        np.sin(2.0 * np.pi * n * to_hz(pitch) * since) / n
        for n in range(1, partials + 1)
        if n * to_hz(pitch) < 0.45 * ANALYSIS_RATE
    )
    return (0.2 * wave * np.exp(-decay * np.maximum(since, 0.0)) * (since >= 0.0)).astype(np.float32)


# Inception scores


def test_an_inception_score_is_the_number_of_classes_where_each_is_sure_and_all_occur() -> None:
    assert inception_score(np.eye(12)) == pytest.approx(12.0)
    assert inception_score(np.tile(np.eye(12)[:3], (5, 1))) == pytest.approx(3.0)


def test_an_inception_score_is_one_where_nothing_is_told_apart() -> None:
    assert inception_score(np.full((20, 128), 1.0 / 128.0)) == pytest.approx(1.0)
    assert inception_score(np.tile(np.eye(12)[4], (20, 1))) == pytest.approx(1.0)


def test_an_inception_score_worked_by_hand() -> None:
    p = np.array([[0.9, 0.1], [0.1, 0.9]])
    divergence = 0.9 * np.log(1.8) + 0.1 * np.log(0.2)
    assert inception_score(p) == pytest.approx(np.exp(divergence))


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 3)), np.ones((2, 3)), np.array([[1.5, -0.5]]), np.ones(3) / 3]
)
def test_what_is_not_probabilities_has_no_inception_score(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        inception_score(wrong)


# Kernel and Frechet distances


def test_the_kernel_distance_of_equals_is_zero_on_average() -> None:
    rng = np.random.default_rng(1)
    found = kernel_distance(rng.standard_normal((400, 16)), rng.standard_normal((400, 16)))
    assert abs(found.mean) < 2.0 * found.deviation / np.sqrt(10)


def test_the_kernel_distance_of_shifted_points_is_the_kernels() -> None:
    # All of each set at one point a or b: MMD^2 = k(a,a) + k(b,b) - 2 k(a,b).
    a, b = np.array([1.0, 2.0]), np.array([0.0, -1.0])

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 2.0 + 1.0) ** 3)

    found = kernel_distance(np.tile(a, (10, 1)), np.tile(b, (7, 1)))
    assert found.mean == pytest.approx(kernel(a, a) + kernel(b, b) - 2.0 * kernel(a, b))
    assert found.deviation == pytest.approx(0.0, abs=1e-9)


def test_the_kernel_distance_grows_with_what_is_different() -> None:
    rng = np.random.default_rng(2)
    real = rng.standard_normal((200, 8))
    near, far = (kernel_distance(rng.standard_normal((200, 8)) + shift, real).mean for shift in (0.3, 1.0))
    assert 0.0 < near < far


def test_the_frechet_distance_of_gaussians_is_known() -> None:
    rng = np.random.default_rng(3)
    first = rng.standard_normal((20_000, 3))
    second = rng.standard_normal((20_000, 3)) * np.array([1.0, 2.0, 3.0]) + np.array([1.0, 0.0, -2.0])
    # Diagonal covariances: |m|^2 + sum (s1 - s2)^2 = 5 + 0 + 1 + 4.
    assert frechet_distance(first, second) == pytest.approx(10.0, rel=0.03)
    assert frechet_distance(first, first) == pytest.approx(0.0, abs=1e-6)


def test_the_frechet_distance_bears_fewer_sounds_than_dimensions() -> None:
    rng = np.random.default_rng(4)
    assert np.isfinite(frechet_distance(rng.standard_normal((5, 40)), rng.standard_normal((9, 40))))


@pytest.mark.parametrize("measure", [kernel_distance, frechet_distance])
def test_distances_refuse_what_does_not_fit(measure) -> None:
    with pytest.raises(ValueError, match="embeddings"):
        measure(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="two sounds"):
        measure(np.zeros((1, 3)), np.zeros((4, 3)))


# Bins


def test_bins_of_equals_differ_as_often_as_chance_lets_them() -> None:
    rng = np.random.default_rng(5)
    bins = Bins(rng.standard_normal((2000, 6)), count=40)
    assert bins.share_different(rng.standard_normal((2000, 6))) < 0.2


def test_bins_tell_a_set_that_has_but_one_kind_of_sound() -> None:
    rng = np.random.default_rng(6)
    centres = 20.0 * rng.standard_normal((10, 4))
    training = np.concatenate([c + rng.standard_normal((50, 4)) for c in centres])
    bins = Bins(training, count=10)
    assert bins.share_different(training) == 0.0
    assert bins.share_different(np.tile(centres[0], (200, 1))) == 1.0


def test_two_proportions_differ_as_tables_have_it() -> None:
    # 60 of 100 against 45 of 100: z = 2.12, p = 0.034; 55 against 45: z = 1.41, p = 0.16.
    assert two_proportions_differ([60, 55, 0], 100, [45, 45, 0], 100).tolist() == [True, False, False]


def test_too_few_sounds_make_no_bins() -> None:
    with pytest.raises(ValueError, match="50 bins"):
        Bins(np.zeros((10, 3)))


# Reconstruction


def test_level_errors_are_in_units_of_80_db() -> None:
    wanted = np.zeros((4, 5))
    found = level_error(wanted + 8.0, wanted)
    assert found.mse == pytest.approx(0.01)
    assert found.mae == pytest.approx(0.1)
    with pytest.raises(ValueError, match="shapes"):
        level_error(wanted, np.zeros((5, 4)))


# Features and neighbours


def test_features_show_a_tone_in_its_band_whatever_its_level() -> None:
    tone = np.sin(2.0 * np.pi * to_hz(69.0) * TIME).astype(np.float32)
    features = note_features(tone)
    band = round(2 * (69.0 - LOWEST_PITCH))
    assert (features[:, 3:-3].argmax(0) == band).all()
    assert features.max() == 1.0
    np.testing.assert_allclose(note_features(0.01 * tone), features, atol=1e-3)
    assert np.abs(unpack(pack(features)) - features).max() <= 0.5 / 255 + 1e-6


def test_features_of_silence_and_of_what_is_no_clip() -> None:
    assert not note_features(np.zeros(CLIP_SAMPLES)).any()
    with pytest.raises(ValueError, match="shape"):
        note_features(np.zeros(100))
    with pytest.raises(ValueError, match="finite"):
        note_features(np.full(CLIP_SAMPLES, np.nan))


def test_the_nearest_spectrogram_is_found_at_its_distance_in_db() -> None:
    training = np.zeros((5, BAND_COUNT, 44), np.uint8)
    training[3] = 51  # 16 dB of 80
    training[4] = 102
    found = nearest_spectrograms(training[3:4] + np.uint8(3), training, 2)
    assert found.rows.tolist() == [[3, 4]]
    assert found.distances[0, 0] == pytest.approx(80.0 * 3 / 255, rel=1e-3)
    assert found.distances[0, 1] == pytest.approx(80.0 * 48 / 255, rel=1e-3)


def test_the_nearest_embeddings_and_a_copy_at_distance_zero() -> None:
    points = np.random.default_rng(7).standard_normal((3000, 8)).astype(np.float32)
    found = nearest_embeddings(points[[2, 2999]], points, 3)
    assert found.rows[:, 0].tolist() == [2, 2999]
    assert found.distances[:, 0].tolist() == [0.0, 0.0]
    assert (np.diff(found.distances, axis=1) >= 0.0).all()


# Pitch


@pytest.mark.parametrize("pitch", [36.0, 43.3, 52.0, 60.0, 69.4, 81.0, 90.0, 96.0])
@pytest.mark.parametrize("partials", [1, 3, 12])
def test_the_pitch_of_a_known_note_is_within_five_cents(pitch: float, partials: int) -> None:
    assert abs(cents_off(note_pitch(make_note(pitch, partials=partials)), pitch)) < 5.0


def test_a_missing_fundamental_is_heard() -> None:
    note = make_note(48.0) - make_note(48.0, partials=1)
    assert abs(cents_off(note_pitch(note), 48.0)) < 10.0


def test_a_note_in_noise_keeps_its_pitch() -> None:
    noise = 0.02 * np.random.default_rng(8).standard_normal(CLIP_SAMPLES)
    assert abs(cents_off(note_pitch(make_note(57.0, decay=0.5) + noise), 57.0)) < 10.0


def test_silence_has_no_pitch() -> None:
    assert note_pitch(np.zeros(CLIP_SAMPLES)) is None
    assert cents_off(None, 60.0) == np.inf
    assert note_pitch(make_note(60.0)[:500]) is not None


# Chroma


def test_sines_are_of_their_own_pitch_class() -> None:
    for pitch in (33, 40, 60, 95):
        found = chroma(make_note(pitch, partials=1))
        assert found[pitch % 12] > 0.99
        assert found.sum() == pytest.approx(1.0)


def test_the_share_of_a_chord_and_of_a_wrong_one() -> None:
    major = sum(make_note(p, partials=1) for p in (48, 52, 55))
    assert energy_share(major, chord_classes((48, "major"))) > 0.99
    # C and G are in C minor, E is not: a third of the energy.
    minor = chord_classes((48, "minor"))
    assert energy_share(major, minor) == pytest.approx(2.0 / 3.0, abs=0.03)


def test_a_third_partial_counts_a_fifth_above() -> None:
    # Power 1 : 1/4 : 1/9 of fundamental, octave, twelfth.
    found = chroma(make_note(48, partials=3))
    assert found[7] == pytest.approx(1 / 9 / (1 + 1 / 4 + 1 / 9), abs=0.01)


def test_silence_is_on_no_chord() -> None:
    assert energy_share(np.zeros(CLIP_SAMPLES), {0, 4, 7}) == 0.0


# Onsets


@pytest.mark.parametrize("kind", ["tone", "noise"])
def test_onsets_are_found_within_ten_milliseconds(kind: str) -> None:
    rng = np.random.default_rng(9)
    truth = np.sort(0.5 * np.arange(8) + rng.uniform(0.0, 0.15, 8))
    truth[0] = 0.0
    signal = np.zeros(CLIP_SAMPLES)
    for begin in truth:
        if kind == "tone":
            signal += make_note(float(rng.uniform(40, 70)), float(begin), decay=4.0)
        else:
            since = TIME - begin
            hit = np.exp(-25.0 * np.maximum(since, 0.0)) * (since >= 0.0)
            signal += 0.3 * rng.standard_normal(CLIP_SAMPLES) * hit
    found = onset_times(signal)
    assert len(found) == len(truth)
    assert np.abs(found - truth).max() < 0.010


def test_a_held_tone_and_silence_have_one_onset_and_none() -> None:
    assert len(onset_times(make_note(50.0, decay=0.0))) == 1
    assert len(onset_times(np.zeros(CLIP_SAMPLES))) == 0


def test_onsets_near_places_are_told_finely() -> None:
    begins = (0.5, 1.0043, 1.4951)
    signal = np.sum([make_note(48.0 + 5 * i, begin, decay=6.0) for i, begin in enumerate(begins)], 0)
    found = onsets_near(signal, [0.5, 1.0, 1.5, 2.2], 0.045)
    assert np.diff(found[:3]) == pytest.approx(np.diff(begins), abs=0.002)
    assert np.isnan(found[3])
    assert np.isnan(onsets_near(np.zeros(CLIP_SAMPLES), [0.5], 0.045)).all()


def test_the_grid_is_the_finest_that_a_style_is_written_on() -> None:
    def step(style: str, tempo: float) -> float:
        return grid_seconds(PhraseConditions(48, style=style, tempo_bpm=tempo))

    assert step("percussion", 120.0) == 0.125
    assert step("bass", 120.0) == step("comping", 120.0) == step("arpeggio", 120.0) == 0.25
    assert step("arpeggio", 60.0) == 0.25
    assert step("pad", 60.0) == 1.0


def test_onsets_anywhere_are_a_quarter_step_off() -> None:
    errors = grid_errors(np.random.default_rng(10).uniform(0.0, 4.0, 5000), 0.25)
    assert np.median(errors) == pytest.approx(0.0625, abs=0.003)
    assert errors.max() <= 0.125


def test_phrase_figures_of_a_phrase_in_time_and_in_tune() -> None:
    asked = PhraseConditions(48, style="arpeggio", chord="minor", tempo_bpm=120.0)
    phrase = sum(make_note((48, 51, 55, 60)[i % 4], 0.25 * i, decay=6.0) for i in range(16))
    found = measure_phrases([phrase.astype(np.float32)], [asked])
    assert found.chroma_share is not None
    assert found.chroma_share > 0.9
    assert found.chroma_passes == 1.0
    assert found.changes_share is None
    own, sixteenths = found.own_grid, found.rhythmic
    assert (own.phrases, own.onsets) == (1, 16)
    assert own.error_ms is not None
    assert own.error_ms < 10.0
    assert own.on_grid == sixteenths.on_grid == found.phrases_on_grid == 1.0
    assert (own.chance_ms, sixteenths.chance_ms) == pytest.approx((62.5, 31.25))
    assert own.chance_on_grid == pytest.approx(0.24, abs=0.05)
    assert sixteenths.chance_on_grid == pytest.approx(0.48, abs=0.05)
    assert found.arpeggio_f is not None
    assert found.arpeggio_f > 0.9


def test_onsets_are_told_by_style() -> None:
    step = 0.125
    phrases = [np.zeros(88_200, np.float32) for _ in range(2)]
    for i in range(32):
        # Drums in time, a bass half a step off it.
        for phrase, late in zip(phrases, (0.0, 0.5), strict=True):
            at = round((i + late) * step * ANALYSIS_RATE)
            if i % 4 == 0:
                phrase[at : at + 2000] += (
                    np.random.default_rng(i).standard_normal(2000) * np.hanning(4000)[2000:]
                )
    found = measure_phrases(phrases, [PhraseConditions(36, style=s) for s in ("percussion", "bass")])
    assert list(found.styles) == ["bass", "percussion"]
    assert found.styles["percussion"].on_grid == 1.0
    assert found.styles["bass"].on_grid == 0.0
    assert found.rhythmic.onsets == sum(rhythm.onsets for rhythm in found.styles.values())


def test_each_bar_is_measured_by_its_own_chord() -> None:
    asked = PhraseConditions(style="pad", chords=((48, "major"), (50, "minor")))
    seconds = np.arange(44_100) / ANALYSIS_RATE
    bars = [
        sum(np.sin(2.0 * np.pi * 440.0 * 2.0 ** ((p - 69) / 12.0) * seconds) for p in notes) / 3.0
        for notes in ((48, 52, 55), (50, 53, 57))
    ]
    right = measure_phrases([np.concatenate(bars).astype(np.float32)], [asked])
    wrong = measure_phrases([np.concatenate(bars[::-1]).astype(np.float32)], [asked])
    assert right.changes_share is not None
    assert right.changes_share > 0.95
    assert right.chroma_share == pytest.approx(right.changes_share)
    assert wrong.changes_share is not None
    assert wrong.changes_share < 0.1


# Notes and seams


def arpeggio(order: Sequence[int], tempo_bpm: float, late: float = 0.0) -> np.ndarray:
    """Plucked notes at each eighth of eight beats, going round."""
    count = round(8 * 60.0 / tempo_bpm * ANALYSIS_RATE)
    clip = np.zeros(count)
    for i in range(16):
        at = (i / 16 * count + late * ANALYSIS_RATE) / ANALYSIS_RATE
        note = make_note(order[i % len(order)], 0.0, decay=5.0, partials=6)[: count // 2]
        clip += np.roll(np.pad(note, (0, count - len(note))), round(at * ANALYSIS_RATE))
    return clip.astype(np.float32)


def test_notes_of_an_arpeggio_are_told_apart() -> None:
    order = (45, 48, 52, 57)
    heard = transcribe(arpeggio(order, 100.0))
    assert len(heard) == 16
    for i, note in enumerate(heard):
        assert abs(note.pitch - order[i % 4]) <= 0.5
        assert abs(note.onset_seconds - 0.3 * i) < 0.03
    assert transcribe(np.zeros(30_000)) == []


def test_an_arpeggio_is_scored_by_chord_and_time() -> None:
    asked = PhraseConditions(45, style="arpeggio", chord="minor", tempo_bpm=100.0)
    right = score_arpeggio(transcribe(arpeggio((45, 48, 52, 57), 100.0)), asked)
    assert (right.precision, right.recall) == (1.0, 1.0)
    # One tone of four is outside the chord; then all are late.
    foreign = score_arpeggio(transcribe(arpeggio((45, 49, 52, 57), 100.0)), asked)
    assert foreign.f == pytest.approx(0.75, abs=0.01)
    late = score_arpeggio(transcribe(arpeggio((45, 48, 52, 57), 100.0, late=0.075)), asked)
    assert late.f < 0.2
    assert score_arpeggio([], asked).f == 0.0


def test_a_seam_that_clicks_is_told() -> None:
    loop = 0.5 * np.sin(2.0 * np.pi * np.arange(22_050) / 22_050 * 100)
    assert seam_db(loop) < -200.0
    assert seam_db(loop[:-55]) == pytest.approx(20.0 * np.log10(0.5), abs=0.5)


def test_the_beat_after_the_seam_is_told_from_the_others() -> None:
    count = 8 * 13_230  # at 100 beats per minute

    def beats(first_late: float) -> np.ndarray:
        """A note on each beat, all 12 ms late, the first ``first_late`` more."""
        clip = np.zeros(count)
        for beat in range(8):
            note = make_note(48 + beat, decay=8.0)[: count // 4]
            late = 0.012 + (first_late if beat == 0 else 0.0)
            clip += np.roll(np.pad(note, (0, count - len(note))), beat * 13_230 + round(late * ANALYSIS_RATE))
        return clip.astype(np.float32)

    together, late = beat_errors(beats(0.0), 8), beat_errors(beats(0.010), 8)
    assert (len(together.after_seam), len(together.others)) == (1, 7)
    assert np.abs(np.concatenate(together)).max() < 0.001
    assert late.after_seam[0] == pytest.approx(0.010, abs=0.001)
    assert np.abs(late.others).max() < 0.001
    silent = beat_errors(np.zeros(44_100), 8)
    assert (len(silent.after_seam), len(silent.others)) == (0, 0)


def test_phrase_figures_of_silence_and_of_drums() -> None:
    silence = np.zeros(CLIP_SAMPLES, np.float32)
    found = measure_phrases([silence], [PhraseConditions(48, style="percussion")])
    assert found.chord_count == 0
    assert found.chroma_share is None
    assert found.rhythmic.error_ms is None
    assert found.rhythmic.on_grid is None
    assert found.seam_db == -120.0
    assert found.seam_beat_ms is None
