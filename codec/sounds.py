"""Whole sound files, read and written in one call."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .events.events import FloatArray
from .files.audio_files import AudioWriter, open_audio
from .files.samples import as_samples


def read_audio(path: str | Path, rate: int | None = None) -> tuple[FloatArray, int]:
    """All of a sound file that fits in memory; :func:`struck.codec.open_audio` reads block by block.

    Args:
        path: any file that libsndfile reads: WAV, FLAC, Ogg, MP3, AIFF and more.
        rate: wanted rate in Hz; None keeps the file's own.

    Returns:
        Mono float32 ``[N]``, channels averaged, full scale at 1; and its rate in Hz.

    Raises:
        ValueError: the rate is out of range.
        StruckError: the file is missing or is no sound file.
    """
    with open_audio(path, rate) as reader:
        blocks = list(reader.blocks(1 << 16))
    return np.concatenate([np.zeros(0, np.float32), *blocks]), reader.rate


def write_audio(path: str | Path, samples: FloatArray, rate: int, subtype: str | None = None) -> None:
    """Write a sound file, whole or not at all: an older one is replaced when the new one is complete.

    Args:
        path: its extension (.wav, .flac, .ogg) chooses the format.
        samples: ``[N]`` or ``[N, C]``, int16, int32 or floats with full scale at 1; what is beyond is
            clipped, but for FLOAT and DOUBLE.
        rate: in Hz.
        subtype: sample format as libsndfile names it (``PCM_16``, ``FLOAT`` ...); None takes 24 bits for
            .wav and .flac, Vorbis for .ogg.

    Raises:
        TypeError: whole numbers of another size.
        ValueError: the shape is neither, or a sample is not finite.
        StruckError: the file cannot be written.
    """
    samples = as_samples(samples)
    channels = samples.shape[1] if samples.ndim == 2 else 1
    with AudioWriter(path, rate, channels, subtype) as writer:
        writer.write(samples)
