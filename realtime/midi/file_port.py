"""A standard MIDI file in place of a MIDI input: its messages and its tempo, when they are due."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import mido

from ...codec.events.errors import StruckError
from ...codec.takes.midi_file import Tempo
from ..stage.closing_thread import ClosingThread

EXTENSIONS: Final = (".mid", ".midi")
_LARGEST_BYTES: Final = 1 << 25
#: Clocks of a beat, and what stands before the first.
_CLOCKS: Final = 24
_CLOCK, _START = b"\xf8", b"\xfa"
#: What is due is looked for so often; a message says itself when it was due.
_LOOK_SECONDS: Final = 0.0005

OnMessage = Callable[[float, bytes], None]


def is_midi_file(name: str) -> bool:
    """Whether a ``--midi-in`` names a file."""
    return Path(name).suffix.lower() in EXTENSIONS


@dataclass(frozen=True)
class MidiSong:
    """What a file plays.

    Args:
        messages: each with its time in seconds; among them clocks that tell the tempo.
        tempos: and time signatures, by time; before the first, 120 in four quarters.
    """

    messages: list[tuple[float, bytes]]
    tempos: list[Tempo]


def read_midi_file(path: Path) -> MidiSong:
    """What a file plays.

    Raises:
        StruckError: it cannot be read, or is no MIDI file.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise StruckError(f"{path} is larger than a MIDI file of {_LARGEST_BYTES >> 20} MiB")
        file = mido.MidiFile(path)
        if file.type == 2:
            raise StruckError(f"{path} is a MIDI file of type 2; types 0 and 1 are played")
        if file.ticks_per_beat <= 0:
            raise StruckError(f"{path} counts time in frames; MIDI files that count in beats are played")
        return _timed(mido.merge_tracks(file.tracks), file.ticks_per_beat)
    except OSError as error:
        raise StruckError(f"cannot read the MIDI file {path}: {error.strerror or 'it is none'}") from error
    except EOFError:
        raise StruckError(f"cannot read the MIDI file {path}: it is cut off, or none") from None
    except (ValueError, KeyError, IndexError) as error:
        raise StruckError(f"cannot read the MIDI file {path}: it is damaged ({error})") from error


def _timed(track: mido.MidiTrack, ticks_per_beat: int) -> MidiSong:
    seconds, tick, tick_seconds = 0.0, 0, 0.5 / ticks_per_beat
    clock_ticks = ticks_per_beat / _CLOCKS
    clocks = 0
    found: list[tuple[float, bytes]] = [(0.0, _START)]
    tempos = [Tempo()]
    for message in track:
        end = tick + message.time
        while clocks * clock_ticks <= end:
            found.append((seconds + (clocks * clock_ticks - tick) * tick_seconds, _CLOCK))
            clocks += 1
        seconds += message.time * tick_seconds
        tick = end
        if message.type == "set_tempo":
            tick_seconds = message.tempo / 1e6 / ticks_per_beat
            tempos.append(replace(tempos[-1], seconds=seconds, bpm=6e7 / message.tempo))
        elif message.type == "time_signature":
            signature = {"numerator": message.numerator, "denominator": message.denominator}
            tempos.append(replace(tempos[-1], seconds=seconds, **signature))
        elif not message.is_meta:
            found.append((seconds, bytes(message.bytes())))
    latest = {tempo.seconds: tempo for tempo in tempos}
    return MidiSong(found, list(latest.values()))


class MidiFilePort:
    """Plays a file into what receives a port's messages, once, from :meth:`start` on.

    Args:
        path: the file.
        on_message: as that of :class:`~struck.realtime.midi.connections.MidiInput`.
        on_end: called when all has been played: notes whose note-off is missing end.

    Raises:
        StruckError: see :func:`read_midi_file`.
    """

    connected = True

    def __init__(self, path: Path, on_message: OnMessage, on_end: Callable[[], None]) -> None:
        self.name = path.name
        self._song = read_midi_file(path)
        self._on_message, self._on_end = on_message, on_end
        self._thread = ClosingThread("midi file", self._run)

    @property
    def tempos(self) -> list[Tempo]:
        """The file's, by the time since its beginning."""
        return self._song.tempos

    def start(self) -> None:
        """Begin to play."""
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._thread.close()

    def _run(self) -> None:
        began = time.perf_counter()
        for seconds, message in self._song.messages:
            while (left := began + seconds - time.perf_counter()) > 0.0:
                if self._thread.closing.wait(min(left, 0.1) if left > 0.002 else _LOOK_SECONDS):
                    return
            if self._thread.closing.is_set():
                return
            self._on_message(began + seconds, message)
        self._on_end()
