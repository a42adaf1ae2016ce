"""What is done between files: the one place where reader, encoder, take, decoder and writer meet."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from .events.amendments import StreamItem, nearly_in_stream_order
from .events.errors import StruckError
from .events.event_spec import ANALYSIS_RATE as ANALYSIS_RATE
from .events.events import Event
from .events.profiles import Profile
from .files.audio_files import AudioReader, AudioWriter, open_audio
from .files.part_files import refuse_same_file as refuse_same_file
from .playing.noise import check_rate
from .takes.takes import TakeHeader, TakeReader, TakeWriter
from .weights.codec_weights import CodecWeights

if TYPE_CHECKING:
    from .hearing.following.hearing import Hearing

#: Told how many seconds are done.
Advance = Callable[[float], None]

#: Samples handed to the encoder at a time; what it finds does not depend on this.
_BLOCK_SAMPLES: Final = 2_048


class Through(Protocol):
    """Something that sound goes through on its way to a file, such as inserts."""

    def hear(self, item: StreamItem) -> None:
        """An event, an amendment or an end, ahead of its sound."""

    def play(self, blocks: Iterable[NDArray[np.float32]]) -> Generator[NDArray[np.float32], None, None]:
        """Stereo blocks ``[F, 2]`` for mono blocks ``[F]``."""


def refuse_other_extension(destination: Path, *extensions: str) -> None:
    """Raise StruckError where ``destination`` is not named as what is going to be in it."""
    if destination.suffix.lower() not in extensions:
        raise StruckError(f"cannot write {destination}: the extension must be {' or '.join(extensions)}")


def make_header(weights: CodecWeights, profile: Profile, source: str, exact: bool = False) -> TakeHeader:
    """Header of a take of ``source`` (a name for people)."""
    return TakeHeader(
        profile=profile.name,
        weights_name=weights.name,
        weights_hash=weights.decoder_hash,
        source=source,
        exact=exact,
    )


def encode_stream(hearing: Hearing, reader: AudioReader, advance: Advance) -> Iterator[StreamItem]:
    """What is heard in a sound file, as soon as it is told; ``advance`` gets seconds read.

    Args:
        reader: at the analysis rate, or at another, that is then resampled as on stage.
    """
    from .hearing.resampler import StreamingResampler  # playing does without its kernel

    resampler = None if reader.rate == ANALYSIS_RATE else StreamingResampler(reader.rate)
    read_samples = 0
    for block in reader.blocks(_BLOCK_SAMPLES):
        yield from hearing.process(block if resampler is None else resampler.process(block))
        read_samples += len(block)
        advance(read_samples / reader.rate)
    if resampler is not None:
        yield from hearing.process(resampler.flush())
    yield from hearing.flush()


def open_heard(source: Path, profile: Profile) -> AudioReader:
    """A sound file for :func:`encode_stream`: what a live profile hears on stage, it hears here.

    Raises:
        StruckError: the file cannot be read.
    """
    if profile.follows:
        reader = open_audio(source)
        try:
            check_rate(reader.rate)
        except ValueError:
            reader.close()
        else:
            return reader
    return open_audio(source, ANALYSIS_RATE)


def render_samples(weights: CodecWeights, items: Iterable[StreamItem], rate: int) -> NDArray[np.float32]:
    """The sound of a stream, ``[T]`` at ``rate`` Hz; for what fits in memory."""
    from .playing.decoder import render  # hearing does without its kernels, which are slow to compile

    return np.concatenate([np.zeros(0, np.float32), *render(weights, nearly_in_stream_order(items), rate)])


def encode_file(
    source: Path,
    destination: Path,
    weights: CodecWeights,
    hearing: Hearing,
    exact: bool,
    advance: Advance,
) -> tuple[dict[str, Any], list[str]]:
    """Encode a sound file to a take: its events and, where ``hearing`` follows them, amendments and ends.

    Returns:
        What was done, as numbers and names; and notes for the user.

    Raises:
        StruckError: the source cannot be read, or the destination cannot be written and is left as it was.
    """
    refuse_same_file(source, destination)
    refuse_other_extension(destination, ".mcap")
    started = perf_counter()
    profile = hearing.profile
    event_count = 0
    with (
        open_heard(source, profile) as reader,
        TakeWriter(destination, make_header(weights, profile, source.name, exact)) as take,
    ):
        for item in encode_stream(hearing, reader, advance):
            take.write(item)
            event_count += isinstance(item, Event)
        take.close(reader.duration_seconds)
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
    source: Path,
    destination: Path,
    weights: CodecWeights,
    rate: int,
    subtype: str | None,
    advance: Advance,
    through: Through | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Render a take to a sound file at ``rate`` Hz, in flat memory; ``through`` makes it stereo.

    Returns, raises: as :func:`encode_file`; also StruckError for weights other than the take's.
    """
    refuse_same_file(source, destination)
    started = perf_counter()
    take = TakeReader(source)
    take.check_weights(weights)
    writer = _write_sound(destination, take.items(), weights, rate, subtype, advance, through)
    notes = take.describe_losses()
    values = _describe_sound(source, writer) | {"elapsed_seconds": perf_counter() - started}
    return values, notes + writer.notes


def resynthesise(
    source: Path,
    destination: Path,
    weights: CodecWeights,
    hearing: Hearing,
    rate: int,
    subtype: str | None,
    advance: Advance,
    through: Through | None = None,
) -> tuple[dict[str, Any], list[str]]:
    """Encode a sound file and render what was heard, without a take in between; ``through`` makes it stereo.

    Returns, raises: as :func:`encode_file`.
    """
    refuse_same_file(source, destination)
    started = perf_counter()
    event_count = 0

    def count(items: Iterable[StreamItem]) -> Iterator[StreamItem]:
        nonlocal event_count
        for item in items:
            event_count += isinstance(item, Event)
            yield item

    with open_heard(source, hearing.profile) as reader:
        items = count(encode_stream(hearing, reader, advance))
        writer = _write_sound(destination, items, weights, rate, subtype, lambda seconds: None, through)
    values = _describe_sound(source, writer) | {
        "profile": hearing.profile.name,
        "event_count": event_count,
        "elapsed_seconds": perf_counter() - started,
    }
    return values, reader.notes + writer.notes


def _write_sound(
    destination: Path,
    items: Iterable[StreamItem],
    weights: CodecWeights,
    rate: int,
    subtype: str | None,
    advance: Advance,
    through: Through | None,
) -> AudioWriter:
    from .playing.decoder import render

    def told() -> Iterator[StreamItem]:
        for item in nearly_in_stream_order(items):
            if through is not None:
                through.hear(item)
            yield item

    sound: Iterator[NDArray[np.float32]] = render(weights, told(), rate)
    with ExitStack() as stack:
        writer = stack.enter_context(AudioWriter(destination, rate, 1 if through is None else 2, subtype))
        if through is not None:
            sound = stack.enter_context(closing(through.play(sound)))
        for block in sound:
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
