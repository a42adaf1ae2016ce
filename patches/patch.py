"""Patches: everything a performer recalls at once, read from TOML files, the shipped ones or one's own."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final

import numpy as np

from ..codec.events.errors import StruckError
from ..codec.events.event_spec import (
    FIELDS,
    GAIN_DB_HIGH,
    GAIN_DB_LOW,
    INDEX,
    VECTOR_SIZE,
    Field,
    from_physical,
)
from ..codec.events.events import FloatArray
from .insert_patch import InsertPatch, read_inserts
from .phrase_patch import PhrasePatch, read_phrases
from .section import Section

_PROFILES: Final = ("live", "tight")
#: What the pressure on a sounding note can do.
PRESSURE_TARGETS: Final = ("level", "brightness", "off")
#: Whoever has the controls knows their ranges; here they must be finite.
_LARGEST: Final = 1e9


@dataclass(frozen=True)
class NotePatch:
    """What a MIDI note sounds like and how it is played.

    Args:
        sound: physical values of fields of the event vector, by name; the pitch is the note's. Fields that
            are not named are in the middle of their range.
        gain_db: level of velocity 127.
        velocity_brightness_db: dB per octave by which the softest note's partials fall more steeply.
        bend_range_semitones: of the pitch wheel, until the sender sets it.
        mpe: all channels are one MPE zone.
        channels: 1 to 16, those listened to.
        release: a note-off ends the note; without, notes ring out.
        pressure: what aftertouch does to a sounding note: ``level``, ``brightness`` or ``off``.
        pressure_db: what the strongest adds: dB of level, or dB per octave of brightness.
    """

    sound: Mapping[str, float] = field(default_factory=dict)
    gain_db: float = -12.0
    velocity_brightness_db: float = 6.0
    bend_range_semitones: float = 2.0
    mpe: bool = False
    channels: tuple[int, ...] = tuple(range(1, 17))
    release: bool = True
    pressure: str = "level"
    pressure_db: float = 6.0

    @property
    def vector(self) -> FloatArray:
        """The event vector, float32 ``[32]``."""
        vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
        for name, value in self.sound.items():
            vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
        return vector


@dataclass(frozen=True)
class Patch:
    """One patch.

    Args:
        name: the file's, without extension.
        description: one line for people.
        profile: ``live`` or ``tight``.
        controls: values of the performer's controls, by name; the others take their defaults.
        note: of MIDI notes.
        phrases: of the accompaniment.
        inserts: plug-ins in the signal path, in order.
    """

    name: str
    description: str = ""
    profile: str = "live"
    controls: Mapping[str, float] = field(default_factory=dict)
    note: NotePatch = field(default_factory=NotePatch)
    phrases: PhrasePatch = field(default_factory=PhrasePatch)
    inserts: tuple[InsertPatch, ...] = ()


def shipped_patches() -> list[str]:
    """Names of the patches that come with struck, in the order of MIDI's program numbers."""
    return sorted(
        item.name.removesuffix(".toml")
        for item in files(__package__).iterdir()
        if item.name.endswith(".toml")
    )


def load_patch(name: str, programs: bool = True) -> Patch:
    """The shipped patch ``name``, or the one in the file ``name``, which ends in ``.toml``.

    Args:
        programs: whether its inserts may be programs of the user's own; not where somebody else names it.

    Raises:
        StruckError: there is none, or it says something that is not known, or not possible.
    """
    if not name.lower().endswith(".toml"):
        if name not in shipped_patches():
            raise StruckError(
                f"no patch is called {name}; there are {', '.join(shipped_patches())}, and files named .toml"
            )
        return parse_patch(name, files(__package__).joinpath(f"{name}.toml").read_bytes())
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise StruckError(f"cannot read the patch {name}: {error.strerror}") from error
    return parse_patch(Path(name).stem, data, Path(name).parent if programs else None)


def find_patch(name: str, folder: Path | None) -> Patch:
    """The shipped patch ``name``, or the one in a file of ``folder``: for names that come from elsewhere.

    Its inserts may not be programs of the user's own.

    Args:
        name: of a shipped patch, or of a file in the folder, with ``.toml``; also as its path.
        folder: the only one in which files are opened; None: none is.

    Raises:
        StruckError: see :func:`load_patch`; or the file lies elsewhere.
    """
    if not name.lower().endswith(".toml"):
        return load_patch(name)
    if folder is None:
        raise StruckError(f"{name}: only shipped patches can be named here: struck began with one of them")
    asked = Path(name)
    if asked.parent != Path() and asked.parent.resolve() != folder.resolve():
        raise StruckError(f"{name}: patches are opened in {folder.resolve()} only")
    path = folder / asked.name
    if path.resolve().parent != folder.resolve():  # a link out of the folder
        raise StruckError(f"{name}: patches are opened in {folder.resolve()} only")
    return load_patch(str(path), programs=False)


def parse_patch(name: str, data: bytes, folder: Path | None = None) -> Patch:
    """The patch in a TOML file's bytes; ``folder`` is where programs that it names lie, None refuses them.

    Raises:
        StruckError: see :func:`load_patch`.
    """
    try:
        values = tomllib.loads(data.decode("utf-8-sig"))  # Windows saves text with a mark
    except ValueError as error:  # tomllib's own, of UTF-8, and of whole numbers beyond Python's limit
        raise StruckError(f"patch {name}: {error}") from error
    reader = Section(f"patch {name}", values)
    patch = Patch(
        name=name,
        description=reader.take("description", str, ""),
        profile=reader.take("profile", str, "live"),
        controls=_read_numbers(reader.section("controls")),
        note=_read_note(reader.section("note")),
        phrases=read_phrases(reader.section("phrases")),
        inserts=read_inserts(f"patch {name}", reader.take("insert", list, []), folder),
    )
    if patch.profile not in _PROFILES:
        raise StruckError(f"patch {name}: profile is {patch.profile}; it must be {' or '.join(_PROFILES)}")
    reader.refuse_rest()
    return patch


def _read_numbers(section: Section) -> dict[str, float]:
    return {key: section.number(key, 0.0, -_LARGEST, _LARGEST) for key in list(section.values)}


def _read_note(section: Section) -> NotePatch:
    sound_section = section.section("sound")
    sound = {}
    for key in list(sound_section.values):
        if key not in INDEX or key == "pitch":
            raise StruckError(f"{sound_section.place}: unknown: {key}")
        spec = FIELDS[INDEX[key]]
        sound[key] = sound_section.number(key, 0.0, *physical_range(spec))
    channels = section.take("channels", list, list(range(1, 17)))
    if not channels or not all(type(channel) is int and 1 <= channel <= 16 for channel in channels):
        raise StruckError(f"{section.place}: channels must be numbers from 1 to 16, not {channels!r}")
    note = NotePatch(
        sound=sound,
        gain_db=section.number("gain_db", NotePatch.gain_db, GAIN_DB_LOW, GAIN_DB_HIGH),
        velocity_brightness_db=section.number(
            "velocity_brightness_db", NotePatch.velocity_brightness_db, 0.0, 36.0
        ),
        bend_range_semitones=section.number(
            "bend_range_semitones", NotePatch.bend_range_semitones, 0.0, 96.0
        ),
        mpe=section.take("mpe", bool, NotePatch.mpe),
        channels=tuple(channels),
        release=section.take("release", bool, NotePatch.release),
        pressure=section.take("pressure", str, NotePatch.pressure),
        pressure_db=section.number("pressure_db", NotePatch.pressure_db, 0.0, 24.0),
    )
    if note.pressure not in PRESSURE_TARGETS:
        known = " or ".join(PRESSURE_TARGETS)
        raise StruckError(f"{section.place}: pressure is {note.pressure}; it must be {known}")
    section.refuse_rest()
    return note


def physical_range(field: Field) -> tuple[float, float]:
    """Ends of a field's values; a share lies between 0 and 1 whatever its scale's ends say."""
    return (0.0, 1.0) if field.scale == "logistic" else (field.low, field.high)
