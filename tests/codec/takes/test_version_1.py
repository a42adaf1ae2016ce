"""Takes of version 1 are read for ever, and version 2 is no larger."""

from __future__ import annotations

import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from struck.codec.events.events import Event
from struck.codec.takes.takes import FORMAT_VERSION, TakeMessage, TakeReader, TakeWriter, summarise_take

VERSION_1 = Path(__file__).parent / "version_1"


@pytest.mark.parametrize("name", ["quantised", "exact"])
def test_takes_of_version_1_are_read_as_they_were_written(name: str) -> None:
    """The files were made by the last code of version 1; see ``version_1/make_version_1.py``."""
    expected = json.loads((VERSION_1 / "expected.json").read_text())[name]
    reader = TakeReader(VERSION_1 / f"{name}.mcap")
    events = list(reader.items())
    hashed = hashlib.sha256()
    for event in events:
        assert isinstance(event, Event)
        assert event.id is None
        hashed.update(struct.pack("<2d", event.onset_seconds, event.gain_db))
        hashed.update(event.vector.astype("<f4").tobytes())
    assert (len(events), hashed.hexdigest()) == (expected["events"], expected["sha256"])
    summary = summarise_take(reader.path)
    assert (summary["version"], summary["events"], summary["gaps"], summary["truncated"]) == (
        1,
        expected["events"],
        0,
        False,
    )
    assert [message.seconds for message in reader.stream() if isinstance(message, TakeMessage)] == [
        2.5,
        3.0,
        3.5,
        4.0,
    ]


@pytest.mark.parametrize("name", ["quantised", "exact"])
def test_a_take_without_amendments_is_no_larger_than_in_version_1(tmp_path: Path, name: str) -> None:
    before = TakeReader(VERSION_1 / f"{name}.mcap")
    with TakeWriter(tmp_path / "a.mcap", replace(before.header, format_version=FORMAT_VERSION)) as writer:
        for item in before.stream():
            if isinstance(item, TakeMessage):
                writer.write_message(item.channel, item.seconds, item.value)
            else:
                writer.write(item)
        writer.close(before.duration_seconds)
    assert (tmp_path / "a.mcap").stat().st_size <= before.path.stat().st_size
    assert list(TakeReader(tmp_path / "a.mcap").events()) == list(before.events())
