"""Takes: round trips, cuts, damage, other versions, a killed recorder, flat memory."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap.writer import MCAP0_MAGIC, Writer

from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.events.quantize import quantize_events, restore_events
from struck.codec.takes.format import HEADER_METADATA, seal_json
from struck.codec.takes.takes import (
    FORMAT_VERSION,
    TakeHeader,
    TakeMessage,
    TakeReader,
    TakeWriter,
    part_path,
    summarise_take,
)
from struck.codec.weights.codec_weights import CodecWeights

HEADER = TakeHeader("studio", "codec", "0123456789abcdef", source="test.wav")


def make_events(seconds: float, rate: float = 10.8, seed: int = 0) -> list[Event]:
    """Events of a handful of sources with normal spread, ``rate`` per second, sorted."""
    rng = np.random.default_rng(seed)
    count = int(seconds * rate)
    sources = rng.uniform(-0.7, 0.7, (5, VECTOR_SIZE))
    vectors = sources[rng.integers(0, 5, count)] + rng.normal(0.0, 0.12, (count, VECTOR_SIZE))
    gains = np.clip(rng.normal(-30.0, 8.0, count), -90.0, 12.0)
    onsets = np.sort(rng.uniform(0.0, seconds, count))
    return [
        Event(onset, gain, np.clip(vector, -1.0, 1.0))
        for onset, gain, vector in zip(onsets, gains, vectors, strict=True)
    ]


def write_take(path: Path, events: list[Event], header: TakeHeader = HEADER, live: bool = False) -> Path:
    with TakeWriter(path, header, live=live) as writer:
        for event in events:
            writer.write(event)
    return path


def quantised(events: list[Event]) -> list[Event]:
    return restore_events(quantize_events(events))


def test_round_trip_quantised(tmp_path: Path) -> None:
    events = make_events(95.0)
    reader = TakeReader(write_take(tmp_path / "a.mcap", events))
    assert list(reader.events()) == quantised(events)
    assert not reader.truncated
    assert reader.header == HEADER
    assert reader.duration_seconds == events[-1].onset_seconds


@pytest.mark.parametrize("live", [False, True])
def test_round_trip_exact(tmp_path: Path, live: bool) -> None:
    events = make_events(5.0)
    header = replace(HEADER, exact=True)
    assert list(TakeReader(write_take(tmp_path / "a.mcap", events, header, live)).events()) == events
    assert os.listdir(tmp_path) == ["a.mcap"]


def test_same_events_same_bytes(tmp_path: Path) -> None:
    a = write_take(tmp_path / "a.mcap", make_events(20.0))
    b = write_take(tmp_path / "b.mcap", make_events(20.0))
    assert a.read_bytes() == b.read_bytes()


def test_payload_fits_the_rate(tmp_path: Path) -> None:
    summary = summarise_take(write_take(tmp_path / "a.mcap", make_events(120.0)))
    assert summary["events_per_second"] == pytest.approx(10.8, abs=0.2)
    assert summary["payload_bits_per_second"] < 2_500


def test_other_channels(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "a.mcap", HEADER) as writer:
        writer.write_midi(0.25, b"\x90\x3c\x40")
        writer.write_osc(0.5, b"/a\0\0,\0\0\0")
        writer.write_patch(0.75, "bells", room="hall")
        writer.write_mark(1.0, "dropout", blocks=3)
        writer.close(2.5)
    reader = TakeReader(tmp_path / "a.mcap")
    assert list(reader.midi()) == [TakeMessage(0.25, "/midi", b"\x90\x3c\x40")]
    assert list(reader.osc()) == [TakeMessage(0.5, "/osc", b"/a\0\0,\0\0\0")]
    assert list(reader.patches()) == [TakeMessage(0.75, "/patch", {"patch": "bells", "room": "hall"})]
    assert list(reader.marks()) == [TakeMessage(1.0, "/marks", {"kind": "dropout", "blocks": 3})]
    assert len(list(reader.stream())) == 4
    assert list(reader.events()) == []
    assert reader.duration_seconds == 2.5


def test_summary_is_json_and_complete(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "a.mcap", HEADER) as writer:
        for event in make_events(3.0):
            writer.write(event)
        writer.write_mark(1.0, "dropout", blocks=3)
        writer.close(4.0)
    summary = json.loads(json.dumps(summarise_take(tmp_path / "a.mcap")))
    assert summary["duration"] == 4.0
    assert summary["events"] == 32
    assert summary["events_per_second"] == 8.0
    assert summary["file_bits_per_second"] == (tmp_path / "a.mcap").stat().st_size * 2
    assert summary["profile"] == "studio"
    assert summary["model"] == "codec"
    assert summary["marks"] == [{"seconds": 1.0, "kind": "dropout", "blocks": 3}]
    assert summary["truncated"] is False
    assert summary["gaps"] == 0


def test_an_empty_take(tmp_path: Path) -> None:
    summary = summarise_take(write_take(tmp_path / "a.mcap", []))
    assert summary["events"] == 0
    assert summary["duration"] == 0.0
    assert not summary["truncated"]


def test_mcap_readers_read_it(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "a.mcap", HEADER) as writer:
        writer.write_mark(1.0, "dropout")
        writer.write(Event(2.0, -6.0, np.zeros(VECTOR_SIZE)))
    with (tmp_path / "a.mcap").open("rb") as file:
        mcap = make_reader(file, validate_crcs=True)
        found = {channel.topic: schema.name for schema, channel, _ in mcap.iter_messages() if schema}
        assert found == {"/events": "struck.EventPacket", "/marks": "struck.Mark"}
        names = [metadata.name for metadata in mcap.iter_metadata()]
        assert names == ["struck.header", "struck.end"]


# ---- cuts and damage -----------------------------------------------------------------------------------


def is_subsequence(part: list[Event], whole: list[Event]) -> bool:
    rest = iter(whole)
    return all(event in rest for event in part)


@pytest.mark.parametrize("exact", [False, True])
def test_cut_at_every_byte_yields_a_prefix(tmp_path: Path, exact: bool) -> None:
    events = make_events(4.5, rate=2.0)
    data = write_take(tmp_path / "a.mcap", events, replace(HEADER, exact=exact), live=True).read_bytes()
    expected = events if exact else quantised(events)
    cut = tmp_path / "cut.mcap"
    counts = []
    for length in range(len(data)):
        cut.write_bytes(data[:length])
        try:
            reader = TakeReader(cut)
        except StruckError as error:
            assert "\n" not in str(error)
            counts.append(0)
            continue
        found = list(reader.events())
        assert found == expected[: len(found)]
        assert reader.truncated
        counts.append(len(found))
        if length % 16 == 0:
            assert reader.statistics().events == len(found)
            assert reader.duration_seconds <= events[-1].onset_seconds
    assert counts == sorted(counts)
    assert counts[-1] == len(events)
    assert len(set(counts)) >= 4  # it is recovered second by second


def test_flipped_bits_never_yield_a_wrong_event(tmp_path: Path) -> None:
    events = make_events(70.0, rate=1.5)
    data = write_take(tmp_path / "a.mcap", events, live=True).read_bytes()
    expected = quantised(events)
    rng = np.random.default_rng(6)
    broken_path = tmp_path / "broken.mcap"
    refused = resumed = 0
    for _ in range(200):
        broken = bytearray(data)
        broken[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
        broken_path.write_bytes(broken)
        try:
            reader = TakeReader(broken_path)
        except StruckError:
            refused += 1
            continue
        found = list(reader.events())
        assert is_subsequence(found, expected)
        if len(found) < len(expected):
            assert reader.truncated or reader.statistics().gaps > 0
            resumed += bool(found and found[-1] == expected[-1])
    assert refused < 20  # only the few hundred bytes of the header are vital
    assert resumed > 40  # after a damaged chunk it goes on at the next keyframe


def test_rubbish_inside_never_crashes(tmp_path: Path) -> None:
    data = write_take(tmp_path / "a.mcap", make_events(10.0)).read_bytes()
    rng = np.random.default_rng(7)
    path = tmp_path / "broken.mcap"
    for _ in range(200):
        broken = bytearray(data)
        start = int(rng.integers(8, len(data)))
        broken[start : start + 40] = rng.integers(0, 256, 40, dtype=np.uint8).tobytes()
        path.write_bytes(broken)
        try:
            summarise_take(path)
            list(TakeReader(path).events())
        except StruckError as error:
            assert "\n" not in str(error)


def test_huge_claimed_lengths_are_not_allocated(tmp_path: Path) -> None:
    data = write_take(tmp_path / "a.mcap", make_events(3.0)).read_bytes()
    chunk = data.index(b"\x04\0\0\0zstd") - 37  # opcode, length, two times, size and CRC come before
    path = tmp_path / "huge.mcap"
    tracemalloc.start()
    for offset in (1, 25):  # the record's length, the chunk's uncompressed size
        for claim in (2**40, 2**63, 2**64 - 1):
            broken = bytearray(data)
            broken[chunk + offset : chunk + offset + 8] = struct.pack("<Q", claim)
            path.write_bytes(broken)
            assert list(TakeReader(path).events()) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * 2**20


# ---- what is refused -----------------------------------------------------------------------------------


def write_mcap(path: Path, header: dict[str, Any] | None) -> Path:
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        if header is not None:
            writer.add_metadata(HEADER_METADATA, seal_json(header))
        writer.finish()
    return path


@pytest.mark.parametrize("content", [b"", b"some text\n" * 10, MCAP0_MAGIC[:5]])
def test_files_that_are_no_take(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(content)
    with pytest.raises(StruckError, match="is not a take"):
        TakeReader(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(StruckError, match="cannot read"):
        TakeReader(tmp_path / "none.mcap")
    with pytest.raises(StruckError, match="cannot read"):
        TakeReader(tmp_path)


def test_other_mcap_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StruckError, match="without a take's header"):
        TakeReader(write_mcap(tmp_path / "a.mcap", None))


def test_newer_version_is_refused_by_its_number(tmp_path: Path) -> None:
    newer = {**HEADER.to_dict(), "format_version": FORMAT_VERSION + 1}
    with pytest.raises(StruckError, match=f"version {FORMAT_VERSION + 1}, this one reads up to"):
        TakeReader(write_mcap(tmp_path / "a.mcap", newer))


def test_other_field_table_is_refused(tmp_path: Path) -> None:
    other = {**HEADER.to_dict(), "spec_hash": "feedfeedfeedfeed"}
    with pytest.raises(StruckError, match="another table of event fields"):
        TakeReader(write_mcap(tmp_path / "a.mcap", other))


@pytest.mark.parametrize("key", sorted(HEADER.to_dict()))
def test_header_with_a_value_missing_or_wrong_is_refused(tmp_path: Path, key: str) -> None:
    for header in ({k: v for k, v in HEADER.to_dict().items() if k != key}, {**HEADER.to_dict(), key: [1]}):
        with pytest.raises(StruckError, match="header"):
            TakeReader(write_mcap(tmp_path / "a.mcap", header))


def test_unknown_header_keys_and_channels_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    with path.open("wb") as file:
        writer = Writer(file)
        writer.start()
        writer.add_metadata(HEADER_METADATA, seal_json({**HEADER.to_dict(), "mood": "blue"}))
        channel = writer.register_channel("/lights", "json", 0)
        writer.add_message(channel, 0, b"{}", 0)
        writer.finish()
    assert list(TakeReader(path).stream()) == []


def test_weights_check_names_both(tmp_path: Path) -> None:
    weights = CodecWeights("mine", make_initial_timbre_weights(0), {})
    header = TakeHeader("live", weights.name, weights.decoder_hash)
    TakeReader(write_take(tmp_path / "a.mcap", [], header)).check_weights(weights)
    other = CodecWeights("theirs", make_initial_timbre_weights(1), {})
    with pytest.raises(StruckError, match=r"mine.*theirs"):
        TakeReader(tmp_path / "a.mcap").check_weights(other)


def test_times_beyond_a_take_are_refused(tmp_path: Path) -> None:
    with TakeWriter(tmp_path / "a.mcap", HEADER) as writer:
        with pytest.raises(ValueError, match="outside"):
            writer.write(Event(1e12, 0.0, np.zeros(VECTOR_SIZE)))
        with pytest.raises(ValueError, match="outside"):
            writer.write_mark(float("nan"), "x")


# ---- writing without harm ------------------------------------------------------------------------------


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StruckError, match="cannot write"):
        TakeWriter(tmp_path / "none" / "a.mcap", HEADER)
    with pytest.raises(StruckError, match="is a folder"):
        TakeWriter(tmp_path, HEADER)


@pytest.mark.skipif(os.name != "posix", reason="a full disk is simulated by a limit on file size")
def test_full_disk_leaves_the_old_take(tmp_path: Path) -> None:
    path = write_take(tmp_path / "a.mcap", make_events(1.0))
    before = path.read_bytes()
    script = (
        "import resource, signal, sys; from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2]); from test_takes import make_events, write_take\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "write_take(Path(sys.argv[1]), make_events(300.0))\n"
    )
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parent)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    assert "StruckError: cannot write" in result.stderr.splitlines()[-1]
    assert os.listdir(tmp_path) == ["a.mcap"]
    assert path.read_bytes() == before


def test_failed_encode_leaves_the_old_take_and_nothing_else(tmp_path: Path) -> None:
    path = write_take(tmp_path / "a.mcap", make_events(1.0))
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="encoder"), TakeWriter(path, HEADER) as writer:
        writer.write(Event(0.0, 0.0, np.zeros(VECTOR_SIZE)))
        raise RuntimeError("encoder")
    assert os.listdir(tmp_path) == ["a.mcap"]
    assert path.read_bytes() == before


def test_failed_recording_keeps_its_part(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    events = make_events(3.0)
    with pytest.raises(RuntimeError, match="device"), TakeWriter(path, HEADER, live=True) as writer:
        for event in events:
            writer.write(event)
        raise RuntimeError("device")
    assert os.listdir(tmp_path) == ["a.mcap.part"]
    reader = TakeReader(part_path(path))
    assert reader.truncated
    assert list(reader.events()) == quantised(events)
    with pytest.raises(StruckError, match="unfinished recording"):
        TakeWriter(path, HEADER, live=True)


def test_wall_time_flushes_a_live_take(tmp_path: Path) -> None:
    now = 0.0
    with TakeWriter(tmp_path / "a.mcap", HEADER, live=True, clock=lambda: now) as writer:
        writer.write(Event(0.0, 0.0, np.zeros(VECTOR_SIZE)))
        assert list(TakeReader(writer.temporary_path).events()) == []
        now = 1.0
        writer.tick()
        assert len(list(TakeReader(writer.temporary_path).events())) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_kill_9_loses_at_most_a_second(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[2]); from test_takes import HEADER, make_events\n"
        "from struck.codec.takes.takes import TakeWriter\n"
        "writer = TakeWriter(sys.argv[1], HEADER, live=True)\n"
        "for event in make_events(7.3):\n"
        "    writer.write(event)\n"
        "print(event.onset_seconds, flush=True)\n"
        "sys.stdin.read()\n"
    )
    path = tmp_path / "a.mcap"
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parent)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        last_seconds = float(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    reader = TakeReader(part_path(path))
    found = list(reader.events())
    assert found == quantised(make_events(7.3))[: len(found)]
    assert reader.truncated
    lost = make_events(7.3)[len(found)].onset_seconds
    assert last_seconds - lost < 1.0
    assert not path.exists()


def test_an_hour_is_read_with_flat_memory(tmp_path: Path) -> None:
    minute = make_events(60.0)
    with TakeWriter(tmp_path / "a.mcap", HEADER) as writer:
        for i in range(60):
            for event in minute:
                writer.write(replace(event, onset_seconds=event.onset_seconds + 60.0 * i))
    reader = TakeReader(tmp_path / "a.mcap")
    events = reader.events()
    next(events)
    tracemalloc.start()
    count = 1 + sum(1 for _ in zip(range(3_000), events, strict=False))
    early = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    count += sum(1 for _ in zip(range(3_000), events, strict=False))
    late = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    count += sum(1 for _ in events)
    assert count in range(60 * len(minute) - 2, 60 * len(minute) + 1)
    assert late < early + 200_000
    assert early < 2_000_000  # the events alone, kept, would be 20 MB for the hour
