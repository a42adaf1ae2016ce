"""What a patch says of one insert: a table ``[[insert]]``, described once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from .section import Section

#: Where in the signal path an insert may stand, in the order of the path.
PLACES: Final = ("input", "events", "phrases", "master")
HOSTS: Final = ("lv2", "pyo", "vst3", "pedalboard")
#: Each has a MIDI channel.
MOST_VOICES: Final = 16
#: A patch of more is a mistake.
MOST_INSERTS: Final = 64


@dataclass(frozen=True)
class InsertPatch:
    """One insert; :data:`INSERT_FIELDS` says what each field means.

    Whether there is such a plug-in, and what its parameters are, its host knows.
    """

    place: str
    host: str
    plugin: str = ""
    file: str = ""
    name: str = ""
    preset: str = ""
    state: str = ""
    bypass: bool = False
    wet: float = 1.0
    beside: bool = False
    mpe: bool = False
    voices: int = 0
    parameters: Mapping[str, float] = field(default_factory=dict)


class InsertField(NamedTuple):
    """One field of the table."""

    name: str
    unit: str
    meaning: str


#: In the order of :class:`InsertPatch`.
INSERT_FIELDS: Final = (
    InsertField("place", ", ".join(f"`{place}`" for place in PLACES), "where in the path; must be given"),
    InsertField("host", ", ".join(f"`{host}`" for host in HOSTS), "what kind of plug-in; must be given"),
    InsertField("plugin", "a string", "which: an LV2's URI or name, a VST3's path or name, a class of pyo's"),
    InsertField("file", "a path", "with `pyo`, in place of `plugin`: a Python file with `build(input)`"),
    InsertField("name", "a string", "its name in messages and addresses; left out, the plug-in's"),
    InsertField("preset", "a string", "one of the plug-in's presets, by name or URI"),
    InsertField("state", "a string", "what the plug-in has saved of itself"),
    InsertField("bypass", "true, false", "the sound passes it by, as late as it would come out of it"),
    InsertField("wet", "0 to 1", "its share in the sound; the rest is what went in"),
    InsertField("beside", "true, false", "an instrument's sound is added to that of its place"),
    InsertField("mpe", "true, false", "an instrument takes each note on a channel of its own, as MPE does"),
    InsertField(
        "voices",
        "0 to 16",
        "of an instrument that bends only as a whole: it runs so often, each with an event of its own; 0: it "
        "runs once, on the nearest keys",
    ),
    InsertField("parameters", "a table of numbers", "values of the plug-in's parameters, by name"),
)


def read_inserts(parent: Section, folder: Path | None = None) -> tuple[InsertPatch, ...]:
    """The tables ``[[insert]]`` of a patch.

    Args:
        parent: the patch.
        folder: of the patch's file, against which ``file`` is read; None for a patch that has no file, which
            may not name one: such a file is a program, and only the user's own patch may start it.

    Raises:
        StruckError: something in them is not known, of another type, or not possible.
    """
    inserts: list[InsertPatch] = []
    for section in parent.sections("insert", MOST_INSERTS):
        insert = _read_insert(section, folder)
        if any(insert.name == other.name for other in inserts):
            section.refuse("", f"there is another insert called {insert.name}; name them apart")
        inserts.append(insert)
    return tuple(inserts)


def _read_insert(section: Section, folder: Path | None) -> InsertPatch:
    for key in ("place", "host"):
        if key not in section.values:
            section.refuse("", f"{key} is missing")
    place = section.choice("place", "", PLACES)
    host = section.choice("host", "", HOSTS)
    plugin = section.take("plugin", str, "")
    file = section.take("file", str, "")
    if file and host != "pyo":
        section.refuse("file", f"file is for the host pyo; {host} takes plugin")
    if bool(plugin) == bool(file):
        section.refuse("", "either plugin or file must be given")
    if file:
        if folder is None:
            section.refuse("file", "only a patch in a file of its own may name a file")
        file = str(folder / Path(file).expanduser())
    table = section.section("parameters")
    parameters = {key: table.number(key, 0.0, -1e9, 1e9) for key in list(table.values)}
    insert = InsertPatch(
        place=place,
        host=host,
        plugin=plugin,
        file=file,
        name=section.take("name", str, "") or _short_name(plugin or file),
        preset=section.take("preset", str, ""),
        state=section.take("state", str, ""),
        bypass=section.take("bypass", bool, False),
        wet=section.number("wet", 1.0, 0.0, 1.0),
        beside=section.take("beside", bool, False),
        mpe=section.take("mpe", bool, False),
        voices=section.whole("voices", 0, 0, MOST_VOICES),
        parameters=parameters,
    )
    if insert.mpe and insert.voices:
        section.refuse("voices", "with mpe the instrument has voices enough; leave voices out")
    section.refuse_rest()
    return insert


def _short_name(text: str) -> str:
    """The last part of a URI or a path, without extension, or a name as it is.

    >>> _short_name("http://moddevices.com/plugins/mda/Ambience"), _short_name("urn:zamaudio:ZamEQ2")
    ('Ambience', 'ZamEQ2')
    >>> _short_name("/usr/lib/vst3/ZaMaximX2.vst3"), _short_name("Freeverb")
    ('ZaMaximX2', 'Freeverb')
    """
    last = text.rstrip("/").replace("#", "/").split("/")[-1].split(":")[-1]
    return last.removesuffix(".vst3").removesuffix(".py") or text
