"""Uniformly partitioned overlap-save convolution for the rooms, compiled, with its own real FFT.

One room, partition of B samples, impulse response h with h[:B] = 0 (Gardner 1995, "Efficient convolution
without
input-output delay"; here the delay of one partition is taken out of the response instead)::

    input block n          |n0 ........ n0+B|                     spectrum X[n] of the last 2B samples
    output of block n                       |n0+B ....... n0+2B|  = last B samples of IFFT(sum_p X[n-p] H[p])

with H[p] the spectrum of ``h[B + pB : 2B + pB]``. All partitions but the first need only older spectra: they
are accumulated in equal slices, one per ``GRID`` samples, so that no single audio block carries the whole
sum. Rooms step on staggered grids for the same reason. A room whose input has been zero for the length of
its response has a state of zeros; it is skipped.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .kernel_options import BORROWING, LINKED, NOUGHT, ONE
from .room import partition_samples, room_impulse_responses

#: Samples between two control points of the stream: noise gains and rooms step on this grid.
GRID = 64

# columns of RoomState.place
SPECTRUM, PARTITIONS, HEAD, DONE, QUIET, FILLED = range(6)


class RoomState(NamedTuple):
    """All rooms' arrays; R rooms, B partition samples, P partitions of all rooms together."""

    twiddles: np.ndarray  # float32 [2, 2B] re, im of exp(-i pi k / B)
    response: np.ndarray  # float32 [P, 2, B + 1] spectra of the responses' partitions
    history: np.ndarray  # float32 [P, 2, B + 1] spectra of past inputs, a ring per room
    sums: np.ndarray  # float32 [R, 2, B + 1] accumulated output spectrum
    inputs: np.ndarray  # float32 [R, 2B] last 2B input samples
    outputs: np.ndarray  # float32 [R, B] wet sound being played
    work: np.ndarray  # float32 [4, B + 1] transform workspace
    place: (
        np.ndarray
    )  # int64 [R, 6] first partition, partition count, ring head, partitions done, quiet blocks, filled


def make_room_state(rate: int) -> RoomState:
    """Arrays for the rooms at ``rate`` Hz, silent."""
    size = partition_samples(rate)
    spectra: list[np.ndarray] = []
    place: list[list[int]] = []
    total = 0
    for response in room_impulse_responses(rate):
        count = -(-(len(response) - size) // size)
        blocks = np.zeros((count, 2 * size))
        padded = np.zeros(count * size)
        padded[: len(response) - size] = response[size:]
        blocks[:, :size] = padded.reshape(count, size)
        spectrum = np.fft.rfft(blocks)
        place.append([total, count, 0, 1, count + 2, 0])
        total += count
        spectra.append(np.stack([spectrum.real, spectrum.imag], 1).astype(np.float32))
    stacked = np.ascontiguousarray(np.concatenate(spectra))
    angles = np.pi * np.arange(2 * size) / size
    return RoomState(
        twiddles=np.stack([np.cos(angles), -np.sin(angles)]).astype(np.float32),
        response=stacked,
        history=np.zeros_like(stacked),
        sums=np.zeros((len(place), 2, size + 1), dtype=np.float32),
        inputs=np.zeros((len(place), 2 * size), dtype=np.float32),
        outputs=np.zeros((len(place), size), dtype=np.float32),
        work=np.zeros((4, size + 1), dtype=np.float32),
        place=np.asarray(place, dtype=np.int64),
    )


@njit(**BORROWING)
def silence_rooms(rooms):
    """Forget all sound, as if just made; the stream position stays."""
    rooms.history[:] = np.float32(0.0)
    rooms.sums[:] = np.float32(0.0)
    rooms.inputs[:] = np.float32(0.0)
    rooms.outputs[:] = np.float32(0.0)
    for r in range(len(rooms.place)):
        rooms.place[r, HEAD] = 0
        rooms.place[r, DONE] = 1
        rooms.place[r, QUIET] = rooms.place[r, PARTITIONS] + 2
        rooms.place[r, FILLED] = 0


@njit(**LINKED, fastmath={"contract"})
def complex_fft(re, im, re2, im2, cosines, sines, size, direction):
    """Transform ``re + i im [size]`` in place by the Stockham radix-2 scheme; the inverse is not scaled.

    ``cosines - ... sines`` hold exp(-i pi k / size) at k = 0 .. 2 size - 1; ``direction`` is 1 or -1.
    """
    half = size // 2
    stride = 1
    a_re, a_im, b_re, b_im = re, im, re2, im2
    swapped = False
    while half >= 1:
        for j in range(half):
            w_re = cosines[2 * j * stride]
            w_im = direction * sines[2 * j * stride]
            first = j * stride
            second = (j + half) * stride
            target = 2 * j * stride
            for q in range(stride):
                x_re = a_re[first + q]
                x_im = a_im[first + q]
                y_re = a_re[second + q]
                y_im = a_im[second + q]
                b_re[target + q] = x_re + y_re
                b_im[target + q] = x_im + y_im
                d_re = x_re - y_re
                d_im = x_im - y_im
                b_re[target + stride + q] = d_re * w_re - d_im * w_im
                b_im[target + stride + q] = d_re * w_im + d_im * w_re
        a_re, b_re = b_re, a_re
        a_im, b_im = b_im, a_im
        swapped = not swapped
        half //= 2
        stride *= 2
    if swapped:
        for q in range(size):
            re[q] = re2[q]
            im[q] = im2[q]


@njit(**LINKED, fastmath={"contract"})
def real_fft(signal, out, work, twiddles):
    """Spectrum ``out [2, B + 1]`` of ``signal [2B]``: even and odd samples as one complex transform."""
    size = len(signal) // 2
    re, im = work[0], work[1]
    for k in range(size):
        re[k] = signal[2 * k]
        im[k] = signal[2 * k + 1]
    complex_fft(re, im, work[2], work[3], twiddles[0], twiddles[1], size, np.float32(1.0))
    half = np.float32(0.5)
    re[size] = re[0]
    im[size] = im[0]
    for k in range(size + 1):
        even_re = half * (re[k] + re[size - k])
        even_im = half * (im[k] - im[size - k])
        odd_re = half * (im[k] + im[size - k])
        odd_im = half * (re[size - k] - re[k])
        w_re = twiddles[0, k]
        w_im = twiddles[1, k]
        out[0, k] = even_re + odd_re * w_re - odd_im * w_im
        out[1, k] = even_im + odd_re * w_im + odd_im * w_re


@njit(**LINKED, fastmath={"contract"})
def inverse_real_fft_second_half(spectrum, out, work, twiddles):
    """Samples B to 2B of the inverse transform of ``spectrum [2, B + 1]``, to ``out [B]``."""
    size = len(out)
    re, im = work[0], work[1]
    for k in range(size):
        even_re = spectrum[0, k] + spectrum[0, size - k]
        even_im = spectrum[1, k] - spectrum[1, size - k]
        d_re = spectrum[0, k] - spectrum[0, size - k]
        d_im = spectrum[1, k] + spectrum[1, size - k]
        w_re = twiddles[0, k]
        w_im = -twiddles[1, k]
        odd_re = d_re * w_re - d_im * w_im
        odd_im = d_re * w_im + d_im * w_re
        re[k] = even_re - odd_im
        im[k] = even_im + odd_re
    complex_fft(re, im, work[2], work[3], twiddles[0], twiddles[1], size, np.float32(-1.0))
    scale = np.float32(0.5) / np.float32(size)
    for k in range(size // 2):
        out[2 * k] = scale * re[size // 2 + k]
        out[2 * k + 1] = scale * im[size // 2 + k]


@njit(**LINKED, fastmath={"contract"})
def _accumulate(sums, response, history, first, count, head, start, stop):
    """Add partitions ``start`` to ``stop`` of the product for the input block at ring place ``head``."""
    s_re, s_im = sums[0], sums[1]
    for p in range(start, stop):
        h_re, h_im = response[first + p, 0], response[first + p, 1]
        place = head - p
        if place < 0:
            place += count
        x_re, x_im = history[first + place, 0], history[first + place, 1]
        for k in range(len(s_re)):
            s_re[k] += x_re[k] * h_re[k] - x_im[k] * h_im[k]
            s_im[k] += x_re[k] * h_im[k] + x_im[k] * h_re[k]


@njit(**LINKED)
def step_rooms(rooms, position):
    """Advance all rooms after ``GRID`` more samples; ``position`` in samples is a multiple of GRID."""
    size = rooms.outputs.shape[1]
    slices = size // GRID
    for r in range(len(rooms.place)):
        place = rooms.place[r]
        count = place[PARTITIONS]
        at = (position // GRID - r) % slices  # sub-block just finished: 1 .. slices - 1, or 0 for the last
        if place[QUIET] > count + 1 and place[FILLED] == 0:
            continue
        if at > 0:
            stop = max(place[DONE], 1 + (count - 1) * at // slices)
            head = place[HEAD]
            _accumulate(
                rooms.sums[r], rooms.response, rooms.history, place[SPECTRUM], count, head, place[DONE], stop
            )
            place[DONE] = stop
            continue
        head = place[HEAD]
        real_fft(rooms.inputs[r], rooms.history[place[SPECTRUM] + head], rooms.work, rooms.twiddles)
        _accumulate(
            rooms.sums[r], rooms.response, rooms.history, place[SPECTRUM], count, head, place[DONE], count
        )
        _accumulate(rooms.sums[r], rooms.response, rooms.history, place[SPECTRUM], count, head, NOUGHT, ONE)
        inverse_real_fft_second_half(rooms.sums[r], rooms.outputs[r], rooms.work, rooms.twiddles)
        rooms.sums[r, :, :] = np.float32(0.0)
        for n in range(size):  # an assignment of slices would compile its messages of faulty shapes too
            rooms.inputs[r, n] = rooms.inputs[r, size + n]
            rooms.inputs[r, size + n] = np.float32(0.0)
        place[HEAD] = head + 1 if head + 1 < count else 0
        place[DONE] = 1
        place[QUIET] = 0 if place[FILLED] else place[QUIET] + 1
        place[FILLED] = 0
        if place[QUIET] > count + 1:
            rooms.outputs[r, :] = np.float32(0.0)


@njit(**LINKED)
def exchange_room(rooms, r, position, source, out, frames):
    """Feed ``source [frames]`` to room ``r``, add its wet sound to ``out``; both inside one grid cell."""
    size = rooms.outputs.shape[1]
    place = rooms.place[r]
    start = (position - r * GRID) % size
    loud = False
    for n in range(frames):
        loud |= source[n] != np.float32(0.0)
    if loud:
        if place[FILLED] == 0 and place[QUIET] > place[PARTITIONS] + 1:
            place[DONE] = place[PARTITIONS]  # it wakes: all older spectra are zero, nothing to accumulate
        place[FILLED] = 1
        for n in range(frames):
            rooms.inputs[r, size + start + n] = source[n]
    if place[QUIET] <= place[PARTITIONS] + 1:
        for n in range(frames):
            out[n] += rooms.outputs[r, start + n]
