"""Takes with amendments and ends: round trips, counts, cuts, damage, a killed recorder."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from struck.codec.events.amendments import (
    Amendment,
    End,
    StreamItem,
    in_stream_order,
    item_seconds,
    stream_key,
)
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.takes.takes import TakeReader, TakeWriter, part_path, summarise_take

from ..packets.streams import followed, told
from ..packets.streams import quantised as quantised_stream
from .test_takes import HEADER, make_events, write_take


def write_stream(path: Path, items: list[StreamItem], exact: bool = False, live: bool = False) -> Path:
    with TakeWriter(path, replace(HEADER, exact=exact), live=live) as writer:
        for item in items:
            writer.write(item)
    return path


@pytest.mark.parametrize("exact", [False, True])
def test_a_stream_comes_back_in_order(tmp_path: Path, exact: bool) -> None:
    items = followed(4, 40.0)
    rng = np.random.default_rng(1)
    shuffled = sorted(items, key=lambda item: stream_key(item)[0] + rng.uniform(0.0, 0.4))
    reader = TakeReader(write_stream(tmp_path / "a.mcap", shuffled, exact))
    found = list(reader.items())
    assert found == in_stream_order(found)
    expected = [stream_key(item) for item in (items if exact else quantised_stream(items))]
    # an amendment of an event that was written in a later packet was left out: few, and never an event
    assert sum(isinstance(item, Event) for item in found) == sum(isinstance(item, Event) for item in items)
    assert len(expected) - len(found) < 0.01 * len(expected)
    reader = TakeReader(write_stream(tmp_path / "b.mcap", items, exact))
    assert told(list(reader.items())) == told(items if exact else quantised_stream(items))
    assert [item.id for item in reader.events()] == [i.id for i in items if isinstance(i, Event)]


def test_info_counts_events_amendments_and_ends_and_their_bits_apart(tmp_path: Path) -> None:
    items = followed(4, 20.0)
    counts = {kind: sum(isinstance(item, kind) for item in items) for kind in (Event, Amendment, End)}
    summary = summarise_take(write_stream(tmp_path / "a.mcap", items))
    assert [summary[name] for name in ("events", "amendments", "ends")] == list(counts.values())
    bits = [summary[name] for name in ("event_bits", "amendment_bits", "end_bits")]
    assert sum(bits) == pytest.approx(summary["payload_bits_per_second"] * summary["duration"])
    assert 100 < bits[0] / counts[Event] < 300
    assert 5 < bits[1] / counts[Amendment] < 40
    assert 5 < bits[2] / counts[End] < 64
    assert summary["gaps"] == 0
    unamended = summarise_take(write_take(tmp_path / "b.mcap", make_events(5.0)))
    assert (unamended["amendments"], unamended["amendment_bits"], unamended["end_bits"]) == (0, 0, 0)


def test_what_speaks_of_nothing_is_counted_and_left_out(tmp_path: Path) -> None:
    event = Event(0.5, -20.0, np.zeros(VECTOR_SIZE), 7)
    with TakeWriter(tmp_path / "a.mcap", HEADER) as writer:
        for item in (event, Amendment(8, 0.6, -3.0), End(7, 0.8), End(7, 0.9), Amendment(7, 2.0, -3.0)):
            writer.write(item)
        writer.flush()
        assert writer.ignored_count == 3
        writer.write(End(7, 5.0))  # the take ends in a packet of which nothing is left
    reader = TakeReader(tmp_path / "a.mcap")
    assert list(reader.items()) == quantised_stream([event, End(7, 0.8)])
    assert reader.statistics().gaps == 0


@pytest.mark.parametrize("exact", [False, True])
def test_a_stream_cut_anywhere_yields_a_prefix(tmp_path: Path, exact: bool) -> None:
    items = followed(2, 4.0)
    data = write_stream(tmp_path / "a.mcap", items, exact, live=True).read_bytes()
    expected = told(items if exact else quantised_stream(items))
    cut = tmp_path / "cut.mcap"
    counts = []
    for length in range(1000, len(data), 13):
        cut.write_bytes(data[:length])
        found = told(list(TakeReader(cut).items()))
        assert found == expected[: len(found)]
        counts.append(len(found))
    assert counts == sorted(counts)
    assert len(set(counts)) >= 4


def test_a_damaged_stream_is_sound_after_the_gap(tmp_path: Path) -> None:
    """What is amended or ends after a gap has begun, for a reader who knows no more than the file."""
    items = followed(3, 70.0)
    data = write_stream(tmp_path / "a.mcap", items, live=True).read_bytes()
    rng = np.random.default_rng(6)
    broken_path = tmp_path / "broken.mcap"
    resumed = 0
    for _ in range(12):
        broken = bytearray(data)
        broken[rng.integers(2000, len(data))] ^= 1 << int(rng.integers(8))
        broken_path.write_bytes(broken)
        reader = TakeReader(broken_path)
        found = list(reader.items())
        assert found == in_stream_order(found)
        begun: set[int] = set()
        for item in found:
            if isinstance(item, Event):
                begun.add(item.id)
            else:
                assert item.id in begun
            if isinstance(item, End):
                begun.remove(item.id)
        assert len(found) <= len(items) + 3 * 3
        resumed += len(found) < len(items) and found[-1] == quantised_stream(items)[-1]
    assert resumed > 1


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_kill_9_in_the_middle_of_amendments_loses_at_most_a_second(tmp_path: Path) -> None:
    script = (
        "import sys; from struck.codec.takes.takes import TakeHeader, TakeWriter\n"
        "import pickle; header, items = pickle.load(open(sys.argv[2], 'rb'))\n"
        "writer = TakeWriter(sys.argv[1], header, live=True)\n"
        "for item in items:\n"
        "    writer.write(item)\n"
        "print('written', flush=True)\n"
        "sys.stdin.read()\n"
    )
    items = followed(4, 6.0)
    items = [item for item in items if item_seconds(item) < 5.3]
    (tmp_path / "items").write_bytes(pickle.dumps((HEADER, items)))
    path = tmp_path / "a.mcap"
    command = [sys.executable, "-c", script, str(path), str(tmp_path / "items")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    reader = TakeReader(part_path(path))
    found = told(list(reader.items()))
    assert found == told(quantised_stream(items))[: len(found)]
    assert item_seconds(items[-1]) - item_seconds(items[len(found)]) < 1.0
    assert reader.truncated
