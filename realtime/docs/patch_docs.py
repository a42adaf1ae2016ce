"""Writes tables of patches into ``docs/patches.md``: ``python -m struck.realtime.docs.patch_docs``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ...codec.events.event_spec import FIELDS, to_physical
from ...codec.transforms.kinds import TRANSFORMS
from ...models.mars.chords import CHORDS
from ...models.mars.conditions import FAMILIES, STYLES
from ...patches.insert_patch import INSERT_FIELDS, InsertPatch
from ...patches.map_patch import MAP_FIELDS
from ...patches.note_patch import physical_range
from ...patches.patch import load_patch, shipped_patches
from ...patches.phrase_patch import PHRASE_FIELDS, PhrasePatch
from ..engine.parameters import OFF_DB, PARAMETERS, Parameter
from ..mapping.targets import ACTIONS, VALUES
from .docs_tables import replace_tables

_WORDS: Final = {"style": STYLES, "instrument": FAMILIES, "chord": tuple(CHORDS)}

DOCS_PATH: Final = Path(__file__).resolve().parents[2] / "docs" / "patches.md"


def patch_tables() -> str:
    """The shipped patches, the controls, the fields of sounds, phrases, inserts and maps, as Markdown."""
    return "\n".join([_patches(), _controls(), _sound(), _phrases(), _transforms(), _inserts(), _map()])


def _patches() -> str:
    lines = ["## Shipped patches", "", "| program | patch | profile | what |", "| --- | --- | --- | --- |"]
    for name in shipped_patches():
        patch = load_patch(name)
        lines.append(f"| {patch.program} | `{name}` | {patch.profile} | {patch.description} |")
    return "\n".join([*lines, ""])


def _controls() -> str:
    lines = [
        "## Controls",
        "",
        "| control | range | default | unit | MIDI | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for parameter in PARAMETERS:
        midi = "" if parameter.control is None else f"CC {parameter.control}"
        cells = (
            f"`{parameter.name}`",
            f"{parameter.low:g} to {parameter.high:g}",
            _default(parameter),
            parameter.unit,
            midi,
            parameter.meaning,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _default(parameter: Parameter) -> str:
    off = parameter.unit == "dB" and parameter.default == OFF_DB == parameter.low
    return "off" if off else f"{parameter.default:g}"


def _sound() -> str:
    lines = [
        "## Fields of `[note.sound]`",
        "",
        "| field | range | left out | unit | meaning |",
        "| --- | --- | --- | --- | --- |",
    ]
    for field in FIELDS:
        if field.name == "pitch":  # the note's
            continue
        low, high = physical_range(field)
        cells = (
            f"`{field.name}`",
            f"{low:g} to {high:g}",
            f"{to_physical(field, 0.0):.3g}",
            field.unit,
            field.meaning,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _phrases() -> str:
    lines = [
        "## Fields of `[phrases]`",
        "",
        "| field | unit, range | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for field in PHRASE_FIELDS:
        default = getattr(PhrasePatch, field.name)
        if isinstance(default, bool):
            shown = str(default).lower()
        elif isinstance(default, tuple):
            shown = "none"
        else:
            shown = f"`{default}`" if isinstance(default, str) else f"{default:g}"
        words = _WORDS.get(field.name, ())
        unit = ", ".join(f"`{word}`" for word in words) if words else field.unit
        lines.append(f"| `{field.name}` | {unit} | {shown} | {field.meaning} |")
    return "\n".join([*lines, ""])


def _inserts() -> str:
    lines = [
        "## Keys of `[[insert]]`",
        "",
        "| key | what | default | meaning |",
        "| --- | --- | --- | --- |",
    ]
    example = InsertPatch("events", "lv2")
    for field in INSERT_FIELDS:
        default = getattr(example, field.name)
        if field.name in ("place", "host"):
            shown = ""
        elif isinstance(default, bool):
            shown = str(default).lower()
        else:
            shown = f"{default:g}" if isinstance(default, (int, float)) else "none"
        lines.append(f"| `{field.name}` | {field.unit} | {shown} | {field.meaning} |")
    return "\n".join([*lines, ""])


def _transforms() -> str:
    lines = ["## Kinds of `[[transform]]`", "", "| kind | does | keys |", "| --- | --- | --- |"]
    for kind in TRANSFORMS:
        keys = []
        for field in kind.fields:
            if field.words:
                span = ", ".join(f"`{word}`" for word in field.words)
            elif isinstance(field.default, bool):
                span = "true or false"
            else:
                span = "a table" if isinstance(field.default, dict) else f"{field.low:g} to {field.high:g}"
            usual = f", default {str(field.default).lower()}" if isinstance(field.default, bool) else ""
            if isinstance(field.default, str | float):
                usual = f", default {field.default}"
            keys.append(f"`{field.name}`: {field.meaning} ({f'{span} {field.unit}'.strip()}{usual})")
        lines.append(f"| `{kind.name}` | {kind.meaning} | {'; '.join(keys)} |")
    return "\n".join([*lines, ""])


def _map() -> str:
    lines = ["## Keys of `[[map]]`", "", "| key | what | default | meaning |", "| --- | --- | --- | --- |"]
    for field in MAP_FIELDS:
        lines.append(f"| `{field.name}` | {field.unit} | {field.default} | {field.meaning} |")
    lines += ["", "Actions are done when the controller goes up through its middle:", ""]
    lines += ["| action | does |", "| --- | --- |"]
    lines += [f"| `{name}` | {meaning} |" for name, meaning in ACTIONS.items()]
    lines += ["", "Beside controls and inserts, these are turned:", "", "| value | range | meaning |"]
    lines += ["| --- | --- | --- |"]
    lines += [
        f"| `{n}` | {low:g} to {high:g} {unit} | {what} |" for n, (low, high, unit, what) in VALUES.items()
    ]
    return "\n".join([*lines, ""])


def with_tables(page: str) -> str:
    """``page`` with its tables made new.

    Raises:
        ValueError: the marks are not there.
    """
    return replace_tables(page, "patch_docs", patch_tables())


if __name__ == "__main__":
    DOCS_PATH.write_text(with_tables(DOCS_PATH.read_text(encoding="utf-8")), encoding="utf-8")
