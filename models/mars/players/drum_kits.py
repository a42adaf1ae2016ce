"""Drum kits of Hydrogen as players: recorded strokes, by velocity, on the keys of General MIDI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import mido
import numpy as np
import soundfile
import soxr

from struck.codec.events.event_spec import ANALYSIS_RATE

from ...codec.notes import find_onset
from .player import DRUM_KIT, Player, PlayerLostError

#: Where Debian and a user put them.
_FOLDERS: Final = (Path("/usr/share/hydrogen/data/drumkits"), Path("~/.hydrogen/data/drumkits").expanduser())
#: Those whose licence is known (docs/ATTRIBUTION.md) and whose drums General MIDI has keys for, by folder.
_KITS: Final = (
    "Audiophob", "BJA_Pacific", "ColomboAcousticDrumkit", "ElectricEmpireKit", "ForzeeStereo",
    "Gimme A Hand 1.0", "HardElectro1", "Millo-Drums_v.1", "Millo_MultiLayered2", "Millo_MultiLayered3",
    "The Black Pearl 1.0", "VariBreaks", "rumpf_kit_z01_h2",
)  # fmt: skip
#: Never trained on.
HELD_OUT_KIT: Final = "The Black Pearl 1.0"
#: Drums by what is found in their names, the first that fits, and the keys that they are played by.
_DRUMS: Final = (
    # Strokes that no key means.
    (r"roll|rimshot|flink|choke|swish|semi|hat free|noise|crash/ride|ride-crash|side o?hh", ()),
    (r"kick|bass ?drum", (35, 36)),
    (r"stick|rim click", (37,)),
    (r"clap", (39,)),
    (r"snare", (38, 40)),
    (r"tom.?(low|floor)|(low|floor).tom", (41, 43)),
    (r"tom.?hi|(hi|high).tom|tom 1", (48, 50)),
    (r"\btom\b", (45, 47)),
    (r"(hat|hh).*\b(pedal|pd)\b|pedal hh", (44,)),
    (r"(hat|hh).*\bop(en|ened)?\b|open hh", (46,)),
    (r"(hat|hh).*\bcl(osed)?\b|closed hh", (42,)),
    (r"\bbell\b|\bcup\b", (53,)),
    (r"\bride\b", (51, 59)),
    (r"crash", (49, 57)),
    (r"splash", (55,)),
    (r"china", (52,)),
    (r"cowbell", (56,)),
    (r"tambourine", (54,)),
    (r"bongo hi", (60,)),
    (r"bongo lo", (61,)),
    (r"agogo high", (67,)),
    (r"agogo low", (68,)),
    (r"maraca", (70,)),
    (r"clave", (75,)),
    (r"woodblock hi", (76,)),
    (r"woodblock lo", (77,)),
)
#: What ends when another is struck: the open hat, by the closed one or the pedal.
_ENDED_BY: Final = {42: 46, 44: 46}
_ENDING_SAMPLES: Final = ANALYSIS_RATE // 50
#: A kit with several drums of a kind makes several players, but not more.
_MOST_PLAYERS: Final = 4
#: Of the 3 ms within which a recording is found to begin, so much is left out.
_BEFORE_SAMPLES: Final = 32


@dataclass(frozen=True)
class Stroke:
    """A recording of one drum, ``semitones`` higher when it is played, for a range of velocities, 0 to 1."""

    file: Path
    lowest: float
    highest: float
    gain: float
    semitones: float

    def read(self) -> np.ndarray:
        """float32 [T] at the analysis rate, from its onset on."""
        try:
            samples, rate = soundfile.read(self.file, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise PlayerLostError(f"{self.file} cannot be read: {error}") from None
        mono = samples.mean(1) * self.gain
        mono = soxr.resample(mono, rate * 2.0 ** (self.semitones / 12.0), ANALYSIS_RATE)
        return mono[find_onset(mono) + _BEFORE_SAMPLES :]


@dataclass
class _Hit:
    """One stroke that is played: from when, and until when, in samples."""

    key: int
    stroke: Stroke
    velocity: float
    start: int
    end: int


#: The strokes of a drum, by velocity.
Drum = tuple[Stroke, ...]


def find_drum_kits(folders: Sequence[Path] = _FOLDERS, names: Sequence[str] = _KITS) -> list[Player]:
    """Players for each kit that is installed."""
    players = []
    for name in names:
        found = [folder / name for folder in folders if (folder / name / "drumkit.xml").is_file()]
        if not found:
            continue
        drums = read_kit(found[0])
        count = min(_MOST_PLAYERS, max(map(len, drums.values()), default=0))
        for number in range(count):
            # Each has another one of the drums of which the kit has several.
            chosen = {key: several[number % len(several)] for key, several in drums.items()}
            players.append(
                Player(
                    DRUM_KIT,
                    "drums",
                    f"{name}:{number}",
                    partial(play_kit, chosen),
                    name == HELD_OUT_KIT,
                    keys=frozenset(chosen),
                    weight=1.0 / count,
                )
            )
    return players


def read_kit(folder: Path) -> dict[int, list[Drum]]:
    """The drums of a kit by General MIDI key, each with strokes for all velocities.

    Raises:
        PlayerLostError: its ``drumkit.xml`` cannot be read.
    """
    try:
        instruments = list(ElementTree.parse(folder / "drumkit.xml").findall(".//{*}instrument"))
    except (OSError, ElementTree.ParseError) as error:
        raise PlayerLostError(f"the drum kit {folder} cannot be read: {error}") from None
    drums: dict[int, list[Drum]] = {}
    for instrument in instruments:
        name = (instrument.findtext("{*}name") or "").lower()
        keys = next((keys for words, keys in _DRUMS if re.search(words, name)), ())
        strokes = tuple(_strokes(instrument, folder))
        for key in keys if strokes else ():
            drums.setdefault(key, []).append(strokes)
    return drums


def _strokes(instrument: ElementTree.Element, folder: Path) -> Iterator[Stroke]:
    volume = _number(instrument, "volume", 1.0)
    # Kits of the first format name one recording, without layers.
    for layer in list(instrument.findall(".//{*}layer")) or [instrument]:
        file = folder / (layer.findtext("{*}filename") or "none")
        if file.is_file():
            lowest, highest = _number(layer, "min", 0.0), _number(layer, "max", 1.0)
            gain = volume * _number(layer, "gain", 1.0)
            yield Stroke(file, lowest, highest, gain, _number(layer, "pitch", 0.0))


def _number(element: ElementTree.Element, name: str, default: float) -> float:
    text = element.findtext(f"{{*}}{name}")
    return default if text is None else float(text)


def play_kit(drums: dict[int, Drum], midi: mido.MidiFile) -> np.ndarray:
    """The sound of a MIDI file on the drums of one kit, whatever the channel.

    Raises:
        PlayerLostError: a recording cannot be read.
    """
    total = round(midi.length * ANALYSIS_RATE) + 1
    hits: list[_Hit] = []
    sounding: list[_Hit] = []
    seconds = 0.0
    for message in midi:
        seconds += message.time
        at = round(seconds * ANALYSIS_RATE)
        strikes = message.type == "note_on" and message.velocity > 0 and message.note in drums
        if strikes or message.is_cc(120):
            for hit in sounding:
                if not strikes or hit.key == _ENDED_BY.get(message.note):
                    hit.end = at
            sounding = [hit for hit in sounding if hit.end == total]
        if strikes:
            velocity = message.velocity / 127.0
            hit = _Hit(message.note, _choose(drums[message.note], velocity), velocity, at, total)
            hits.append(hit)
            sounding.append(hit)
    read = {stroke: stroke.read() for stroke in dict.fromkeys(hit.stroke for hit in hits)}
    sound = np.zeros(total, np.float32)
    for hit in hits:
        samples = read[hit.stroke] * np.float32(hit.velocity)
        after = samples[hit.end - hit.start :][:_ENDING_SAMPLES]
        after *= np.linspace(1.0, 0.0, len(after), dtype=np.float32)
        samples = samples[: min(hit.end - hit.start + len(after), total - hit.start)]
        sound[hit.start : hit.start + len(samples)] += samples
    return sound


def _choose(drum: Drum, velocity: float) -> Stroke:
    """The first whose range holds the velocity, or comes nearest to it."""
    return min(drum, key=lambda stroke: max(stroke.lowest - velocity, velocity - stroke.highest, 0.0))
