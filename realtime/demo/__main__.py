"""Hear a performance as events, block by block as it would come from a microphone, and play them again.

    .venv/bin/python -m struck.realtime.demo IN.wav FOLDER      (`make demo` runs this)

The README has a shorter example, with the public names only; this one shows progress and draws pictures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import perf_counter

from struck.codec.events.amendments import nearly_in_stream_order
from struck.codec.events.errors import StruckError
from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.files.audio_files import AudioWriter, open_audio, read_mono
from struck.codec.hearing.following.hearing import make_hearing
from struck.codec.kernel_builds import KernelBuild
from struck.codec.pipeline import ANALYSIS_RATE, make_header, refuse_same_file
from struck.codec.takes.conversions import convert
from struck.codec.takes.takes import TakeReader, TakeWriter
from struck.codec.weights.codec_weights import CodecWeights, default_codec_weights_path, load_codec_weights
from struck.models.mars_extra import has_torch
from struck.realtime.screen.interruption import Interruption
from struck.realtime.screen.plots import plot_take
from struck.realtime.screen.standard_streams import prepare_standard_streams

BLOCK_SAMPLES = 1024
OUTPUT_RATE = 48_000


def listen(source: Path, take_path: Path, weights: CodecWeights) -> None:
    """Encode ``source`` block by block into a take."""
    profile = PROFILES["studio"]
    hearing = make_hearing(weights, profile)
    started = perf_counter()
    with (
        open_audio(source, ANALYSIS_RATE) as reader,
        TakeWriter(take_path, make_header(weights, profile, source.name)) as take,
    ):
        heard_samples = event_count = 0
        for block in reader.blocks(BLOCK_SAMPLES):
            for item in hearing.process(block):
                take.write(item)
                event_count += isinstance(item, Event)
            heard_samples += len(block)
            show_progress("listening", heard_samples / ANALYSIS_RATE, reader.duration_seconds, event_count)
        for item in hearing.flush():
            take.write(item)
            event_count += isinstance(item, Event)
        take.close(reader.duration_seconds)
    end_progress(
        f"heard {event_count} events in {reader.duration_seconds:.1f} s of sound, "
        f"taking {perf_counter() - started:.1f} s"
    )
    for note in reader.notes:
        print(f"note: {note}")


def play(events: list[Event], destination: Path, weights: CodecWeights) -> None:
    """Render ``events`` into a sound file, block by block."""
    from struck.codec.playing.decoder import render  # importing it loads its kernels, or compiles them

    started = perf_counter()
    expected_seconds = max((event.onset_seconds for event in events), default=0.0)
    with AudioWriter(destination, OUTPUT_RATE) as writer:
        for block in render(weights, nearly_in_stream_order(events), OUTPUT_RATE):
            writer.write(block)
            seconds = writer.frame_count / OUTPUT_RATE
            show_progress("playing", seconds, max(seconds, expected_seconds), len(events))
    end_progress(
        f"played {writer.frame_count / OUTPUT_RATE:.1f} s of sound, taking {perf_counter() - started:.1f} s"
    )
    for note in writer.notes:
        print(f"note: {note}")


def show_progress(task: str, seconds: float, total_seconds: float, event_count: int) -> None:
    """One line, written over itself; only on a terminal."""
    if sys.stdout.isatty():
        share = min(1.0, seconds / total_seconds) if total_seconds else 1.0
        bar = "#" * round(30 * share)
        line = f"\r{task:9} [{bar:30}] {seconds:6.1f} / {total_seconds:.1f} s  {event_count:4} events"
        print(line, end="", flush=True)


def end_progress(line: str) -> None:
    print(f"\r{line:79}" if sys.stdout.isatty() else line)


def main() -> None:
    prepare_standard_streams()
    parser = argparse.ArgumentParser(description="Hear a performance as events and play them again.")
    parser.add_argument("input", type=Path, help="any sound file")
    parser.add_argument("folder", type=Path, help="where to write what came of it")
    options = parser.parse_args()
    folder = options.folder
    take, sound, picture, overview, notes, lines = (
        folder / name
        for name in (
            "take.mcap",
            "resynthesis.wav",
            "picture.png",
            "overview.png",
            "notes.mid",
            "events.jsonl",
        )
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        print(f"listening to {options.input}", flush=True)
        weights = load_codec_weights(default_codec_weights_path())
        refuse_same_file(options.input, sound)
        with KernelBuild("struck.codec.playing.decoder"):  # the first time, both are compiled at once
            listen(options.input, take, weights)
        events = list(TakeReader(take).events())
        play(events, sound, weights)
        original = read_mono(options.input, ANALYSIS_RATE)
        for path in (picture, overview):
            plot_take(
                path,
                events,
                original,
                ANALYSIS_RATE,
                name=options.input.name,
                signal_name="performance",
                overview=path == overview,
            )
        convert(take, notes)
        convert(take, lines)
    except (StruckError, OSError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("\ndemo: interrupted")
    print("\nwrote")
    for path, meaning in (
        (take, "the events: struck render, edit, info ... read it"),
        (sound, "the events played: listen to it beside the input"),
        (picture, "the events over the input's spectrogram, and their vectors"),
        (overview, "the same at a glance: the README's picture"),
        (notes, "the events as notes, for any sequencer"),
        (lines, "the events as text, one line of JSON each"),
    ):
        print(f"  {path!s:24} {path.stat().st_size:>9,} bytes  {meaning}")
    if not has_torch():
        print("\nwithout PyTorch there are no generated phrases (struck phrase); make live installs it")


if __name__ == "__main__":
    with Interruption():
        main()
