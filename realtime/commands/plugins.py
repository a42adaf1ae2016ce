"""The commands ``struck plugins``: which plug-ins there are, what they are like, how they sound."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...codec.events.errors import StruckError
from ...patches.insert_patch import HOSTS
from .console import Console
from .options import Commands, add_command, number, subtype

if TYPE_CHECKING:
    from ...patches.insert_patch import InsertPatch
    from ..inserts.hosts.catalogue import Catalogue
    from ..inserts.plugins.plugin import PluginInfo


def add_to(commands: Commands) -> None:
    """Add these commands to the command line."""
    group = commands.add_parser(
        "plugins",
        help="list, show and try plug-ins: LV2, VST3, pyo's and pedalboard's own",
        description="List, show and try plug-ins: LV2, VST3, pyo's and pedalboard's own.",
    )
    actions = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    parser = add_command(
        actions,
        "list",
        run_list,
        "list the plug-ins that can be inserted",
        "  struck plugins list\n  struck plugins list --host lv2 --json",
    )
    parser.add_argument("--host", choices=HOSTS, help="of this host only")
    parser.set_defaults(words=[])

    parser = add_command(
        actions,
        "search",
        run_list,
        "list the plug-ins in whose name, maker or category all words stand",
        "  struck plugins search reverb\n  struck plugins search zam eq",
    )
    parser.add_argument("words", nargs="+", metavar="WORD")
    parser.set_defaults(host=None)

    parser = add_command(
        actions,
        "show",
        run_show,
        "show a plug-in's parameters, presets and latency",
        "  struck plugins show ZamEQ2 --host lv2\n  struck plugins show urn:zamaudio:ZamEQ2 --json",
    )
    _add_name(parser)

    parser = add_command(
        actions,
        "try",
        run_try,
        "let a sound file through a plug-in",
        "  struck plugins try urn:zamaudio:ZamEQ2 in.wav out.wav --set boost1=6 --set f1=200\n"
        "  struck plugins try 'Dragonfly Plate Reverb' in.wav out.wav --preset 'Bright Plate'",
    )
    _add_name(parser)
    parser.add_argument("input", type=Path, metavar="IN.wav", help="any sound file, rate and channels")
    parser.add_argument("output", type=Path, metavar="OUT.wav", help="sound file to write: .wav, .flac, .ogg")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="NAME=X",
        help="set a parameter; may be repeated",
    )
    parser.add_argument("--preset", default="", metavar="P", help="one of its presets, by name")
    parser.add_argument("--wet", type=number(0.0, 1.0), default=1.0, metavar="X", help="share of its sound")
    parser.add_argument(
        "--bits", choices=("16", "24", "float"), help="sample format (default: 24; float does not clip)"
    )
    parser.add_argument("--plugin-log", type=Path, metavar="FILE", help="append what plug-ins print")


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="its name or identifier, see struck plugins list")
    parser.add_argument("--host", choices=HOSTS, help="where several hosts know the name")


def run_list(options: argparse.Namespace, console: Console) -> None:
    with console.progress("looking at plug-ins", None, "") as advance:
        found = _catalogue(console, advance).search(" ".join(options.words))
    if options.host is not None:
        found = [info for info in found if info.host == options.host]
    width = max((len(info.name) for info in found), default=0)
    lines = [f"{info.name:{width}}  {info.host:10}  {_shape(info):12}  {info.identifier}" for info in found]
    lines.append(f"{len(found):,} plug-ins")
    console.finish({"plugins": [info.to_dict() for info in found]}, "\n".join(lines))


def run_show(options: argparse.Namespace, console: Console) -> None:
    from ..inserts.hosts.probe import probe_plugin

    with console.progress("looking at plug-ins", None, "") as advance:
        info = _catalogue(console, advance).find(options.name, options.host)
    found = probe_plugin(info.host, info.identifier)
    console.finish(found, _describe(info, found))


def run_try(options: argparse.Namespace, console: Console) -> None:
    from ...codec.files.part_files import refuse_same_file

    refuse_same_file(options.input, options.output)
    with console.progress("looking at plug-ins", None, "") as advance:
        info = _catalogue(console, advance).find(options.name, options.host)
    if info.refused:
        raise StruckError(f"{info.name} cannot be inserted: {info.refused}")
    insert = _insert(info, options)
    values, notes = _play_file(insert, options, console)
    for note in notes:
        console.note(note)
    console.finish(values, f"{values['output']}: {values['duration_seconds']:.1f} s through {info.name}")


def _play_file(
    insert: InsertPatch, options: argparse.Namespace, console: Console
) -> tuple[dict[str, Any], list[str]]:
    from contextlib import closing

    from ...codec.files.audio_writer import AudioWriter
    from ..inserts.rack.offline import CHANNELS, OfflineInserts
    from ..inserts.rack.stereo_file import StereoFile

    told: list[str] = []
    with StereoFile(options.input) as source:
        inserts = OfflineInserts((insert,), (insert.place,), source.rate, told.append, options.plugin_log)
        with (
            AudioWriter(options.output, source.rate, CHANNELS, subtype(options)) as writer,
            closing(inserts.play(source.blocks())) as blocks,
            console.progress("playing", source.seconds) as advance,
        ):
            for block in blocks:
                if told:  # what one wanted to hear is not there: a file without it is of no use
                    raise StruckError(told[0])
                writer.write(block)
                advance(writer.frame_count / source.rate)
    values = {
        "input": str(options.input),
        "output": str(options.output),
        "plugin": insert.plugin,
        "rate_hz": writer.rate,
        "duration_seconds": writer.frame_count / writer.rate,
        "clipped_sample_count": writer.clipped_count,
    }
    return values, writer.notes


def _insert(info: PluginInfo, options: argparse.Namespace) -> InsertPatch:
    from ...patches.insert_patch import InsertPatch

    insert = InsertPatch("master", info.host, info.identifier, name=info.name, wet=options.wet)
    return replace(insert, preset=options.preset, parameters=dict(options.set))


def _catalogue(console: Console, advance: Any) -> Catalogue:
    from ..inserts.hosts.catalogue import Catalogue, cache_path

    return Catalogue(cache_path(), console.note, advance)


def _setting(text: str) -> tuple[str, float]:
    """Argument type: ``NAME=X``."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=X")
    return name, number(-1e9, 1e9)(value)


def _shape(info: PluginInfo) -> str:
    if info.refused:
        return "refused"
    if info.is_instrument:
        return "instrument"
    return f"{info.audio_inputs} in {info.audio_outputs} out"


def _describe(info: PluginInfo, found: dict[str, Any]) -> str:
    lines = [f"{info.name} by {info.maker or 'unknown'}, {info.category or info.host}", info.identifier]
    lines.append(f"latency {found['latency_samples']} samples at 48 kHz")
    rows = []
    for p in found["parameters"]:
        span = f"{p['low']:g} to {p['high']:g} {p['unit']}".strip()
        choices = ", ".join(f"{float(value):g} {name}" for value, name in (p["choices"] or {}).items())
        rows.append((p["symbol"], span, f"{p['default']:g}", p["scale"], choices or p["name"]))
    if rows:
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        lines += ["", "parameter, range, default, scale, meaning"]
        for row in rows:
            cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[4]]).rstrip())
    if found["presets"]:
        lines += ["", f"presets: {', '.join(found['presets'])}"]
    if not found["is_finite"]:
        lines += ["", "its sound is no number now and then: it would pass dry there"]
    return "\n".join(lines)
