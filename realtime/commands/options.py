"""Options that several commands share, and checked argument types."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import Console

if TYPE_CHECKING:
    from ...codec.pipeline import Through
    from ...codec.transforms.transform import TransformSettings, Turn
    from ...codec.weights.codec_weights import CodecWeights

#: ``add_parser`` of this makes a command.
Commands = Any
Run = Callable[[argparse.Namespace, Console], None]

#: Where an insert must stand to be heard in sound made from events.
FILE_PLACES = ("events", "master")
PROFILE_NAMES = ("studio", "live", "tight", "instant")
_SUBTYPES = {"16": "PCM_16", "24": "PCM_24", "float": "FLOAT"}


def add_command(
    commands: Commands, name: str, run: Run, summary: str, example: str
) -> argparse.ArgumentParser:
    """A command with ``--json``, its help made of one sentence and examples."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=f"examples:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    parser.set_defaults(run=run)
    return parser


def add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="trained weights, .safetensors (default: those shipped)"
    )


def add_patches(parser: Any) -> None:
    """``--patches``, to a parser or a group of one."""
    parser.add_argument(
        "--patches",
        type=Path,
        metavar="DIR",
        help="folder of your own patches (default: struck/patches in $XDG_CONFIG_HOME or ~/.config)",
    )


def add_encoding(parser: argparse.ArgumentParser, default: str | None = "studio") -> None:
    """Options of the encoder; without ``default`` all profiles are meant where none is named."""
    parser.add_argument(
        "--profile",
        choices=PROFILE_NAMES,
        default=default,
        help="how far the encoder looks ahead: studio 3 s, live 0.19 s, tight 0.05 s, instant 0.01 s "
        f"(default: {default or 'all, one after another'})",
    )
    parser.add_argument(
        "--refine",
        type=whole_number(0, 1000),
        metavar="N",
        help="effort: N gradient steps improve events before they are told; in studio N in each of twelve "
        "rounds of picking, and 4 N at last; 0: as they are read (default: studio 6, live 16, tight 12, "
        "instant 20)",
    )


def add_sound_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--rate",
        type=output_rate,
        default=48_000,
        metavar="HZ",
        help="sample rate of the output, a multiple of 150 from 22050 to 192000 (default: 48000)",
    )
    parser.add_argument(
        "--bits",
        choices=tuple(_SUBTYPES),
        help="sample format of a .wav or .flac (default: 24; float does not clip, .wav only)",
    )


def add_inserts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--patch",
        metavar="P",
        help="let the sound through a patch's inserts (events, master); it gets stereo",
    )
    add_patches(parser)
    parser.add_argument(
        "--plugin-log", type=Path, metavar="FILE", help="append what plug-ins print to this file"
    )


def insert_chain(options: argparse.Namespace, console: Console) -> Through | None:
    """What lets a sound through the inserts of ``--patch``; None where it has none.

    Raises:
        StruckError: there is no such patch, or it is broken.
    """
    if options.patch is None:
        return None
    from ...patches.shelf import Shelf
    from ..engine.parameters import check_controls
    from ..inserts.rack.offline import OfflineInserts

    patch = Shelf(options.patches).open(options.patch)
    check_controls(patch)
    inserts = patch.inserts
    for insert in inserts:
        if insert.place not in FILE_PLACES:
            console.note(f"insert {insert.name} stands at {insert.place}, where no sound from a file passes")
    if not any(insert.place in FILE_PLACES for insert in inserts):
        return None
    return OfflineInserts(inserts, FILE_PLACES, options.rate, console.note, options.plugin_log)


def load_weights(options: argparse.Namespace) -> CodecWeights:
    """The weights that ``--weights`` names, or those shipped."""
    from ...codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

    return load_codec_weights(options.weights or default_codec_weights_path())


def load_shipped_weights() -> CodecWeights:
    """The codec's weights that come with struck."""
    from ...codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

    return load_codec_weights(default_codec_weights_path())


def subtype(options: argparse.Namespace) -> str | None:
    """libsndfile's name of the sample format that ``--bits`` asks for."""
    return _SUBTYPES.get(options.bits)


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Argument type: an integer in a range."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{value} is outside {low} to {high}")
        return value

    return parse


def output_rate(text: str) -> int:
    """Argument type: a sample rate in Hz at which the decoder can render."""
    rate = whole_number(22_050, 192_000)(text)
    if rate % 150:
        raise argparse.ArgumentTypeError(f"{rate} is not a multiple of 150")
    return rate


def room(text: str) -> int:
    """Argument type: a room by its name or number."""
    from ...codec.transforms.edits import room_number

    try:
        return room_number(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def transform(text: str) -> TransformSettings:
    """Argument type: a kind of transform and its values, ``scale root=D strength=0.5``; lists with commas."""
    from ...codec.events.errors import StruckError
    from ...codec.transforms.kinds import TRANSFORM
    from ...patches.section import Section
    from ...patches.transform_patch import read_transform

    kind, *pairs = text.split()
    values: dict[str, Any] = {"kind": kind}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise argparse.ArgumentTypeError(f"{pair!r} is not KEY=VALUE")
        fields = {field.name: field.default for field in TRANSFORM[kind].fields} if kind in TRANSFORM else {}
        if isinstance(fields.get(name), tuple):
            values[name] = value.split(",")
        elif isinstance(fields.get(name), bool):
            values[name] = {"true": True, "false": False}.get(value, value)
        else:
            try:
                values[name] = float(value)
            except ValueError:
                values[name] = value
    try:
        return read_transform(Section(f"transform {kind}", values))
    except StruckError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def turn(text: str) -> Turn:
    """Argument type: a value of a transform, turned at a time: ``4.5 freeze/hold 1``."""
    from ...codec.transforms.transform import Turn

    parts = text.split()
    try:
        at_seconds, value = float(parts[0]), float(parts[2])
        name, field = parts[1].split("/")
    except (IndexError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not SECONDS NAME/KEY VALUE") from None
    if len(parts) != 3 or not (math.isfinite(at_seconds) and at_seconds >= 0.0 and math.isfinite(value)):
        raise argparse.ArgumentTypeError(f"{text!r} is not SECONDS NAME/KEY VALUE")
    return Turn(at_seconds, name, field, value)


def number(low: float, high: float) -> Callable[[str], float]:
    """Argument type: a finite number in a range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None
        if not (math.isfinite(value) and low <= value <= high):
            raise argparse.ArgumentTypeError(f"{text} is outside {low:g} to {high:g}")
        return value

    return parse
