"""The command ``struck live``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.mars.conditions import TEMPO_RANGE_BPM
from ..tempo.leader import LEADERS, MIDI
from .console import COMPILING, Console, format_values
from .options import (
    Commands,
    add_command,
    add_patches,
    add_weights,
    load_weights,
    number,
    output_rate,
    whole_number,
)

if TYPE_CHECKING:
    from ..host.settings import LiveSettings


def add_to(commands: Commands) -> None:
    """Add this command to the command line."""
    parser = add_command(
        commands,
        "live",
        run_live,
        "listen to an input, hear its events, and play, send and record them",
        "  struck live                                           the default devices, until Ctrl-C\n"
        "  struck live --input jack:fluidsynth --output jack:system\n"
        "  struck live --input none --midi-in keyboard           play notes only\n"
        "  struck live --record show.mcap --record-audio show.wav --osc-send 127.0.0.1:9001\n"
        "  struck live --input none --midi-in keyboard --patch phrases --tempo 96    notes become phrases\n"
        "  struck live --control 9000                            with a screen at http://localhost:9000\n"
        "  struck live --input song.wav --output heard.wav       as it would sound live, faster",
    )
    sound = parser.add_argument_group("sound")
    sound.add_argument(
        "--input", default="default", metavar="DEV|FILE", help="device (see struck devices), file, or none"
    )
    sound.add_argument(
        "--output", default="default", metavar="DEV|FILE", help="device, .wav .flac .ogg file, or none"
    )
    sound.add_argument(
        "--profile",
        choices=("live", "tight", "instant"),
        help="how far the encoder looks ahead: live 0.19 s, tight 0.05 s, instant 0.01 s "
        "(default: the patch's)",
    )
    sound.add_argument(
        "--patch", default="default", metavar="P", help="a patch of struck patches list, or a .toml file"
    )
    add_patches(sound)
    sound.add_argument("--setlist", type=Path, metavar="FILE", help="songs and their snapshots, .toml")
    sound.add_argument(
        "--rate",
        type=output_rate,
        metavar="HZ",
        help="sample rate (default: the device's, or the input file's)",
    )
    sound.add_argument(
        "--block",
        type=whole_number(32, 2048),
        metavar="N",
        help="frames per block, 32 to 2048 (default: 64, with JACK the server's period)",
    )
    sound.add_argument(
        "--dry",
        type=number(-60.0, 12.0),
        metavar="DB",
        help="level of the input in the output (default: the patch's, usually off)",
    )
    sound.add_argument(
        "--backing", type=Path, metavar="FILE", help="sound that plays along, looped; up to 30 s"
    )
    sound.add_argument(
        "--compute",
        type=number(0.0, 1000.0),
        metavar="MS",
        help="time given to the encoder for each hop, part of the latency (default: live 48, others 8)",
    )
    sound.add_argument(
        "--plugin-log", type=Path, metavar="FILE", help="append what the patch's plug-ins print to this file"
    )
    sound.add_argument("--duration", type=number(0.0, 1e6), metavar="S", help="stop after so many seconds")
    sound.add_argument(
        "--paced", action="store_true", help="from file to file: at the pace of the clock, not faster"
    )
    phrases = parser.add_argument_group("phrases")
    phrases.add_argument(
        "--phrases",
        choices=("auto", "cpu", "cuda", "off"),
        default="auto",
        help="where phrases are made; off: notes are played in their place (default: auto)",
    )
    phrases.add_argument(
        "--tempo",
        type=number(*TEMPO_RANGE_BPM),
        metavar="BPM",
        help="tempo, 60 to 240 (default: the patch's)",
    )
    phrases.add_argument(
        "--as-events", action="store_true", help="play phrases as events that the codec hears in them"
    )
    phrases.add_argument(
        "--phrase-weights", type=Path, metavar="FILE", help="trained weights of MARS (default: those shipped)"
    )
    record = parser.add_argument_group("recording")
    record.add_argument("--record", type=Path, metavar="TAKE", help="record events and messages, .mcap")
    record.add_argument("--record-audio", type=Path, metavar="WAV", help="record the output, .wav")
    record.add_argument("--exact", action="store_true", help="keep vectors as 32-bit floats, not quantised")
    messages = parser.add_argument_group("MIDI and OSC")
    messages.add_argument(
        "--midi-in",
        action="append",
        default=[],
        metavar="N",
        help="play the notes of this port, or .mid file; virtual:NAME makes a port; may be repeated",
    )
    messages.add_argument(
        "--map",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="what controllers turn, of struck learn; may be repeated",
    )
    messages.add_argument("--midi-out", metavar="N", help="send events as MPE notes to this port")
    messages.add_argument(
        "--clock-out", metavar="N", help="send the phrases' tempo as MIDI clock to this port"
    )
    messages.add_argument(
        "--follow",
        choices=LEADERS,
        default=MIDI,
        help="what leads the tempo of phrases: midi, a clock that comes in; link, Ableton Link; jack, JACK's "
        "transport (default: midi)",
    )
    messages.add_argument(
        "--clock-offset",
        type=number(-500.0, 500.0),
        default=0.0,
        metavar="MS",
        help="take what is followed as so much later; negative: earlier (default: 0)",
    )
    messages.add_argument("--sysex", action="store_true", help="also send whole vectors to --midi-out")
    messages.add_argument(
        "--osc-listen", metavar="H:P", help="listen for OSC; without host on this machine only"
    )
    messages.add_argument(
        "--osc-send",
        action="append",
        default=[],
        metavar="H:P",
        help="send events as OSC bundles; may be repeated",
    )
    messages.add_argument(
        "--control",
        metavar="[H:]P",
        help="open the control port: OSC, OSCQuery and the performer's screen at http://localhost:P; "
        "without host on this machine only",
    )
    messages.add_argument(
        "--announce", action="store_true", help="announce the control port on the network (zeroconf)"
    )
    add_weights(parser)


def make_settings(options: argparse.Namespace) -> LiveSettings:
    """Settings of a parsed command line."""
    from ..host.settings import LiveSettings

    return LiveSettings(
        input=options.input,
        output=options.output,
        profile=options.profile,
        rate=options.rate,
        block_frames=options.block,
        patch=options.patch,
        patches=options.patches,
        setlist=options.setlist,
        controls=() if options.dry is None else (("dry_db", options.dry),),
        record=options.record,
        record_audio=options.record_audio,
        exact=options.exact,
        midi_in=tuple(options.midi_in),
        midi_out=options.midi_out,
        maps=tuple(options.map),
        clock_out=options.clock_out,
        follow=options.follow,
        clock_offset_seconds=options.clock_offset / 1e3,
        sysex=options.sysex,
        osc_listen=options.osc_listen,
        osc_send=tuple(options.osc_send),
        control=options.control,
        announce=options.announce,
        backing=options.backing,
        duration_seconds=options.duration,
        compute_seconds=None if options.compute is None else options.compute / 1e3,
        paced=options.paced,
        phrases=options.phrases,
        phrase_weights=options.phrase_weights,
        tempo_bpm=options.tempo,
        as_events=options.as_events,
        plugin_log=options.plugin_log,
    )


def run_live(options: argparse.Namespace, console: Console) -> None:
    settings = make_settings(options)
    with console.patience(COMPILING):
        from ..host.host import Host
    from ..control.qr_code import qr_code
    from ..host.signals import StopSignals
    from ..screen.screen import Screen
    from ..screen.teller import Teller

    teller = Teller()
    # Until it is open a signal interrupts as in any command: nothing has been played, nothing is left behind.
    performance = Host(settings, load_weights(options), teller)
    address = performance.screen_address
    if address is not None:
        print(f"{qr_code(address, sys.stderr)}struck: screen at {address}", file=sys.stderr, flush=True)
    with StopSignals() as signals:
        with Screen(performance.status, teller), performance:
            teller.tell(performance.ledger.describe())
            performance.run(signals.stop)
        values = performance.summary()
        try:
            console.finish(values, format_values(_flatten(values)))
        except OSError:
            if not signals.terminal_closed:
                raise
    signals.exit()
    if performance.faults:
        # The summary stands on standard output already, also as the one JSON object.
        print(f"struck: {'; '.join(performance.faults)}", file=sys.stderr)
        raise SystemExit(1)


def _flatten(values: dict) -> dict:
    """For people: counters that are 0 are left out; the ledger was told, what was measured of it is shown."""
    flat = {key: value for key, value in values.items() if not isinstance(value, dict)}
    measured = ("least_margin_seconds", "longest_piece_seconds")
    flat |= {name: values["latency"][name] for name in measured if name in values["latency"]}
    flat |= {name: count for name, count in values["counters"].items() if count}
    del flat["faults"]  # told on standard error
    for path, whole in values["recordings"].items():
        kind = "take" if path.lower().endswith(".mcap") else "sound"
        flat[kind] = f"{path}, {'whole' if whole else 'NOT WHOLE, see its .part'}"
    return flat
