"""Commands that measure: evaluate, bench."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .console import Console
from .options import Commands, add_command, add_encoding, add_weights, load_weights


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    parser = add_command(
        commands,
        "evaluate",
        run_evaluate,
        "measure quality and rate over a folder of recordings, beside baselines",
        "  struck evaluate codec recordings/\n  struck evaluate codec recordings/ --profile live --json",
    )
    parser.add_argument("what", choices=("codec",), help="what to measure")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of sound files")
    add_encoding(parser)
    add_weights(parser)

    parser = add_command(
        commands,
        "bench",
        run_bench,
        "measure speed on this machine",
        "  struck bench decoder\n  struck bench engine\n  struck bench encoder --full --json",
    )
    parser.add_argument(
        "what", choices=("decoder", "engine", "encoder", "startup", "phrase"), help="what to measure"
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="encoder: also ten minutes of sound and the rendering of an hour (takes several minutes)",
    )


def run_evaluate(options: argparse.Namespace, console: Console) -> None:
    from ..codec.evaluation import evaluate_folder, find_recordings, format_table
    from ..codec.profiles import PROFILES
    from .file_codec import FileCodec

    codec = FileCodec(load_weights(options), PROFILES[options.profile], options.refine)
    count = len(find_recordings(options.folder))
    with console.progress("evaluating", count, "files") as advance:
        report = evaluate_folder(options.folder, codec, lambda done, total, name: advance(done))
    console.finish(report.to_dict(), format_table(report))


def run_bench(options: argparse.Namespace, console: Console) -> None:
    values: dict[str, Any]
    if options.what == "decoder":
        from .bench_decoder import run as run_decoder_bench

        values = {**run_decoder_bench(console.report)}
    elif options.what == "engine":
        from .bench_engine import run as run_engine_bench

        values = {**run_engine_bench(console.report)}
    elif options.what == "encoder":
        from .bench_encoder import run as run_encoder_bench

        values = run_encoder_bench(console.report, options.full)
    elif options.what == "phrase":
        from .bench_phrase import run as run_phrase_bench

        values = run_phrase_bench(console.report)
    else:
        from .bench_startup import run as run_startup_bench

        values = {**run_startup_bench(console.report)}
    if console.as_json:
        console.finish(values, "")
