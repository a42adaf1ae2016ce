"""Compiles all kernels of the stage, so that no first start has to: ``make live`` runs this."""

from __future__ import annotations

import sys
from typing import Final

from ...codec.kernel_builds import KernelBuild

#: Modules whose import compiles all kernels that hear, and all others.
_HEARING: Final = ("struck.codec.hearing.refit.refitter", "struck.codec.hearing.following.follower")
_PLAYING: Final = ("struck.realtime.host.host", "struck.realtime.midi.jack_input")


def main() -> None:
    """Compile, in two processes."""
    print("compiling for this machine (this may take a minute or two)", flush=True)
    try:
        with KernelBuild(*_HEARING), KernelBuild(*_PLAYING):
            pass
    except KeyboardInterrupt:
        sys.exit("interrupted: the first start compiles what is left")


if __name__ == "__main__":
    main()
