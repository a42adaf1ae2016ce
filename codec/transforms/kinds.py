"""All transforms as one table: patches, ``struck edit``, maps and docs read it."""

from __future__ import annotations

from typing import Final

from ..events.event_spec import GAIN_DB_HIGH, GAIN_DB_LOW
from . import shapes
from .freeze import FREEZE, Freeze
from .times import BEATS, UNITS, Delay, Loop, Quantise
from .transform import TransformField, TransformKind

TRANSFORMS: Final = (
    TransformKind(
        "gate",
        "drops what is softer than a level",
        (TransformField("level_db", -50.0, GAIN_DB_LOW, GAIN_DB_HIGH, "dB", "of an event's beginning"),),
        shapes.gate,
    ),
    TransformKind(
        "thin",
        "keeps a share of the events, by chance",
        (TransformField("share", 0.5, 0.0, 1.0, "", "that is kept"),),
        shapes.thin,
    ),
    TransformKind(
        "density",
        "drops what is more than so many events in a second",
        (TransformField("most", 8.0, 1.0, 1_000.0, "events per second", "that pass"),),
        shapes.density,
    ),
    TransformKind(
        "ghosts",
        "drops soft events right after louder ones",
        (
            TransformField("within", 0.15, 0.0, 5.0, "s", "after the louder one"),
            TransformField("depth_db", 15.0, 0.0, 100.0, "dB", "by which it is softer at least"),
        ),
        shapes.ghosts,
    ),
    TransformKind(
        "keys",
        "keeps only these notes, in any octave",
        (TransformField("notes", shapes.NOTE_NAMES, meaning="their names", words=shapes.NOTE_NAMES),),
        shapes.keys,
    ),
    TransformKind(
        "transpose",
        "shifts the pitch",
        (TransformField("semitones", 0.0, -120.0, 120.0, "semitones", "up"),),
        shapes.transpose,
    ),
    TransformKind(
        "scale",
        "moves each event's pitch to the nearest of a scale; bends and glides stay",
        (
            TransformField("root", "C", meaning="its first note", words=shapes.NOTE_NAMES),
            TransformField("scale", "major", meaning="which", words=tuple(shapes.SCALES)),
            TransformField("strength", 1.0, 0.0, 1.0, "", "share of the way"),
        ),
        shapes.scale,
    ),
    TransformKind(
        "scatter",
        "changes each event's sound by chance; pitch and times stay",
        (TransformField("amount", 0.1, 0.0, 2.0, "", "standard deviation of the vector's numbers"),),
        shapes.scatter,
    ),
    TransformKind(
        "morph",
        "moves the sound towards another",
        (
            TransformField("share", 0.5, 0.0, 1.0, "", "of the way"),
            TransformField("sound", {}, meaning="fields of it, as those of `[note.sound]`; the others stay"),
        ),
        shapes.morph,
    ),
    TransformKind(
        "level",
        "makes events louder or softer",
        (TransformField("gain_db", 0.0, -90.0, 90.0, "dB", "added"),),
        shapes.level,
    ),
    TransformKind(
        "swap",
        "gives each event a part of the sound of one before it",
        (
            TransformField("part", "attack", meaning="which", words=tuple(shapes.PARTS)),
            TransformField("back", 1.0, 1.0, float(shapes.MOST_BACK), "events", "before it"),
            TransformField("share", 1.0, 0.0, 1.0, "", "of the way there"),
        ),
        shapes.swap,
    ),
    TransformKind(
        "quantise",
        "moves onsets to the beat. Live, what is late stays so; in `edit` it moves back",
        (
            TransformField("grid", 0.25, 0.0625, 8.0, "beats", "from one place to the next"),
            TransformField("strength", 1.0, 0.0, 1.0, "", "share of the way"),
        ),
        Quantise,
    ),
    TransformKind(
        "delay",
        "repeats each event later, as an echo",
        (
            TransformField("time", 0.75, 0.01, 60.0, "", "from one to the next, in the unit"),
            TransformField("unit", BEATS, meaning="of the time", words=UNITS),
            TransformField("repeats", 3.0, 0.0, 32.0, "", "that follow"),
            TransformField("fall_db", 6.0, 0.0, 60.0, "dB", "by which each is softer"),
            TransformField("original", True, 0.0, 1.0, meaning="the event itself sounds, too"),
        ),
        Delay,
    ),
    TransformKind(
        "loop",
        "repeats what is played in a first round, while it is on",
        (
            TransformField("on", True, 0.0, 1.0, meaning="a new round begins when it is switched on"),
            TransformField("length", 4.0, 0.05, 64.0, "", "of a round, in the unit"),
            TransformField("unit", BEATS, meaning="of the length", words=UNITS),
            TransformField("times", 0.0, 0.0, 1_000.0, "", "that it is repeated; 0: until it is off"),
        ),
        Loop,
    ),
    TransformKind(
        FREEZE,
        "holds what sounds while a pedal is down, at its level and in its colour of that moment",
        (
            TransformField("hold", False, 0.0, 1.0, meaning="the pedal"),
            TransformField("most", 16.0, 1.0, 64.0, "events", "that are held, the loudest"),
            TransformField("release", 0.5, 0.005, 4.0, "s", "time to fade by 60 dB after the pedal"),
        ),
        Freeze,
    ),
)
TRANSFORM: Final = {kind.name: kind for kind in TRANSFORMS}
