"""Trained weights of the codec: one safetensors file, split into decoder and encoder, named by hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ..events.controls import TIMBRE_SHAPES
from ..events.errors import StruckError
from ..files.part_files import part_file

_DECODER_PREFIX = "decoder."
_ENCODER_PREFIX = "encoder."
_SHORT_ENCODER_PREFIX = "short_encoder."
#: Windows of so many samples, and shorter ones, are read by the network that learned from refitted events.
SHORT_WINDOW: Final = 512


def default_codec_weights_path() -> Path:
    """The weights shipped with struck."""
    return Path(__file__).parent / "codec.safetensors"


@dataclass(frozen=True)
class CodecWeights:
    """What both directions need.

    ``decoder`` turns vectors to sound and alone decides what a take sounds like: ``decoder_hash`` names it
    in every take. ``encoder`` may be retrained without touching old takes. ``short_encoder`` learned
    from refitted events as well: it reads the shortest windows, which know little but the attack, and
    what is fitted together afterwards; empty where ``encoder`` serves them as well.
    """

    name: str
    decoder: dict[str, np.ndarray]
    encoder: dict[str, np.ndarray]
    short_encoder: dict[str, np.ndarray] = field(default_factory=dict)

    def event_network(self, n_fft: int, together: bool = False) -> dict[str, np.ndarray]:
        """The event network for windows of ``n_fft`` samples.

        Args:
            together: whether what it reads is fitted together with all else that sounds before it is told.
        """
        refitted = together or n_fft <= SHORT_WINDOW
        return self.short_encoder if self.short_encoder and refitted else self.encoder

    @property
    def decoder_hash(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 over names and bytes of the decoder's arrays."""
        digest = hashlib.sha256()
        for name in sorted(self.decoder):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.decoder[name], dtype="<f4").tobytes())
        return digest.hexdigest()[:16]


def load_codec_weights(path: str | Path) -> CodecWeights:
    """Read a codec's weights.

    Raises:
        StruckError: the file is missing, is not safetensors, or lacks an array of the right shape.
    """
    path = Path(path)
    if not path.is_file():
        raise StruckError(f"codec weights not found: {path}")
    decoder: dict[str, np.ndarray] = {}
    encoder: dict[str, np.ndarray] = {}
    short_encoder: dict[str, np.ndarray] = {}
    parts = {_DECODER_PREFIX: decoder, _ENCODER_PREFIX: encoder, _SHORT_ENCODER_PREFIX: short_encoder}
    try:
        with safe_open(path, framework="numpy") as file:
            for key in file.keys():  # noqa: SIM118 (not a mapping)
                for prefix, part in parts.items():
                    if key.startswith(prefix):
                        part[key.removeprefix(prefix)] = file.get_tensor(key).astype(np.float32)
    except (SafetensorError, OSError) as error:
        raise StruckError(f"{path} is not a readable safetensors file: {error}") from error
    for name, shape in TIMBRE_SHAPES.items():
        if name not in decoder or decoder[name].shape != shape:
            raise StruckError(f"{path} lacks decoder weight {name} of shape {shape}")
        if not np.all(np.isfinite(decoder[name])):
            raise StruckError(f"{path}: decoder weight {name} is not finite")
    return CodecWeights(path.stem, decoder, encoder, short_encoder)


@lru_cache(maxsize=1)
def shipped_codec_weights() -> CodecWeights:
    """The weights shipped with struck, read once; for what is not handed others."""
    return load_codec_weights(default_codec_weights_path())


def save_codec_weights(
    path: str | Path,
    decoder: dict[str, np.ndarray],
    encoder: dict[str, np.ndarray],
    short_encoder: dict[str, np.ndarray] | None = None,
) -> None:
    """Write weights beside ``path``, then rename, so that a good file is never half overwritten.

    Raises:
        StruckError: the file cannot be written.
    """
    parts = {_DECODER_PREFIX: decoder, _ENCODER_PREFIX: encoder, _SHORT_ENCODER_PREFIX: short_encoder or {}}
    arrays = {
        prefix + name: np.ascontiguousarray(array, np.float32)
        for prefix, part in parts.items()
        for name, array in part.items()
    }
    with part_file(path) as beside:
        save_file(arrays, beside)
