"""Commands between sound and takes: encode, render, resynth."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import COMPILING, Console
from .options import (
    Commands,
    add_command,
    add_encoding,
    add_inserts,
    add_sound_output,
    add_weights,
    insert_chain,
    load_weights,
    subtype,
)

if TYPE_CHECKING:
    from ...codec.hearing.following.hearing import Hearing
    from ...codec.weights.codec_weights import CodecWeights


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    parser = add_command(
        commands,
        "encode",
        run_encode,
        "hear a sound file as events and write them as a take",
        "  struck encode song.wav song.mcap\n"
        "  struck encode song.flac song.mcap --refine 20     finer, slower\n"
        "  struck encode drums.wav drums.mcap --profile tight",
    )
    parser.add_argument("input", type=Path, metavar="IN.wav", help="any sound file, rate and channels")
    parser.add_argument("output", type=Path, metavar="TAKE", help="the take to write, .mcap")
    add_encoding(parser)
    parser.add_argument(
        "--exact", action="store_true", help="keep vectors as 32-bit floats (default: quantised, far smaller)"
    )
    add_weights(parser)

    parser = add_command(
        commands,
        "render",
        run_render,
        "play a take into a sound file",
        "  struck render song.mcap song.wav\n  struck render song.mcap song.flac --rate 44100 --bits 16\n"
        "  struck render song.mcap hall.wav --patch hall          through a patch's inserts",
    )
    parser.add_argument("input", type=Path, metavar="TAKE", help="the take to play, .mcap")
    parser.add_argument("output", type=Path, metavar="OUT.wav", help="sound file to write: .wav, .flac, .ogg")
    add_sound_output(parser)
    add_inserts(parser)
    add_weights(parser)

    parser = add_command(
        commands,
        "resynth",
        run_resynth,
        "encode a sound file and render what was heard, without a take in between",
        "  struck resynth song.wav heard.wav\n"
        "  struck resynth song.wav stage.wav --profile live     as it would sound live",
    )
    parser.add_argument("input", type=Path, metavar="IN.wav", help="any sound file, rate and channels")
    parser.add_argument("output", type=Path, metavar="OUT.wav", help="sound file to write: .wav, .flac, .ogg")
    add_encoding(parser)
    add_sound_output(parser)
    add_inserts(parser)
    add_weights(parser)


def run_encode(options: argparse.Namespace, console: Console) -> None:
    from ...codec.pipeline import encode_file

    weights, hearing = _make_hearing(options, console)
    with console.progress("encoding", _seconds(options.input)) as advance:
        values, notes = encode_file(options.input, options.output, weights, hearing, options.exact, advance)
    _finish(
        console,
        values,
        notes,
        f"{values['output']}: {values['event_count']:,} events "
        f"from {values['duration_seconds']:.1f} s of sound, "
        f"{values['byte_count']:,} bytes ({values['kilobits_per_second']:.1f} kbit/s), "
        f"in {values['elapsed_seconds']:.1f} s",
    )


def run_render(options: argparse.Namespace, console: Console) -> None:
    from ...codec.pipeline import render_take

    weights, through = load_weights(options), insert_chain(options, console)
    _get_ready_to_play(console)
    with console.progress("rendering", None) as advance:
        values, notes = render_take(
            options.input, options.output, weights, options.rate, subtype(options), advance, through
        )
    _finish(console, values, notes, _describe_sound(values))


def run_resynth(options: argparse.Namespace, console: Console) -> None:
    from ...codec.pipeline import resynthesise

    weights, hearing = _make_hearing(options, console)
    through = insert_chain(options, console)
    _get_ready_to_play(console)
    with console.progress("listening and playing", _seconds(options.input)) as advance:
        values, notes = resynthesise(
            options.input,
            options.output,
            weights,
            hearing,
            options.rate,
            subtype(options),
            advance,
            through,
        )
    _finish(console, values, notes, f"{_describe_sound(values)} from {values['event_count']:,} events")


def _make_hearing(options: argparse.Namespace, console: Console) -> tuple[CodecWeights, Hearing]:
    """What hears as the options say; the first time on a machine, its kernels are compiled."""
    from ...codec.events.profiles import PROFILES

    weights = load_weights(options)
    with console.patience(COMPILING):
        from ...codec.hearing.following.hearing import make_hearing

        return weights, make_hearing(weights, PROFILES[options.profile], options.refine)


def _get_ready_to_play(console: Console) -> None:
    """Load the kernels that play, or compile them the first time, two at once."""
    with console.patience(COMPILING):
        from ...codec.kernel_builds import built_beside

        with built_beside("struck.codec.playing.arrivals"):
            from ...codec.playing import block  # noqa: F401
        from ...codec.playing import decoder  # noqa: F401


def _seconds(path: Path) -> float:
    from ...codec.files.audio_files import open_audio

    with open_audio(path) as reader:
        return reader.duration_seconds


def _describe_sound(values: dict[str, Any]) -> str:
    return (
        f"{values['output']}: {values['duration_seconds']:.1f} s at {values['rate_hz']:,} Hz, "
        f"in {values['elapsed_seconds']:.1f} s"
    )


def _finish(console: Console, values: dict[str, Any], notes: list[str], text: str) -> None:
    for note in notes:
        console.note(note)
    console.finish(values | {"notes": notes}, text)
