"""The command that trains: train."""

from __future__ import annotations

import argparse
from pathlib import Path

from .console import Console
from .options import Commands, add_command, number


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
        "  struck train mars --data DIR --minutes 240\n"
        "  struck train judges --data runs/mars/data --minutes 18",
    )
    parser.add_argument("what", choices=("codec", "mars", "judges"), help="what to train")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of training sounds")
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


def run_train(options: argparse.Namespace, console: Console) -> None:
    from ..codec.errors import StruckError

    if not options.data.is_dir():
        raise StruckError(f"there is no folder {options.data}")
    if options.what == "judges":
        _train_judges(options, console)
        return
    from ..models import train_codec, train_mars

    train = train_codec.train if options.what == "codec" else train_mars.train
    weights = train(
        options.data,
        options.minutes,
        folder=options.output or Path("runs") / options.what,
        resume=options.resume,
        device=options.device,
        report=console.report,
    )
    console.finish({"weights": str(weights)}, f"weights: {weights}")


def _train_judges(options: argparse.Namespace, console: Console) -> None:
    from ..models.phrase_data import PhraseData
    from ..models.train_judges import train_judges

    folder = options.output or Path("runs/judges")
    classifiers, additive = train_judges(
        PhraseData(options.data), options.minutes, folder=folder, report=console.report
    )
    values = {"classifiers": str(classifiers), "additive": str(additive)}
    console.finish(values, f"weights: {classifiers}, {additive}")
