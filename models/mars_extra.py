"""The extra called ``mars``: PyTorch, which networks need and hearing, playing and the stage do not."""

from importlib.util import find_spec

from struck.codec.events.errors import StruckError


def has_torch() -> bool:
    """Whether PyTorch is installed."""
    return find_spec("torch") is not None


def require_torch(what: str) -> None:
    """Raise StruckError, with the way to get it, where PyTorch is not installed; ``what`` needs it."""
    if not has_torch():
        raise StruckError(f"{what} needs PyTorch, which is not installed: pip install 'struck[mars]'")
