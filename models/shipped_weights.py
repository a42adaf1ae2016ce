"""Where the weights shipped with struck lie, other than the codec's."""

from pathlib import Path


def default_mars_weights_path() -> Path:
    """MARS' weights shipped with struck."""
    return Path(__file__).parent / "weights" / "mars.safetensors"


def default_phrase_classifiers_path() -> Path:
    """The classifiers shipped with struck by which phrases are judged."""
    return Path(__file__).parent / "weights" / "phrase_classifiers.safetensors"


def default_phrase_additive_path() -> Path:
    """The additive baseline shipped with struck."""
    return Path(__file__).parent / "weights" / "phrase_additive.safetensors"
