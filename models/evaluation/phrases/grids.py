"""The grid on which a phrase of a style is written."""

from __future__ import annotations

from ...mars.conditions import PhraseConditions


def grid_steps_per_beat(conditions: PhraseConditions) -> int:
    """Steps per beat of the finest grid on which a phrase of this style is written."""
    if conditions.style in ("percussion", "arpeggio"):
        return 4 if conditions.style == "percussion" or conditions.tempo_bpm < 120.0 else 2
    return 1 if conditions.style == "pad" else 2


def grid_seconds(conditions: PhraseConditions) -> float:
    """Length of one step of that grid."""
    return 60.0 / conditions.tempo_bpm / grid_steps_per_beat(conditions)
