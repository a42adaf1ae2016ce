"""Takes: recorded streams of events, with MIDI, OSC, patch changes and marks, in MCAP files.

The file format is described in ``docs/take_format.md``. A writer never touches a good file before the new
one is complete. A reader takes any file that starts with a take's header: cut anywhere, still being
written, or damaged inside, it yields what is whole.
"""

from ..files.part_files import part_path
from .format import FORMAT_VERSION, TakeHeader, spec_hash
from .reader import TakeMessage, TakeReader, TakeStatistics, summarise_take
from .writer import TakeWriter

__all__ = [
    "FORMAT_VERSION",
    "TakeHeader",
    "TakeMessage",
    "TakeReader",
    "TakeStatistics",
    "TakeWriter",
    "part_path",
    "spec_hash",
    "summarise_take",
]
