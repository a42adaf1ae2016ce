"""Commands that measure: evaluate, bench."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .console import Console
from .options import Commands, add_command, add_encoding, add_weights, load_weights, whole_number


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    parser = add_command(
        commands,
        "evaluate",
        run_evaluate,
        "measure quality over recordings or notes, beside baselines",
        "  struck evaluate codec recordings/\n  struck evaluate codec recordings/ --profile live --json\n"
        "  struck evaluate mars --data runs/mars/data --output evaluation",
    )
    parser.add_argument("what", choices=("codec", "mars"), help="what to measure")
    parser.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help="codec: folder of sound files")
    add_encoding(parser, default=None)
    add_weights(parser)
    _add_mars(parser.add_argument_group("mars"))
    parser.set_defaults(refuse=parser.error)

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


def _add_mars(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data",
        type=Path,
        default=Path("runs/mars/data"),
        metavar="DIR",
        help="clips that MARS was trained on, or a folder with notes/ to make some (default: runs/mars/data)",
    )
    group.add_argument(
        "--truncated",
        type=Path,
        metavar="FILE",
        help="weights trained without channel multiplexing, for a row",
    )
    group.add_argument(
        "--notes", type=whole_number(8, 10_000), default=240, metavar="N", help="notes per row (default: 240)"
    )
    group.add_argument(
        "--phrases",
        type=whole_number(0, 10_000),
        default=60,
        metavar="N",
        help="phrases per row (default: 60)",
    )
    group.add_argument(
        "--seed", type=whole_number(0, 2**31 - 1), default=0, metavar="N", help="of choice and generation"
    )
    group.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="where to generate (default: auto)"
    )
    group.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="write tables, sounds, pictures, nearest training sounds",
    )


def run_evaluate(options: argparse.Namespace, console: Console) -> None:
    if options.what == "mars":
        if options.folder is not None:
            options.refuse(f"mars takes no FOLDER; did you mean --data {options.folder}?")
        _evaluate_mars(options, console)
    else:
        if options.folder is None:
            options.refuse("codec needs a FOLDER of sound files")
        _evaluate_codec(options, console)


def _evaluate_mars(options: argparse.Namespace, console: Console) -> None:
    from ...codec.events.errors import StruckError
    from ...models.mars_extra import require_torch

    require_torch("struck evaluate mars")
    from ...models.evaluation.notes.classifiers import PhraseClassifiers
    from ...models.evaluation.phrases.additive import AdditiveSynth
    from ...models.evaluation.phrases.data import open_evaluation_data
    from ...models.evaluation.phrases.evaluation import evaluate_mars
    from ...models.evaluation.phrases.files import check_folder, write_files
    from ...models.evaluation.phrases.tables import format_text
    from ...models.mars.mars import Mars
    from ...models.shipped_weights import default_phrase_additive_path, default_phrase_classifiers_path

    if options.output is not None:
        check_folder(options.output)
    mars = Mars.load(options.weights, options.device, console.note)
    truncated = None
    if options.truncated is not None:
        truncated = Mars.load(options.truncated, options.device, console.note)
        if not truncated.phrases.tokenizer.sizes.truncated:
            raise StruckError(f"{options.truncated} has channel multiplexing: struck train mars --truncated")
    judges = PhraseClassifiers.load(default_phrase_classifiers_path())
    baseline = default_phrase_additive_path()
    additive = AdditiveSynth.load(baseline) if baseline.is_file() else None
    data, remarks = open_evaluation_data(options.data, Path("runs/evaluate/data"), console.note)
    with console.progress("evaluating", 100.0, "%") as advance:
        report = evaluate_mars(
            data,
            judges,
            mars,
            tokenizers={"notes": mars.notes.tokenizer, "phrases": mars.phrases.tokenizer},
            truncated=truncated,
            additive=additive,
            note_count=options.notes,
            phrase_count=options.phrases,
            seed=options.seed,
            remarks=remarks,
            progress=lambda done, total, what: advance(100.0 * done / total),
        )
    values, text = report.to_dict(), format_text(report)
    if options.output is not None:
        written = write_files(options.output, report, mars)
        values["files"] = [str(path) for path in written]
        text += f"\n{len(written)} files in {options.output}"
    console.finish(values, text)


def _evaluate_codec(options: argparse.Namespace, console: Console) -> None:
    from dataclasses import asdict

    from ...codec.events.profiles import PROFILES
    from ...codec.events.settle import settle
    from ...codec.measures.evaluation import Report, evaluate_folder, find_recordings
    from ...codec.measures.known_notes import NoteScore, format_notes, make_known_notes, score_note
    from ...codec.measures.tables import format_profiles, format_table
    from .file_codec import FileCodec

    weights = load_weights(options)
    names = list(PROFILES) if options.profile is None else [options.profile]
    count = len(find_recordings(options.folder))
    reports: dict[str, Report] = {}
    notes: dict[str, list[NoteScore]] = {}
    with console.progress("evaluating", count * len(names), "files") as advance:
        for name in names:
            codec = FileCodec(weights, PROFILES[name], options.refine)

            def told(done: int, total: int, file: str, before: int = count * len(reports)) -> None:
                advance(before + done)

            reports[name] = evaluate_folder(
                options.folder,
                codec,
                told,
                baselines=not reports,  # once; the pursuit takes as many numbers as the first profile
            )
            notes[name] = [score_note(note, settle(codec.hear(note.samples))) for note in make_known_notes()]
    if options.profile is None:
        console.finish(
            {
                name: report.to_dict() | {"single_notes": [asdict(score) for score in notes[name]]}
                for name, report in reports.items()
            },
            "\n\n".join(
                [format_profiles(reports), *(f"{name}: {format_notes(notes[name])}" for name in names)]
            ),
        )
        return
    [report], [scores] = reports.values(), notes.values()
    values = report.to_dict() | {"single_notes": [asdict(score) for score in scores]}
    console.finish(values, f"{format_table(report)}\n\n{format_notes(scores)}")


def run_bench(options: argparse.Namespace, console: Console) -> None:
    values: dict[str, Any]
    if options.what == "decoder":
        from ..bench.decoder import run as run_decoder_bench

        values = {**run_decoder_bench(console.report)}
    elif options.what == "engine":
        from ..bench.engine import run as run_engine_bench

        values = {**run_engine_bench(console.report)}
    elif options.what == "encoder":
        from ..bench.encoder import run as run_encoder_bench

        values = run_encoder_bench(console.report, options.full)
    elif options.what == "phrase":
        from ...models.mars_extra import require_torch

        require_torch("struck bench phrase")
        from ..bench.phrase import run as run_phrase_bench

        values = run_phrase_bench(console.report)
    else:
        from ..bench.startup import run as run_startup_bench

        values = {**run_startup_bench(console.report)}
    if console.as_json:
        console.finish(values, "")
