"""Sound from magnitudes by Griffin and Lim's iteration: what heap integration is measured against.

Each round makes sound of the spectrum, takes the sound's spectrum and gives it the wanted magnitudes again.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .spectrum import MARS_FRAMES, Complex64Array, Float32Array, MarsFrames


def griffin_lim(
    magnitude: ArrayLike,
    frames: MarsFrames = MARS_FRAMES,
    *,
    iterations: int = 30,
    momentum: float = 0.0,
    seed: int = 0,
    start: Complex64Array | None = None,
) -> Float32Array:
    """Samples ``[T * hop]`` whose spectrum's magnitude comes near to ``magnitude [F, T]``.

    Args:
        magnitude: >= 0; 1 is a full-scale sine.
        frames: how frames are cut.
        iterations: rounds, >= 0.
        momentum: 0 is Griffin and Lim 1984; 0.99 is the fast variant of Perraudin, Balazs and Søndergaard
            2013 ("A fast Griffin-Lim algorithm").
        seed: of the random phases it starts from.
        start: spectrum ``[F, T]`` to take the first phases from instead.

    Raises:
        ValueError: a shape is wrong, or the magnitudes are negative or not finite.
    """
    wanted = check_magnitude(magnitude, frames)
    if iterations < 0:
        raise ValueError(f"iterations is {iterations}; it must be at least 0")
    if start is None:
        turns = np.random.default_rng(seed).random(wanted.shape, np.float32)
        spectrum: Complex64Array = wanted * np.exp(np.complex64(2j * np.pi) * turns)
    else:
        frames.check_shape(start)
        spectrum = with_magnitude(np.ascontiguousarray(start.T, np.complex64), wanted)
    return frames.synthesise(repeat_rounds(spectrum, wanted, frames, iterations, momentum))


def repeat_rounds(
    spectrum: Complex64Array, magnitude: Float32Array, frames: MarsFrames, count: int, momentum: float = 0.0
) -> Complex64Array:
    """``spectrum [T, F]`` after ``count`` rounds; see :func:`griffin_lim`."""
    before = spectrum
    for _ in range(count):
        consistent = frames.analyse(frames.synthesise(spectrum))
        ahead = consistent + np.float32(momentum) * (consistent - before) if momentum else consistent
        spectrum = with_magnitude(ahead, magnitude)
        before = consistent
    return spectrum


def with_magnitude(spectrum: Complex64Array, magnitude: Float32Array) -> Complex64Array:
    """The phases of ``spectrum`` with other magnitudes; arrays of one shape. Zero has phase 0."""
    own = np.abs(spectrum)
    silent = own == 0.0
    own[silent] = 1.0
    turned: Complex64Array = spectrum * (magnitude / own)
    turned[silent] = magnitude[silent]
    return turned


def check_magnitude(magnitude: ArrayLike, frames: MarsFrames) -> Float32Array:
    """``magnitude [F, T]`` as contiguous float32 ``[T, F]``.

    Raises:
        ValueError: the shape is wrong, or a magnitude is negative or not finite.
    """
    values = np.asarray(magnitude, np.float32)
    frames.check_shape(values)
    turned = np.ascontiguousarray(values.T)
    # One pass finds all three: a NaN is its row's minimum and maximum.
    low, high = float(turned.min()), float(turned.max())
    if not (low >= 0.0 and high < np.inf):
        raise ValueError(f"magnitudes must be finite and >= 0; found {low} to {high}")
    return turned
