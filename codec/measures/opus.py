"""Opus at low rates as a baseline, through the ``ffmpeg`` program where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from numpy.typing import NDArray

#: Rates asked for; what is spent is measured. The first is the lowest that libopus accepts.
OPUS_BITS_PER_SECOND: Final = (6000, 9000, 12_000)


@dataclass(frozen=True)
class OpusCopy:
    """A signal that went through Opus. ``payload_bits`` counts the packets, without the Ogg container."""

    decoded: NDArray[np.float32]
    payload_bits: int


@cache
def find_opus_fault() -> str | None:
    """Why there is no Opus on this machine, in a few words; None where there is."""
    if shutil.which("ffmpeg") is None:
        return "ffmpeg is not installed"
    listing = _run("ffmpeg", "-hide_banner", "-encoders")
    if " libopus " not in listing:
        return "this ffmpeg was built without libopus"
    return None


def pass_through_opus(signal: NDArray[np.float32], rate: int, bits_per_second: int) -> OpusCopy:
    """Encode mono ``signal [N]``, ``rate`` samples a second, with libopus and decode it again.

    The copy is ``[N]`` too and in time with the signal: ffmpeg writes the encoder's delay into the file
    (RFC 7845, pre-skip) and drops it on decoding.

    Args:
        bits_per_second: asked for, one of ``OPUS_BITS_PER_SECOND``.

    Raises:
        RuntimeError: ffmpeg failed; ask :func:`find_opus_fault` first.
    """
    if signal.size == 0:
        return OpusCopy(np.zeros(0, dtype=np.float32), 0)
    with tempfile.TemporaryDirectory(prefix="struck-opus-") as name:
        folder = Path(name)
        original, coded, packets, copy = (
            str(folder / file) for file in ("original.wav", "coded.opus", "packets.bin", "copy.wav")
        )
        # 16 bits would clip what swings over full scale.
        soundfile.write(original, signal, rate, subtype="FLOAT")
        quiet = ("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y")
        _run(*quiet, "-i", original, "-c:a", "libopus", "-b:a", str(bits_per_second), "-ac", "1", coded)
        _run(*quiet, "-i", coded, "-map", "0:a", "-c", "copy", "-f", "data", packets)
        _run(*quiet, "-i", coded, "-ar", str(rate), "-c:a", "pcm_f32le", copy)
        decoded, _ = soundfile.read(copy, dtype="float32")
        payload_bits = 8 * Path(packets).stat().st_size
    decoded = np.pad(decoded[: signal.size], (0, max(0, signal.size - decoded.size)))
    return OpusCopy(np.asarray(decoded, dtype=np.float32), payload_bits)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.returncode}")
    return done.stdout
