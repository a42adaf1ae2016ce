"""How far one set of sounds is from another: the distances published for NSynth.

A *row* is a set of sounds from one source (a model, a baseline, recordings); it is compared with real notes
of the training data, the *reference*. Axes: N sounds, D embedding, K classes or bins.

- inception scores PIS and IIS: Salimans et al. 2016 (arXiv 1606.03498, sec. 4) with a classifier of pitch or
  of instruments in the place of Inception, as Engel et al. 2019 (GANSynth, arXiv 1902.08710, sec. 4.1) and
  Nistal et al. 2020 (arXiv 2006.09266; DrumGAN, arXiv 2008.12073, sec. 4.2) have them;
- kernel distances PKID and IKID: Bińkowski et al. 2018 (arXiv 1801.01401, sec. 4), as Nistal et al.;
- NDB/k: Richardson and Weiss 2018 (arXiv 1805.12462, sec. 2), as GANSynth;
- Fréchet distance: Heusel et al. 2017 (arXiv 1706.08500, eq. 6), as GANSynth;
- MSE and MAE of log-magnitudes, as MARS (arXiv 2509.26007).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import scipy.cluster.vq
import scipy.linalg
import scipy.stats
from numpy.typing import ArrayLike, NDArray

#: Errors of reconstruction are in units of this many dB: the range of a log-magnitude that is drawn.
LEVEL_UNIT_DB: Final = 80.0
#: GANSynth's number of bins, and the significance at which Richardson and Weiss call one different.
BIN_COUNT: Final = 50
SIGNIFICANCE: Final = 0.05

FloatArray = NDArray[np.float64]


def inception_score(probabilities: ArrayLike) -> float:
    """``exp(E_x KL(p(y|x) || p(y)))`` of class probabilities ``[N, K]``: 1 to K, more is better.

    High where each sound is of one class for sure and all classes occur. The authors average over ten splits;
    with a few hundred sounds a split would hold fewer than there are classes, so here all are one.

    Raises:
        ValueError: rows are not probabilities.
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or not len(p) or np.any(p < 0.0) or not np.allclose(p.sum(1), 1.0, atol=1e-4):
        raise ValueError(f"expected probabilities [N >= 1, K] that sum to 1, not an array {p.shape}")
    marginal = p.mean(0)
    ratio = np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(marginal, 1e-30))
    return float(np.exp((p * ratio).sum(1).mean()))


@dataclass(frozen=True)
class KernelDistance:
    """Mean and standard deviation over random blocks."""

    mean: float
    deviation: float


def kernel_distance(
    embeddings: ArrayLike, reference: ArrayLike, *, block: int = 100, blocks: int = 50, seed: int = 0
) -> KernelDistance:
    """Kernel inception distance of ``[N, D]`` from ``[M, D]``: unbiased squared MMD, less is better.

    The kernel is ``(x . y / D + 1)^3``. As published it is averaged over ``blocks`` random subsets of
    ``block`` of each (fewer where there are not as many); unbiased means that the distance of equals is 0 on
    average and may be negative.

    Raises:
        ValueError: fewer than two of either, or shapes that do not fit.
    """
    ours, theirs = _embeddings(embeddings, reference)
    size = min(block, len(ours), len(theirs))
    rng = np.random.default_rng(seed)
    values = [
        _squared_mmd(
            ours[rng.choice(len(ours), size, replace=False)],
            theirs[rng.choice(len(theirs), size, replace=False)],
        )
        for _ in range(blocks)
    ]
    return KernelDistance(float(np.mean(values)), float(np.std(values)))


def frechet_distance(embeddings: ArrayLike, reference: ArrayLike) -> float:
    """``|m1 - m2|^2 + Tr(C1 + C2 - 2 (C1 C2)^(1/2))`` of ``[N, D]`` and ``[M, D]``, less is better.

    With fewer sounds than twice D the covariances are rough and the distance comes out too large: compare
    rows of equal N only.

    Raises:
        ValueError: fewer than two of either, or shapes that do not fit.
    """
    ours, theirs = _embeddings(embeddings, reference)
    first, second = np.cov(ours, rowvar=False), np.cov(theirs, rowvar=False)
    # Tr (C1 C2)^(1/2) through the symmetric C1^(1/2) C2 C1^(1/2), whose roots are real also where C1 is
    # singular.
    values, vectors = scipy.linalg.eigh(np.atleast_2d(first))
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    middle = scipy.linalg.eigvalsh(root @ np.atleast_2d(second) @ root)
    trace = np.trace(np.atleast_2d(first)) + np.trace(np.atleast_2d(second))
    apart = ours.mean(0) - theirs.mean(0)
    return float(max(apart @ apart + trace - 2.0 * np.sqrt(np.maximum(middle, 0.0)).sum(), 0.0))


class Bins:
    """Bins of training sounds, against which a row's histogram is tested (NDB, Richardson and Weiss 2018).

    Args:
        training: spectrogram features ``[M, D]``; k-means finds ``count`` centres among them, in
            the space of their first principal components.

    Raises:
        ValueError: there are fewer training sounds than bins.
    """

    def __init__(self, training: ArrayLike, count: int = BIN_COUNT, seed: int = 0) -> None:
        points = np.asarray(training, np.float32)
        if points.ndim != 2 or len(points) < count or count < 2:
            raise ValueError(f"{count} bins need as many training sounds [M, D], not {points.shape}")
        self._mean = points.mean(0)
        # Distances among sounds lie in few directions; all others would only cost time.
        _, _, self._axes = scipy.linalg.svd(
            _some(points, 2000, seed) - self._mean, full_matrices=False, overwrite_a=True
        )
        self._axes = self._axes[:64]
        self._centres, labels = scipy.cluster.vq.kmeans2(
            self._place(points), count, iter=30, minit="++", rng=np.random.default_rng(seed)
        )
        self._occupied = np.bincount(labels, minlength=count)
        self._total = len(points)

    def share_different(self, features: ArrayLike) -> float:
        """NDB/k of features ``[N, D]``: the share of bins in which a row is significantly more or less often.

        A two-proportion z-test at ``SIGNIFICANCE`` per bin: of equals one bin in twenty differs.
        """
        points = np.asarray(features, np.float32)
        labels, _ = scipy.cluster.vq.vq(self._place(points), self._centres)
        found = np.bincount(labels, minlength=len(self._centres))
        return float(np.mean(two_proportions_differ(found, len(points), self._occupied, self._total)))

    def _place(self, points: NDArray[np.float32]) -> FloatArray:
        return np.asarray((points - self._mean) @ self._axes.T, np.float64)


def two_proportions_differ(
    first: ArrayLike, first_total: int, second: ArrayLike, second_total: int
) -> NDArray[np.bool_]:
    """Whether counts ``[K]`` of two totals have different shares: pooled z-test at ``SIGNIFICANCE``."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    pooled = (a + b) / (first_total + second_total)
    error = np.sqrt(pooled * (1.0 - pooled) * (1.0 / first_total + 1.0 / second_total))
    z = np.abs(a / first_total - b / second_total) / np.maximum(error, 1e-12)
    return np.asarray(2.0 * scipy.stats.norm.sf(z) < SIGNIFICANCE)


@dataclass(frozen=True)
class LevelError:
    """Errors of log-magnitudes in units of ``LEVEL_UNIT_DB``: an MSE of 0.01 is 8 dB RMS."""

    mse: float
    mae: float


def level_error(found_db: ArrayLike, wanted_db: ArrayLike) -> LevelError:
    """Mean squared and mean absolute error of log-magnitudes of one shape in dB, over ``LEVEL_UNIT_DB``.

    Raises:
        ValueError: shapes differ.
    """
    found, wanted = np.asarray(found_db, np.float64), np.asarray(wanted_db, np.float64)
    if found.shape != wanted.shape:
        raise ValueError(f"log-magnitudes have shapes {found.shape} and {wanted.shape}")
    apart = (found - wanted) / LEVEL_UNIT_DB
    return LevelError(float(np.square(apart).mean()), float(np.abs(apart).mean()))


def _embeddings(embeddings: ArrayLike, reference: ArrayLike) -> tuple[FloatArray, FloatArray]:
    ours, theirs = np.asarray(embeddings, np.float64), np.asarray(reference, np.float64)
    if ours.ndim != 2 or theirs.ndim != 2 or ours.shape[1] != theirs.shape[1]:
        raise ValueError(f"expected embeddings [N, D] and [M, D], not {ours.shape} and {theirs.shape}")
    if min(len(ours), len(theirs)) < 2:
        raise ValueError(f"a distance needs two sounds of each at least, not {len(ours)} and {len(theirs)}")
    return ours, theirs


def _squared_mmd(ours: FloatArray, theirs: FloatArray) -> float:
    n, m = len(ours), len(theirs)
    first, second, across = _kernel(ours, ours), _kernel(theirs, theirs), _kernel(ours, theirs)
    within = (first.sum() - np.trace(first)) / (n * (n - 1)) + (second.sum() - np.trace(second)) / (
        m * (m - 1)
    )
    return float(within - 2.0 * across.mean())


def _kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    kernel: FloatArray = (x @ y.T / x.shape[1] + 1.0) ** 3
    return kernel


def _some(points: NDArray[np.float32], count: int, seed: int) -> NDArray[np.float32]:
    if len(points) <= count:
        return points.copy()
    return points[np.random.default_rng(seed).choice(len(points), count, replace=False)]
