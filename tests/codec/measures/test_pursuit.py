"""Gabor pursuit: planted atoms come back, energy falls, the atoms are all there is to the decoded sound."""

import numpy as np
import pytest

from struck.codec.measures import pursuit
from struck.codec.measures.pursuit import GaborAtom, count_equal_atoms, pursue, render_atoms


def make_mixture(length: int = 20_000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(length)
    tone = np.exp(-time / 6000.0) * np.sin(0.31 * time)
    return (tone + 0.02 * rng.standard_normal(length)).astype(np.float32)


@pytest.mark.parametrize("scale", pursuit.SCALES_SAMPLES)
@pytest.mark.parametrize("frequency", [0.0213, 0.1, 0.333])
def test_a_planted_atom_is_recovered(scale: int, frequency: float) -> None:
    planted = GaborAtom(10_007, scale, frequency, 0.7, -1.2)
    signal = render_atoms([planted], 20_000)
    [found] = pursue(signal, 1).atoms
    assert found.scale_samples == scale
    assert abs(found.centre_sample - planted.centre_sample) <= scale // 64
    assert found.frequency_cycles == pytest.approx(frequency, abs=0.05 / scale)
    assert found.amplitude == pytest.approx(0.7, rel=0.02)
    left = signal - render_atoms([found], signal.size)
    assert np.dot(left, left) < 0.01 * np.dot(signal, signal)


@pytest.mark.parametrize("frequency", [0.0, 0.5])
def test_atoms_without_a_sine_part(frequency: float) -> None:
    planted = GaborAtom(4096, 1024, frequency, 0.5, 0.0)
    result = pursue(render_atoms([planted], 8192), 1)
    assert result.atoms[0].frequency_cycles == pytest.approx(frequency, abs=1e-4)
    assert result.residual_energy[1] < 1e-3 * result.residual_energy[0]


def test_energy_never_rises_and_the_book_is_right() -> None:
    signal = make_mixture()
    result = pursue(signal, 150)
    assert len(result.atoms) == 150
    assert (np.diff(result.residual_energy) < 0.0).all()
    assert result.residual_energy[0] == pytest.approx(np.dot(signal, signal), rel=1e-5)
    left = signal - result.decoded
    # Parts of atoms outside the signal count in the book only.
    assert np.dot(left, left) <= result.residual_energy[-1] * (1 + 1e-5)
    assert np.dot(left, left) > 0.9 * result.residual_energy[-1]
    np.testing.assert_array_equal(result.decoded, render_atoms(result.atoms, signal.size))


def test_a_shorter_pursuit_is_the_beginning_of_a_longer_one() -> None:
    signal = make_mixture()
    assert pursue(signal, 5).atoms == pursue(signal, 12).atoms[:5]


def test_frames_are_refreshed_where_an_atom_was_taken() -> None:
    """A stale frame would show: after each atom the table must equal one made from scratch."""
    signal = make_mixture(6000)
    margin = pursuit.SCALES_SAMPLES[-1]
    first = pursue(signal, 1)
    left = np.pad(signal.astype(np.float64) - render_atoms(first.atoms, signal.size), margin)
    level = pursuit._Scale(1024, left, margin, signal.size)
    expected = level.best_energy
    residual = np.pad(signal.astype(np.float64), margin)
    level = pursuit._Scale(1024, residual, margin, signal.size)
    residual[:] = left
    atom = first.atoms[0]
    centre, half = atom.centre_sample + margin, atom.scale_samples // 2
    level.refresh(centre - half, centre + half)
    assert level.best_energy == pytest.approx(expected, rel=1e-5)


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    signal = make_mixture(8000)
    whole = pursue(signal, 10).atoms
    monkeypatch.setattr(pursuit, "_BATCH_SAMPLES", 1)
    assert [a.scale_samples for a in pursue(signal, 10).atoms] == [a.scale_samples for a in whole]


@pytest.mark.parametrize("length", [0, 1, 50, 1000])
def test_silence_and_short_signals(length: int) -> None:
    silent = pursue(np.zeros(length), 5)
    assert silent.atoms == []
    assert silent.decoded.shape == (length,)
    short = pursue(np.ones(length), 3)
    assert short.decoded.shape == (length,)
    assert (np.diff(short.residual_energy) <= 0.0).all()


def test_progress_counts_up() -> None:
    seen: list[tuple[int, int]] = []
    pursue(make_mixture(2000), 3, lambda *numbers: seen.append(numbers))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_equal_atoms() -> None:
    assert count_equal_atoms(32, 33) == 211
    assert count_equal_atoms(0, 33) == 0


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), [np.nan]])
def test_bad_signals_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"mono samples|finite"):
        pursue(bad, 1)


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(ValueError, match="atom_count is -1"):
        pursue(np.zeros(10), -1)
