"""What a patch does to events on their way: its tables ``[[transform]]``."""

from __future__ import annotations

from typing import Any, Final

from ..codec.events.event_spec import FIELDS, INDEX
from ..codec.transforms.kinds import TRANSFORM
from ..codec.transforms.transform import TransformField, TransformSettings
from .note_patch import physical_range
from .section import Section

_MOST: Final = 32


def read_transforms(parent: Section) -> tuple[TransformSettings, ...]:
    """The tables ``[[transform]]`` of a patch.

    Raises:
        StruckError: something in them is not known, of another type, or out of range.
    """
    return tuple(read_transform(section) for section in parent.sections("transform", _MOST))


def read_transform(section: Section) -> TransformSettings:
    """One of them.

    Raises:
        StruckError: as :func:`read_transforms`.
    """
    if "kind" not in section.values:
        section.refuse("", "kind is missing")
    kind = TRANSFORM[section.choice("kind", "", tuple(TRANSFORM))]
    values = {
        field.name: _read_field(section, field) for field in kind.fields if field.name in section.values
    }
    section.refuse_rest()
    return TransformSettings(kind.name, values)


def _read_field(section: Section, field: TransformField) -> Any:
    if isinstance(field.default, bool):
        return section.take(field.name, bool, field.default)
    if isinstance(field.default, str):
        return section.choice(field.name, field.default, field.words)
    if isinstance(field.default, tuple):
        return section.words(field.name, field.default, field.words)
    if isinstance(field.default, dict):
        sound = section.section(field.name)
        for key in sound.values:
            if key not in INDEX or key == "pitch":
                sound.refuse(key, f"unknown: {key}")
        return {
            key: sound.number(key, 0.0, *physical_range(FIELDS[INDEX[key]])) for key in list(sound.values)
        }
    return section.number(field.name, field.default, field.low, field.high)
