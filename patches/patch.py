"""Patches: everything a performer recalls at once, read from TOML files, the shipped ones or one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from ..codec.events.errors import StruckError
from ..codec.transforms.transform import TransformSettings
from .insert_patch import InsertPatch, read_inserts
from .map_patch import MapEntry, read_entries
from .note_patch import NotePatch, read_note
from .phrase_patch import PhrasePatch, read_phrases
from .section import Section
from .source_patch import SourcePatch, read_source
from .toml_text import TomlText
from .transform_patch import read_transforms

#: The newest format of a patch's file; a file that names none is of the first.
FORMAT: Final = 2
#: Keys that the first format does not have.
_SINCE_2: Final = ("program", "bank", "source", "safe", "map", "transform")
_PROFILES: Final = ("live", "tight", "instant")
#: What a recall leaves as it is unless a patch says otherwise: the stage's levels, not the sound's.
SAFE: Final = ("output_db", "ceiling_db", "input_db")
#: Parts of a patch that it may name as safe, beside controls.
SAFE_PARTS: Final = ("source", "transforms", "note", "phrases", "inserts", "map")
MOST_BANKS: Final = 1 << 14
#: Whoever has the controls knows their ranges; here they must be finite.
_LARGEST: Final = 1e9

T = TypeVar("T")


@dataclass(frozen=True)
class Patch:
    """One patch.

    Args:
        name: the file's, without extension.
        description: one line for people.
        profile: ``live``, ``tight`` or ``instant``.
        program: MIDI's number, 0 to 127, by which it is recalled; None: by its name only.
        bank: MIDI's, 0 to 16,383: 128 times controller 0, and controller 32.
        source: which channels of the input are heard.
        controls: values of the performer's controls, by name; the others take their defaults.
        note: of MIDI notes.
        phrases: of the accompaniment.
        inserts: plug-ins in the signal path, in order.
        transforms: what is done to events on their way, in order.
        map: what controllers turn, beside what their map files say.
        safe: controls, and parts of :data:`SAFE_PARTS`, that its recall leaves as they are.
        text: of its file; faults that are found later are told with their line.
        path: of its file; None where it is shipped.
    """

    name: str
    description: str = ""
    profile: str = "live"
    program: int | None = None
    bank: int = 0
    source: SourcePatch = field(default_factory=SourcePatch)
    controls: Mapping[str, float] = field(default_factory=dict)
    note: NotePatch = field(default_factory=NotePatch)
    phrases: PhrasePatch = field(default_factory=PhrasePatch)
    inserts: tuple[InsertPatch, ...] = ()
    transforms: tuple[TransformSettings, ...] = ()
    map: tuple[MapEntry, ...] = ()
    safe: tuple[str, ...] = SAFE
    text: TomlText | None = field(default=None, repr=False, compare=False)
    path: Path | None = field(default=None, repr=False, compare=False)

    def place(self, path: tuple[str | int, ...]) -> str:
        """The line on which ``path`` stands, for the end of a message; empty where it is not known."""
        line = None if self.text is None else self.text.line(path)
        return "" if line is None else f" (line {line})"

    def refuse(self, path: tuple[str | int, ...], message: str) -> NoReturn:
        """Raise StruckError with the patch's name, ``message``, and the line on which ``path`` stands."""
        raise StruckError(f"patch {self.name}{message}{self.place(path)}")


def shipped_patches() -> list[str]:
    """Names of the patches that come with struck."""
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
    patch = parse_patch(Path(name).stem, data, Path(name).parent if programs else None)
    return replace(patch, path=Path(name).resolve())


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
    patch, faults = inspect_patch(name, data, folder)
    if faults:
        raise faults[0]
    assert patch is not None
    return patch


def inspect_patch(
    name: str, data: bytes, folder: Path | None = None
) -> tuple[Patch | None, list[StruckError]]:
    """The patch in a TOML file's bytes as far as it can be read, and one fault for each of its tables.

    Args:
        name, data, folder: as of :func:`parse_patch`.

    Returns:
        The patch, None where the file is none at all, and what is wrong with it.
    """
    faults: list[StruckError] = []

    def part(read: Callable[[], T], default: T) -> T:
        try:
            return read()
        except StruckError as error:
            faults.append(error)
            return default

    try:
        text = TomlText(f"patch {name}", data)
        top = Section.of_text(text)
        _check_format(top)
    except StruckError as error:
        return None, [error]
    patch = Patch(
        name=name,
        description=part(lambda: top.take("description", str, ""), ""),
        profile=part(lambda: top.choice("profile", "live", _PROFILES), "live"),
        program=part(lambda: top.whole("program", 0, 0, 127) if "program" in top.values else None, None),
        bank=part(lambda: top.whole("bank", 0, 0, MOST_BANKS - 1), 0),
        source=part(lambda: read_source(top.section("source")), SourcePatch()),
        controls=part(lambda: _read_numbers(top.section("controls")), {}),
        note=part(lambda: read_note(top.section("note")), NotePatch()),
        phrases=part(lambda: read_phrases(top.section("phrases")), PhrasePatch()),
        inserts=part(lambda: read_inserts(top, folder), ()),
        transforms=part(lambda: read_transforms(top), ()),
        map=part(lambda: read_entries(top), ()),
        safe=part(lambda: _read_safe(top), SAFE),
        text=text,
    )
    part(top.refuse_rest, None)
    return patch, faults


def _check_format(top: Section) -> None:
    """Refuse a newer file, and in a file of the first format what that does not know."""
    number = top.take("format", int, 1)
    if number > FORMAT:
        top.refuse("format", f"format is {number}; this struck reads 1 to {FORMAT}, so it is too old for it")
    if number < 1:
        top.refuse("format", f"format is {number}; it must be 1 to {FORMAT}")
    if number == 1:
        for key in _SINCE_2:
            if key in top.values:
                top.refuse(key, f"{key} needs format = 2")


def _read_safe(top: Section) -> tuple[str, ...]:
    names = top.take("safe", list, list(SAFE))
    for name in names:
        if type(name) is not str:
            top.refuse("safe", f"safe must be a list of names, not {name!r}")
    return tuple(names)


def _read_numbers(section: Section) -> dict[str, float]:
    return {key: section.number(key, 0.0, -_LARGEST, _LARGEST) for key in list(section.values)}
