"""The ``struck`` command: parses the line, runs one command, turns faults into one line and an exit status.

Exit status: 0 done; 1 something the user can do something about, told in one line; 2 wrong usage;
130 interrupted (Ctrl-C); 143 terminated. Nothing is left half-written by any of them. Only argparse is
imported here: each command imports what it needs when it runs.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any, TextIO

from ...codec.events.errors import StruckError, StruckWarning
from ..screen.interruption import Interruption
from ..screen.standard_streams import prepare_standard_streams
from . import devices as commands_devices
from . import learn as commands_learn
from . import live as commands_live
from . import measure as commands_measure
from . import patches as commands_patches
from . import phrase as commands_phrase
from . import plugins as commands_plugins
from . import sound as commands_sound
from . import take as commands_take
from . import train as commands_train
from .console import Console

_EPILOG = """examples:
  struck encode song.wav song.mcap          hear a recording as events
  struck render song.mcap song-48k.wav      play the events into a file
  struck resynth song.wav heard.wav         both at once
  struck edit song.mcap up.mcap --transpose 7 --stretch 1.5
  struck convert song.mcap song.mid         events as notes
  struck phrase backing.wav --pitch 48      a generated phrase to play along with

`struck COMMAND --help` tells more about one command. Exit status: 0 done, 1 a fault told in one line,
2 wrong usage, 130 interrupted, 143 terminated."""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="struck",
        description="Hear a performance as sparse events; play, edit, send and record them.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"struck {version('struck')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    commands_live.add_to(commands)
    commands_sound.add_to(commands)
    commands_take.add_to(commands)
    commands_phrase.add_to(commands)
    commands_devices.add_to(commands)
    commands_patches.add_to(commands)
    commands_learn.add_to(commands)
    commands_plugins.add_to(commands)
    commands_measure.add_to(commands)
    commands_train.add_to(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's own) and return its exit status.

    Raises:
        SystemExit: wrong usage or help (from argparse), or SIGTERM arrived (status 143).
    """
    prepare_standard_streams()
    options = build_parser().parse_args(arguments)
    # The encoder's matrices are small: a second thread costs more than it gives, and six times as much where
    # another program wants the core. OpenBLAS reads this when numpy is imported.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Threads of torch wait for each other by spinning: where another program has the core of one of them, the
    # others burn theirs, and a phrase takes eight times as long. OpenMP reads this when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    console = Console(options.json)
    show_warning = warnings.showwarning
    warnings.showwarning = _noting(console)
    try:
        with Interruption():
            options.run(options, console)
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output has gone, perhaps that of our messages, too. Python would complain once
        # more when it flushes at exit.
        for stream in (sys.stdout, sys.stderr):
            _drop_unread(stream)
        return 1
    except StruckError as error:
        return _fail(console, str(error))
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(console, f"{place}{error.strerror or error}")
    except KeyboardInterrupt:
        print("struck: interrupted", file=sys.stderr)
        return 130
    finally:
        warnings.showwarning = show_warning
    return 0


def _drop_unread(stream: TextIO) -> None:
    """Lead what nobody reads to nowhere, so that it can be flushed."""
    try:
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _noting(console: Console) -> Callable[..., None]:
    """Prints our own warnings as notes, and those of libraries as Python does."""
    show = warnings.showwarning

    def note(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, StruckWarning):
            console.note(str(message))
        else:
            show(message, category, *place)

    return note


def _fail(console: Console, message: str) -> int:
    line = " ".join(message.split())
    print(f"struck: {line}", file=sys.stderr)
    if console.as_json:
        console.finish({"error": line}, "")
    return 1


if __name__ == "__main__":
    sys.exit(main())
