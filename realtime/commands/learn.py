"""The command ``struck learn``: controllers to maps, by moving them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...codec.events.errors import StruckError
from ...patches.map_patch import CURVES, ENCODERS, TAKEOVERS
from .console import Console
from .options import Commands, add_command, number

if TYPE_CHECKING:
    from ...patches.map_patch import MapEntry

_LOOK_SECONDS: Final = 0.02


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    parser = add_command(
        commands,
        "learn",
        run_learn,
        "learn what a MIDI controller's knobs turn, by moving them, and keep it in a map file",
        "  struck learn --midi-in nano --map nano.toml decay room events_db\n"
        "  struck learn --midi-in nano --map nano.toml transpose --low -12 --high 12\n"
        "  struck learn --midi-in nano --map nano.toml --unlearn room\n"
        "  struck learn --midi-in nano                    only show what is moved",
    )
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help="a control, insert/NAME/PARAMETER, an action"
    )
    parser.add_argument("--midi-in", metavar="N", help="port of the controller; virtual:NAME makes one")
    parser.add_argument("--map", type=Path, metavar="FILE", help="map file to make, or to add to, .toml")
    parser.add_argument(
        "--unlearn",
        action="append",
        default=[],
        metavar="TARGET",
        help="nothing turns it any more; repeatable",
    )
    parser.add_argument("--low", type=number(-1e9, 1e9), metavar="X", help="lower end, in the target's unit")
    parser.add_argument("--high", type=number(-1e9, 1e9), metavar="X", help="upper end; below --low inverts")
    parser.add_argument("--curve", choices=CURVES, default="", help="the way between (default: the target's)")
    parser.add_argument("--takeover", choices=TAKEOVERS, default="pickup", help="default: pickup")
    parser.add_argument(
        "--encoder", choices=ENCODERS, default="absolute", help="code of an endless encoder (default: none)"
    )
    parser.add_argument("--feedback", metavar="N", help="MIDI output on which the controller is told values")
    parser.add_argument("--duration", type=number(0.0, 1e6), metavar="S", help="end after so many seconds")


def run_learn(options: argparse.Namespace, console: Console) -> None:
    from dataclasses import replace

    from ...patches.map_file import MapFile, load_map, save_map
    from ..mapping.learner import Learner, conflicts
    from ..mapping.targets import check_target

    if options.map is None and (options.targets or options.unlearn):
        raise StruckError("--map FILE must say where that is kept")
    if options.midi_in is None and (options.targets or not options.unlearn):
        raise StruckError("--midi-in must name the controller's port; struck devices lists those there are")
    ends = {"low": options.low, "high": options.high}
    for target in options.targets:
        check_target(target, **ends)
    found = MapFile()
    if options.map is not None and options.map.exists():
        found = load_map(options.map)
    if options.midi_in is not None and not found.port and not options.midi_in.startswith("virtual"):
        found = replace(found, port=options.midi_in)
    if options.feedback is not None:
        found = replace(found, feedback=options.feedback)

    def save(entries: tuple[MapEntry, ...]) -> None:
        save_map(options.map, replace(found, entries=entries))

    learner = Learner(found.entries, save, console.note)
    for target in options.unlearn:
        if not learner.unlearn(target):
            console.note(f"nothing turns {target}")
    if options.midi_in is not None:
        wanted = {"curve": options.curve, "takeover": options.takeover, "encoder": options.encoder, **ends}
        _listen(options, console, learner, wanted)
    for line in conflicts(learner.entries):
        console.note(line)
    values = [
        {"source": str(e.source), "channel": e.source.channel, "target": e.target} for e in learner.entries
    ]
    lines = [f"{v['target']:24}  {v['source']}, channel {v['channel'] or 'any'}" for v in values]
    console.finish(
        {"map": None if options.map is None else str(options.map), "entries": values}, "\n".join(lines)
    )


def _listen(options: argparse.Namespace, console: Console, learner: Any, wanted: dict[str, Any]) -> None:
    """Learn target after target; without targets show what is moved. Until all are learned, or Ctrl-C."""
    from ..mapping.controllers import ControllerReader
    from ..midi.parser import parse
    from ..midi.ports import MidiPorts

    reader, shown = ControllerReader(), {}
    ports = MidiPorts(console.note)

    def receive(arrival_seconds: float, data: bytes) -> None:
        for message in parse(data)[0]:
            for move in reader.read(message):
                shown[move.source] = move.value
                learner.move(move)

    left = list(options.targets)
    end = float("inf") if options.duration is None else time.monotonic() + options.duration
    told: dict[Any, int] = {}
    try:
        ports.open_input(options.midi_in, receive)
        while time.monotonic() < end:
            if options.targets and learner.target is None:
                if len(left) < len(options.targets):
                    last = learner.entries[-1]
                    console.report(f"{last.target}: {last.source}, channel {last.source.channel}")
                if not left:
                    time.sleep(0.3)  # the fine half of a pair may follow
                    return
                learner.learn(left.pop(0), **wanted)
                console.report(f"move the controller for {learner.target}")
            elif not options.targets and shown != told:
                told = dict(shown)
                console.report(
                    "  ".join(f"{s} (channel {s.channel}): {v}" for s, v in list(told.items())[-8:])
                )
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:  # how one ends it; what was learned is kept
        console.report("")
    finally:
        ports.close()
