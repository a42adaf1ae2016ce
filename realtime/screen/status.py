"""What the live host knows of itself at one moment, and how it reads in one line."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Recording:
    """A file being recorded."""

    path: str
    seconds: float = 0.0
    file_bytes: int = 0
    dropped: int = 0
    failed: bool = False


@dataclass(frozen=True)
class Status:
    """One moment of the host. Levels are dBFS since the status before, ``-inf`` for silence.

    Args:
        position_seconds: stream time.
        patch: name of the patch; ``profile`` of the encoder.
        input_name, output_name: of the devices or files.
        rate_hz, block_frames: of the stream.
        input_rms_db, input_peak_db, output_rms_db, output_peak_db: one number per channel.
        limiter_db: by how much the limiter turns down, 0 or negative.
        events_per_second: sounding; ``voices`` of at most ``voice_limit`` ring.
        callback_mean_percent, callback_worst_percent: of a block's time, since the status before.
        worker_percent: name -> share of a core.
        latency_seconds: the ledger's total, from the air to the ears.
        counters: name -> faults since the start: late, lost blocks, stolen, dropped ...
        recordings: files being recorded.
        peers: MIDI ports and OSC addresses, one text each.
        phrases: how the accompaniment stands, in a few words.
        tempo: how a MIDI clock is followed, in a few words; empty before one comes.
    """

    position_seconds: float = 0.0
    patch: str = ""
    profile: str = ""
    input_name: str = ""
    output_name: str = ""
    rate_hz: int = 0
    block_frames: int = 0
    input_rms_db: tuple[float, ...] = ()
    input_peak_db: tuple[float, ...] = ()
    output_rms_db: tuple[float, ...] = ()
    output_peak_db: tuple[float, ...] = ()
    limiter_db: float = 0.0
    events_per_second: float = 0.0
    voices: int = 0
    voice_limit: int = 0
    callback_mean_percent: float = 0.0
    callback_worst_percent: float = 0.0
    worker_percent: Mapping[str, float] = field(default_factory=dict)
    latency_seconds: float = 0.0
    counters: Mapping[str, int] = field(default_factory=dict)
    recordings: tuple[Recording, ...] = ()
    peers: tuple[str, ...] = ()
    phrases: str = ""
    tempo: str = ""


def status_line(status: Status) -> str:
    """The status in one line, for a log."""
    parts = [
        format_clock(status.position_seconds),
        f"in {_format_levels(status.input_peak_db)} out {_format_levels(status.output_peak_db)} dB",
        f"{status.events_per_second:.1f} events/s",
        f"{status.voices} voices",
        f"callback {status.callback_mean_percent:.0f}/{status.callback_worst_percent:.0f} %",
        *((status.tempo,) if status.tempo else ()),
        *((status.phrases,) if status.phrases else ()),
        *(f"{name} {percent:.0f} %" for name, percent in status.worker_percent.items()),
        *(f"{number} {name.replace('_', ' ')}" for name, number in status.counters.items() if number),
        *(format_recording(recording) for recording in status.recordings),
    ]
    return ", ".join(parts)


def format_clock(seconds: float) -> str:
    """Stream time as h:mm:ss.

    >>> format_clock(3725.9)
    '1:02:05'
    """
    whole = int(max(0.0, seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def format_db(level_db: float) -> str:
    """A level, silence as ``-inf``.

    >>> format_db(-12.34), format_db(float("-inf")), format_db(float("nan"))
    ('-12.3', '-inf', '?')
    """
    if math.isnan(level_db):
        return "?"
    return f"{level_db:.1f}" if math.isfinite(level_db) else "-inf"


def format_recording(recording: Recording) -> str:
    """A recording's name, length and size; what is wrong with it."""
    text = f"{recording.path} {format_clock(recording.seconds)} {_format_bytes(recording.file_bytes)}"
    if recording.dropped:
        text += f" ({recording.dropped} dropped)"
    return f"{text} STOPPED" if recording.failed else text


def _format_levels(levels_db: tuple[float, ...]) -> str:
    return format_db(max(levels_db)) if levels_db else "-"


def _format_bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000.0:
            return f"{size:.0f} {unit}" if size >= 10.0 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000.0
    return f"{size:.1f} TB"
