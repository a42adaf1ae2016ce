"""Commands on takes: info, convert, plot, edit."""

from __future__ import annotations

import argparse
from pathlib import Path

from .console import Console, format_values
from .options import (
    Commands,
    add_command,
    add_weights,
    load_weights,
    number,
    room,
    transform,
    turn,
    whole_number,
)


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    parser = add_command(commands, "info", run_info, "show what is in a take", "  struck info song.mcap")
    parser.add_argument("input", type=Path, metavar="TAKE", help="the take to read, .mcap")

    parser = add_command(
        commands,
        "convert",
        run_convert,
        "convert between a take and its readable forms, by extension",
        "  struck convert song.mcap song.jsonl     every event, amendment and end as a line of JSON\n"
        "  struck convert song.jsonl song.mcap     and back\n"
        "  struck convert song.mcap song.mid       events as notes\n"
        "  struck convert song.mcap song.csv       a table\n"
        "  struck convert song.mcap still.mcap --settle     one vector per event",
    )
    parser.add_argument("input", type=Path, metavar="IN", help=".mcap or .jsonl")
    parser.add_argument("output", type=Path, metavar="OUT", help=".mcap, .jsonl, .mid or .csv")
    parser.add_argument(
        "--settle",
        action="store_true",
        help="write, for every event with amendments or an end, the one vector nearest to what it did",
    )
    add_weights(parser)

    parser = add_command(
        commands,
        "plot",
        run_plot,
        "draw a take as a picture",
        "  struck plot song.mcap song.png\n"
        "  struck plot song.mcap song.png --sound song.wav     over the recording it came from",
    )
    parser.add_argument("input", type=Path, metavar="TAKE", help="the take to draw, .mcap")
    parser.add_argument("output", type=Path, metavar="OUT.png", help="picture to write: .png, .svg, .pdf")
    parser.add_argument(
        "--sound", type=Path, metavar="FILE", help="draw the events over this sound (default: their own)"
    )
    add_weights(parser)

    parser = add_command(
        commands,
        "edit",
        run_edit,
        "change the events of a take",
        "  struck edit song.mcap up.mcap --transpose 7\n"
        "  struck edit song.mcap slow.mcap --stretch 2 --room 3\n"
        "  struck edit song.mcap other.mcap --perturb 0.1 --seed 4\n"
        "  struck edit song.mcap echo.mcap --tempo 96 --transform 'delay time=0.75 repeats=4'\n"
        "  struck edit song.mcap held.mcap --transform freeze --turn '2 freeze/hold 1' "
        "--turn '6 freeze/hold 0'",
    )
    parser.add_argument("input", type=Path, metavar="TAKE", help="the take to read, .mcap")
    parser.add_argument("output", type=Path, metavar="OUT", help="the take to write, .mcap")
    parser.add_argument(
        "--transpose", type=number(-120, 120), default=0.0, metavar="S", help="semitones up (default: 0)"
    )
    parser.add_argument(
        "--stretch",
        type=number(1 / 64, 64),
        default=1.0,
        metavar="X",
        help="make everything X times as long, 1/64 to 64 (default: 1)",
    )
    parser.add_argument(
        "--thin",
        type=number(0, 200),
        metavar="DB",
        help="drop events more than this many dB softer than the loudest, 0 to 200 (default: keep all)",
    )
    parser.add_argument(
        "--room",
        type=room,
        metavar="R",
        help="put all events into room R: a name, or 0 (small) to 3 (large) (default: each its own)",
    )
    parser.add_argument(
        "--room-mix",
        type=number(0, 1),
        default=0.3,
        metavar="SHARE",
        help="with --room: share of the amplitude that goes to the room, 0 to 1 (default: 0.3)",
    )
    parser.add_argument(
        "--randomize-vectors", action="store_true", help="keep times and gains, draw every vector anew"
    )
    parser.add_argument(
        "--randomize-times", action="store_true", help="keep the sounds, draw every onset anew"
    )
    parser.add_argument(
        "--perturb",
        type=number(0, 2),
        default=0.0,
        metavar="A",
        help="add noise of this standard deviation to the vectors, 0 to 2 (default: 0)",
    )
    parser.add_argument(
        "--transform",
        action="append",
        default=[],
        type=transform,
        metavar="'KIND KEY=VALUE...'",
        help="what patches do to events, as 'scale root=D', 'gate level_db=-40'; may be repeated; an unknown "
        "kind is told which there are (all their values: docs/patches.md)",
    )
    parser.add_argument(
        "--turn",
        action="append",
        default=[],
        type=turn,
        metavar="'SECONDS NAME/KEY VALUE'",
        help="turn a value of a transform at a time, as '4.5 freeze/hold 1'; the second of a kind is called "
        "KIND2; may be repeated",
    )
    parser.add_argument(
        "--tempo",
        type=number(1, 1000),
        default=120.0,
        metavar="BPM",
        help="of transforms that count in beats; beat 0 is at 0 s (default: 120)",
    )
    add_weights(parser)
    parser.add_argument(
        "--seed", type=whole_number(0, 2**32 - 1), default=0, metavar="N", help="random seed (default: 0)"
    )


def run_info(options: argparse.Namespace, console: Console) -> None:
    from ...codec.takes.takes import summarise_take

    values = summarise_take(options.input)
    console.finish(values, format_values(values))


def run_convert(options: argparse.Namespace, console: Console) -> None:
    from ...codec.pipeline import refuse_same_file
    from ...codec.takes.conversions import convert

    refuse_same_file(options.input, options.output)
    # Only a table tells what is heard of an event, which the weights decide.
    weights = load_weights(options) if options.output.suffix.lower() == ".csv" else None
    convert(options.input, options.output, weights, settled=options.settle)
    _finish_file(options, console)


def run_plot(options: argparse.Namespace, console: Console) -> None:
    from ...codec.files.audio_files import read_mono
    from ...codec.files.part_files import part_file
    from ...codec.pipeline import ANALYSIS_RATE, refuse_other_extension, refuse_same_file, render_samples
    from ...codec.takes.takes import TakeReader
    from ..screen.plots import plot_take

    refuse_same_file(options.input, options.output)
    refuse_other_extension(options.output, ".png", ".svg", ".pdf")
    take = TakeReader(options.input)
    items = list(take.items())
    if options.sound is not None:
        samples = read_mono(options.sound, ANALYSIS_RATE, console.note)
        signal_name = options.sound.name
    else:
        weights = load_weights(options)
        take.check_weights(weights)
        samples, signal_name = render_samples(weights, items, ANALYSIS_RATE), "sound of the events"
    with part_file(options.output) as part:
        plot_take(part, items, samples, ANALYSIS_RATE, name=options.input.name, signal_name=signal_name)
    _finish_file(options, console)


def run_edit(options: argparse.Namespace, console: Console) -> None:
    from ...codec.events.errors import StruckError
    from ...codec.pipeline import refuse_other_extension, refuse_same_file
    from ...codec.takes.conversions import edit_take
    from ...codec.transforms.edits import Edit

    refuse_same_file(options.input, options.output)
    refuse_other_extension(options.output, ".mcap")
    if options.turn and not options.transform:
        raise StruckError("--turn turns a value of a --transform, and none is asked for")
    edit = Edit(
        transpose_semitones=options.transpose,
        stretch=options.stretch,
        thin_db=options.thin,
        room=options.room,
        room_mix=options.room_mix,
        randomize_vectors=options.randomize_vectors,
        randomize_times=options.randomize_times,
        perturb=options.perturb,
        seed=options.seed,
        transforms=tuple(options.transform),
        turns=tuple(options.turn),
        tempo_bpm=options.tempo,
    )
    weights = load_weights(options) if edit.freezes else None
    before, after = edit_take(options.input, options.output, edit, weights)
    console.finish(
        {
            "input": str(options.input),
            "output": str(options.output),
            "event_count_before": before,
            "event_count": after,
            "notes": _tell_losses(options, console),
        },
        f"{options.output}: {after:,} of {before:,} events",
    )


def _finish_file(options: argparse.Namespace, console: Console) -> None:
    byte_count = options.output.stat().st_size
    console.finish(
        {
            "input": str(options.input),
            "output": str(options.output),
            "byte_count": byte_count,
            "notes": _tell_losses(options, console),
        },
        f"{options.output}: {byte_count:,} bytes",
    )


def _tell_losses(options: argparse.Namespace, console: Console) -> list[str]:
    """Note what of the input is missing; the lines, for the result."""
    from ...codec.takes.conversions import describe_losses

    losses = describe_losses(options.input)
    for line in losses:
        console.note(line)
    return losses
