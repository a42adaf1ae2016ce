"""What the commands do between files: the one place where reader, encoder, take, decoder and writer meet."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..codec.audio_files import AudioReader, AudioWriter, open_audio
from ..codec.conversions import convert
from ..codec.decoder import render
from ..codec.encoder import StreamingEncoder
from ..codec.errors import StruckError
from ..codec.evaluation import CodecResult
from ..codec.events import Event
from ..codec.part_files import part_file
from ..codec.profiles import PROFILES, Profile
from ..codec.takes import TakeHeader, TakeReader, TakeWriter, summarise_take
from ..codec.transforms import Edit, apply_edits
from ..codec.weights import CodecWeights
from .console import Advance

#: The encoder hears mono at this rate.
ANALYSIS_RATE: Final = 22_050
#: Samples handed to the encoder at a time; what it finds does not depend on this.
_BLOCK_SAMPLES: Final = 2_048


def refuse_same_file(source: Path, destination: Path) -> None:
    """Raise StruckError where writing ``destination`` would overwrite ``source``."""
    if os.path.realpath(source) == os.path.realpath(destination) or (
        source.exists() and destination.exists() and os.path.samefile(source, destination)
    ):
        raise StruckError(f"{destination} is both input and output")


def _require_take_name(destination: Path) -> None:
    if destination.suffix.lower() != ".mcap":
        raise StruckError(f"cannot write {destination}: the extension of a take is .mcap")


def encode_stream(encoder: StreamingEncoder, reader: AudioReader, advance: Advance) -> Iterator[Event]:
    """Events of a sound file as soon as the encoder is sure of them; ``advance`` gets seconds read."""
    read_samples = 0
    for block in reader.blocks(_BLOCK_SAMPLES):
        yield from encoder.process(block)
        read_samples += len(block)
        advance(read_samples / reader.rate)
    yield from encoder.flush()


def encode_file(
    source: Path,
    destination: Path,
    weights: CodecWeights,
    profile: Profile,
    refine_steps: int,
    advance: Advance,
) -> tuple[dict[str, Any], list[str]]:
    """Encode a sound file to a take.

    Returns:
        What was done, as numbers and names; and notes for the user.

    Raises:
        StruckError: the source cannot be read, or the destination cannot be written and is left as it was.
    """
    _require_take_name(destination)
    refuse_same_file(source, destination)
    started = perf_counter()
    header = TakeHeader(decoder_hash=weights.decoder_hash, profile=profile.name)
    with open_audio(source, ANALYSIS_RATE) as reader:
        encoder = StreamingEncoder(weights, profile, refine_steps=refine_steps)
        event_count = 0
        with part_file(destination) as part, TakeWriter(part, header) as take:
            for event in encode_stream(encoder, reader, advance):
                take.write_event(event)
                event_count += 1
    byte_count = destination.stat().st_size
    seconds = reader.duration_seconds
    values = {
        "input": str(source),
        "output": str(destination),
        "profile": profile.name,
        "duration_seconds": seconds,
        "event_count": event_count,
        "byte_count": byte_count,
        "kilobits_per_second": 8e-3 * byte_count / seconds if seconds else 0.0,
        "elapsed_seconds": perf_counter() - started,
    }
    return values, reader.notes


def render_take(
    source: Path, destination: Path, weights: CodecWeights, rate: int, subtype: str | None, advance: Advance
) -> tuple[dict[str, Any], list[str]]:
    """Render a take to a sound file at ``rate`` Hz, in flat memory.

    Returns, raises: as :func:`encode_file`.
    """
    refuse_same_file(source, destination)
    started = perf_counter()
    with TakeReader(source) as take:
        notes = []
        if take.header.decoder_hash != weights.decoder_hash:
            notes.append(
                f"{source} was made with decoder {take.header.decoder_hash} and is played with "
                f"{weights.decoder_hash} ({weights.name}): it will sound different"
            )
        writer = _write_sound(destination, take, weights, rate, subtype, advance)
    values = _describe_sound(source, writer) | {"elapsed_seconds": perf_counter() - started}
    return values, notes + writer.notes


def resynthesise(
    source: Path,
    destination: Path,
    weights: CodecWeights,
    profile: Profile,
    refine_steps: int,
    rate: int,
    subtype: str | None,
    advance: Advance,
) -> tuple[dict[str, Any], list[str]]:
    """Encode a sound file and render what was heard, without a take in between.

    Returns, raises: as :func:`encode_file`.
    """
    refuse_same_file(source, destination)
    started = perf_counter()
    event_count = 0

    def count(events: Iterable[Event]) -> Iterator[Event]:
        nonlocal event_count
        for event in events:
            event_count += 1
            yield event

    with open_audio(source, ANALYSIS_RATE) as reader:
        encoder = StreamingEncoder(weights, profile, refine_steps=refine_steps)
        events = count(encode_stream(encoder, reader, advance))
        writer = _write_sound(destination, events, weights, rate, subtype, lambda seconds: None)
    values = _describe_sound(source, writer) | {
        "profile": profile.name,
        "event_count": event_count,
        "elapsed_seconds": perf_counter() - started,
    }
    return values, reader.notes + writer.notes


def convert_file(source: Path, destination: Path, weights: CodecWeights) -> dict[str, Any]:
    """Convert between a take and its readable forms, by extension. Raises as :func:`encode_file`."""
    refuse_same_file(source, destination)
    with part_file(destination) as part:
        convert(source, part, weights)
    return {"input": str(source), "output": str(destination), "byte_count": destination.stat().st_size}


def edit_take(source: Path, destination: Path, edit: Edit) -> dict[str, Any]:
    """Write the take that ``edit`` makes of another. Raises as :func:`encode_file`."""
    _require_take_name(destination)
    refuse_same_file(source, destination)
    with TakeReader(source) as take:
        events_before = list(take)
        events = apply_edits(events_before, edit)
        with part_file(destination) as part, TakeWriter(part, take.header) as edited:
            event_count = 0
            for event in events:
                edited.write_event(event)
                event_count += 1
    return {
        "input": str(source),
        "output": str(destination),
        "event_count_before": len(events_before),
        "event_count": event_count,
    }


def plot_file(source: Path, destination: Path, weights: CodecWeights) -> dict[str, Any]:
    """Draw a take to a picture (.png, .svg, .pdf). Raises as :func:`encode_file`."""
    from .plots import plot_take

    refuse_same_file(source, destination)
    if destination.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise StruckError(f"cannot write {destination}: the extension must be one of .png, .svg, .pdf")
    with part_file(destination) as part:
        plot_take(source, part, weights)
    return {"input": str(source), "output": str(destination), "byte_count": destination.stat().st_size}


class FileCodec:
    """The codec as ``evaluate_folder`` measures it; its bits are those of a real take.

    Made once and called once per recording: see :data:`struck.codec.evaluation.Codec`.
    """

    def __init__(self, weights: CodecWeights, profile_name: str, refine_steps: int) -> None:
        self._weights, self._profile, self._refine_steps = weights, PROFILES[profile_name], refine_steps

    def __call__(self, signal: NDArray[np.float32]) -> CodecResult:
        """Encode and decode ``signal``, mono ``[T]`` at the analysis rate."""
        started = perf_counter()
        encoder = StreamingEncoder(self._weights, self._profile, refine_steps=self._refine_steps)
        events = [*encoder.process(signal), *encoder.flush()]
        encode_seconds = perf_counter() - started
        with TemporaryDirectory() as folder:
            path = Path(folder) / "take.mcap"
            header = TakeHeader(decoder_hash=self._weights.decoder_hash, profile=self._profile.name)
            with TakeWriter(path, header) as take:
                for event in events:
                    take.write_event(event)
            payload_bits = summarise_take(path)["payload_bits"]
            with TakeReader(path) as reader:  # what was quantised is what is judged
                blocks = list(render(reader, self._weights, ANALYSIS_RATE))
        decoded = np.concatenate([np.zeros(0, np.float32), *blocks])
        onset_seconds = [event.onset_seconds for event in events]
        return CodecResult(decoded, onset_seconds, len(events), payload_bits, encode_seconds)


def _write_sound(
    destination: Path,
    events: Iterable[Event],
    weights: CodecWeights,
    rate: int,
    subtype: str | None,
    advance: Advance,
) -> AudioWriter:
    with AudioWriter(destination, rate, subtype=subtype) as writer:
        for block in render(events, weights, rate):
            writer.write(block)
            advance(writer.frame_count / rate)
    return writer


def _describe_sound(source: Path, writer: AudioWriter) -> dict[str, Any]:
    return {
        "input": str(source),
        "output": str(writer.path),
        "rate_hz": writer.rate,
        "duration_seconds": writer.frame_count / writer.rate,
        "clipped_sample_count": writer.clipped_count,
    }
