"""Networks and their training (torch). Nothing here runs on the audio thread."""

from pathlib import Path


def default_codec_weights_path() -> Path:
    """The codec's weights shipped with struck."""
    return Path(__file__).parent / "weights" / "codec.safetensors"


def default_mars_weights_path() -> Path:
    """MARS' weights shipped with struck."""
    return Path(__file__).parent / "weights" / "mars.safetensors"
