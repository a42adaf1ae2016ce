"""The command that trains: train."""

from __future__ import annotations

import argparse
from pathlib import Path

from .console import Console
from .options import Commands, add_command, number

_CODEC_STAGES = ("supervised", "greedy", "adversarial", "refitted")
_MARS_STAGES = ("tokenizer", "transformer", "note_tokenizer", "note_transformer")


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    parser = add_command(
        commands,
        "train",
        run_train,
        "train the networks",
        "  struck train codec --data DIR --minutes 60\n"
        "  struck train codec --data DIR --device cuda --output runs/second\n"
        "  struck train codec --data DIR --minutes 120 --resume\n"
        "  struck train codec --data DIR --stage refitted --start codec.safetensors --minutes 240\n"
        "  struck train mars --data DIR --minutes 240\n"
        "  struck train mars --data runs/mars/data --output runs/truncated --truncated\n"
        "  struck train mars --data runs/mars/data --stage transformer --start mars.safetensors\n"
        "  struck train judges --data runs/mars/data --minutes 18",
    )
    parser.add_argument("what", choices=("codec", "mars", "judges"), help="what to train")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of training sounds; mars: or clips made before",
    )
    parser.add_argument(
        "--minutes",
        type=number(0.01, 100_000),
        default=60.0,
        metavar="N",
        help="training time in minutes (default: 60)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where checkpoint, log and weights go (default: runs/codec, runs/mars, runs/judges)",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in that folder")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to compute (default: auto)"
    )
    parser.add_argument(
        "--start",
        type=Path,
        metavar="FILE",
        help="codec, mars: begin with these weights (mars: as far as they fit), where nothing is resumed",
    )
    parser.add_argument(
        "--stage",
        choices=(*_CODEC_STAGES, *_MARS_STAGES),
        help="train this stage alone, for all of the minutes; codec: one of the first four; mars: tokenizer "
        "or transformer of phrases, or those of notes, with the other networks of --start",
    )
    parser.add_argument(
        "--bfloat16",
        action="store_true",
        help="mars: networks compute in bfloat16 on a processor too: faster on those that have it, "
        "slower on others",
    )
    parser.add_argument(
        "--hours",
        type=number(0.001, 10_000),
        default=4.0,
        metavar="N",
        help="codec: hours of sound whose events are refitted for the last stage; an hour takes a core a "
        "quarter of an hour, once (default: 4)",
    )
    parser.add_argument(
        "--truncated",
        action="store_true",
        help="mars: with truncation instead of channel multiplexing, for a comparison",
    )
    parser.set_defaults(refuse=parser.error)


def run_train(options: argparse.Namespace, console: Console) -> None:
    from ...codec.events.errors import StruckError
    from ...models.mars_extra import require_torch

    if options.what != "mars" and options.truncated:
        options.refuse("--truncated is for mars")
    if options.what == "judges" and options.start is not None:
        options.refuse("--start is for codec and mars")
    if options.what != "mars" and options.bfloat16:
        options.refuse("--bfloat16 is for mars")
    stages = {"codec": _CODEC_STAGES, "mars": _MARS_STAGES}.get(options.what, ())
    if options.stage is not None and options.stage not in stages:
        options.refuse(f"{options.what} has no stage {options.stage}; {', '.join(stages) or 'it has none'}")
    if options.stage in _MARS_STAGES and options.truncated:
        options.refuse("--truncated is another tokenizer: train all of it")
    require_torch("struck train")
    if not options.data.is_dir():
        raise StruckError(f"there is no folder {options.data}")
    if options.what == "judges":
        _train_judges(options, console)
        return
    folder = options.output or Path("runs") / options.what
    common = {"resume": options.resume, "device": options.device, "report": console.report}
    if options.what == "codec":
        from ...models.codec import train as train_codec

        weights = train_codec.train(
            options.data,
            options.minutes,
            folder=folder,
            start=options.start,
            stage=options.stage,
            hours=options.hours,
            **common,
        )
    else:
        from ...models.mars import train as train_mars
        from ..inserts.synthesisers.presets import find_presets

        weights = train_mars.train(
            options.data,
            options.minutes,
            folder=folder,
            start=options.start,
            truncated=options.truncated,
            stage=options.stage,
            bfloat16=options.bfloat16,
            find_presets=find_presets,
            **common,
        )
    console.finish({"weights": str(weights)}, f"weights: {weights}")


def _train_judges(options: argparse.Namespace, console: Console) -> None:
    from ...models.evaluation.phrases.train_judges import train_judges
    from ...models.mars.phrase_data import PhraseData

    folder = options.output or Path("runs/judges")
    classifiers, additive = train_judges(
        PhraseData(options.data), options.minutes, folder=folder, report=console.report
    )
    values = {"classifiers": str(classifiers), "additive": str(additive)}
    console.finish(values, f"weights: {classifiers}, {additive}")
