"""The command that generates: phrase."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...codec.events.errors import StruckError
from ...models.mars.chords import CHORDS, parse_chords
from ...models.mars.conditions import FAMILIES, STYLES, SWING_RANGE_PERCENT, TEMPO_RANGE_BPM, PhraseConditions
from ...models.mars_extra import require_torch
from ..phrases.pitch_ranges import describe_move, into_range
from .console import Console
from .options import (
    Commands,
    add_command,
    add_sound_output,
    load_shipped_weights,
    number,
    subtype,
    whole_number,
)

#: Options that are handed to :class:`struck.models.mars.mars.Sampling`, by its names.
_SAMPLING = ("guidance", "temperature", "top_k", "top_p")


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    parser = add_command(
        commands,
        "phrase",
        run_phrase,
        "generate a backing phrase, or a single note, with MARS",
        "  struck phrase backing.wav --pitch 48 --instrument guitar --chord minor --tempo 96\n"
        "  struck phrase note.wav --pitch 60 --style single --instrument flute --velocity 80\n"
        "  struck phrase chorus.wav --pitch 40 --style bass --count 8         eight that run on\n"
        '  struck phrase verse.wav --pitch 48 --style comping --chords "Am F C G"   a chord a bar\n'
        "  struck phrase beat.flac --pitch 36 --style percussion --seed 7 --as-events beat.mcap",
    )
    parser.add_argument(
        "output",
        type=Path,
        metavar="OUT",
        help="sound file to write: .wav, .flac, .ogg; or .mcap: a take of what the codec hears in it",
    )
    what = parser.add_argument_group("what it shall be")
    what.add_argument(
        "--pitch",
        type=whole_number(0, 127),
        default=60,
        metavar="P",
        help="MIDI pitch of the note, or of the chord's root, 0 to 127; moved by octaves into what the "
        "instrument plays (default: 60)",
    )
    what.add_argument(
        "--velocity", type=whole_number(1, 127), default=100, metavar="V", help="1 to 127 (default: 100)"
    )
    for word, names, default in (
        ("style", STYLES, "arpeggio"),
        ("instrument", FAMILIES, "piano"),
        ("chord", tuple(CHORDS), "major"),
    ):
        what.add_argument(
            f"--{word}",
            type=_name(word),
            default=default,
            metavar="NAME",
            help=f"{', '.join(names)} (default: {default})",
        )
    what.add_argument(
        "--chords",
        metavar="NAMES",
        help="a progression instead, one chord a bar, as in 'Am F C G' or 'Dm7 G7 Cmaj7 A7'; roots lie near "
        "--pitch (an odd number of bars is played twice)",
    )
    what.add_argument(
        "--tempo",
        type=number(*TEMPO_RANGE_BPM),
        default=120.0,
        metavar="BPM",
        help="beats per minute, 60 to 240 (default: 120)",
    )
    what.add_argument(
        "--swing",
        type=number(*SWING_RANGE_PERCENT),
        default=SWING_RANGE_PERCENT[0],
        metavar="PERCENT",
        help="where a beat's second eighth begins, 50 to 70 percent of it: 50 straight, 66.7 a triplet "
        "(default: 50)",
    )
    what.add_argument(
        "--count",
        type=whole_number(1, 64),
        default=1,
        metavar="N",
        help="phrases of eight beats, each going on from the one before, joined without a seam; with "
        "--chords so many passes (default: 1)",
    )
    how = parser.add_argument_group("how it is made")
    how.add_argument(
        "--seed",
        type=whole_number(0, 2**32 - 1),
        default=0,
        metavar="N",
        help="random seed: the same seed makes the same phrase on the same device (default: 0)",
    )
    how.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (default: auto)"
    )
    how.add_argument(
        "--guidance",
        type=number(0.0, 20.0),
        metavar="X",
        help="guidance strength: how closely it follows what is asked for, 0 to 20 (default: the network's)",
    )
    how.add_argument(
        "--temperature",
        type=number(0.0, 4.0),
        metavar="X",
        help="sampling temperature, 0 to 4: lower is more predictable, 0 takes the most likely token "
        "(default: the network's)",
    )
    how.add_argument(
        "--top-k",
        type=whole_number(0, 65_536),
        metavar="N",
        help="sample from the N most likely tokens, 0 from all (default: the network's)",
    )
    how.add_argument(
        "--top-p",
        type=number(0.0, 1.0),
        metavar="X",
        help="sample from the most likely tokens that add up to this probability (default: the network's)",
    )
    how.add_argument(
        "--phase",
        choices=("heap", "griffin-lim"),
        default="heap",
        help="how phases are found: heap integration, or 30 rounds of Griffin-Lim (default: heap)",
    )
    how.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="trained weights of MARS, .safetensors (default: those shipped)",
    )
    parser.add_argument(
        "--as-events",
        type=Path,
        metavar="TAKE",
        help="also write what the codec hears in a sound file as a take, .mcap",
    )
    add_sound_output(parser)


def run_phrase(options: argparse.Namespace, console: Console) -> None:
    require_torch("struck phrase")
    from ..phrases.files import PhraseFiles, join_phrases, make_phrases, write_phrases

    asked = PhraseConditions(
        options.pitch,
        options.velocity,
        options.style,
        options.instrument,
        options.chord,
        options.tempo,
        swing_percent=options.swing,
    )
    row = [asked] * options.count if options.chords is None else progression(asked, options.chords)
    if options.chords is not None:
        row *= options.count
    played = [into_range(one) for one in row]
    conditions = played[0]
    files = PhraseFiles(options.output, options.rate, subtype(options), options.as_events)
    weights = None if files.take is None else load_shipped_weights()
    with console.patience("loading the networks"):
        from ...models.mars.mars import Sampling
        from ..phrases.mars_loader import load_mars

        mars = load_mars(options.weights, options.device, console.note)
    given = {name: getattr(options, name) for name in _SAMPLING if getattr(options, name) is not None}
    with console.progress("generating", len(played), "phrases") as advance:
        phrases = make_phrases(mars, played, options.seed, Sampling(**given), options.phase, advance)
    sound = join_phrases([phrase.samples for phrase in phrases], conditions.loop_seconds)
    written, notes = write_phrases(files, sound, weights, f"phrase {conditions.pitch} {conditions.style}")
    moved = [describe_move(one, here) for one, here in zip(row, played, strict=True)]
    notes = [*dict.fromkeys(line for line in moved if line is not None), *notes]
    for note in notes:
        console.note(note)
    values: dict[str, Any] = {
        **written,
        **conditions.as_dict(),
        "chords": [chord for one in played for chord in one.chords],
        "count": len(played),
        "seed": options.seed,
        "beats": conditions.beats,
        "loop_seconds": conditions.loop_seconds,
        "device": mars.device,
        "weights": mars.name,
        "seconds": [phrase.seconds for phrase in phrases],
        "notes": notes,
    }
    total = sum(sum(phrase.seconds.values()) for phrase in phrases)
    plural = "" if len(played) == 1 else "s"
    text = (
        f"{options.output}: {len(played)} phrase{plural} of {conditions.loop_seconds:.2f} s "
        f"({conditions.style}, {conditions.instrument}), made in {total:.2f} s on {mars.device}"
    )
    if files.take is not None:
        text += f"; {values['take']}: {values['event_count']} events"
    console.finish(values, text)


def progression(conditions: PhraseConditions, text: str) -> list[PhraseConditions]:
    """Phrases with two bars each, a chord a bar, as written in ``text``; twice as many where bars are odd.

    Raises:
        StruckError: a chord is not understood, or nothing that has one is asked for.
    """
    if not conditions.has_chord:
        raise StruckError(f"--chords is for phrases that have a chord, not for {conditions.style}")
    try:
        chords = parse_chords(text, conditions.pitch)
    except ValueError as error:
        raise StruckError(str(error)) from None
    if len(chords) % 2:
        chords *= 2
    pairs = zip(chords[::2], chords[1::2], strict=True)
    return [replace(conditions, pitch=a[0], chord=a[1], chords=(a, b)) for a, b in pairs]


def _name(word: str) -> Callable[[str], str]:
    """Argument type: a style, an instrument or a chord by one of its names."""

    def parse(text: str) -> str:
        asked: dict[str, Any] = {word: text}
        try:
            known = PhraseConditions(**asked)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
        return str(getattr(known, word))

    return parse
