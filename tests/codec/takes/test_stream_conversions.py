"""Conversions of takes with amendments and ends: JSON lines both ways, tables, MIDI files, settled takes."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, StreamItem, in_stream_order, stream_key
from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.descriptors import read_descriptors
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.events.settle import settle
from struck.codec.takes.conversions import convert, edit_take
from struck.codec.takes.mpe import CABLE_BYTES_PER_SECOND
from struck.codec.takes.takes import TakeReader, TakeWriter
from struck.codec.transforms.edits import Edit
from struck.codec.weights.codec_weights import CodecWeights

from ..packets.streams import followed, told
from .test_takes import HEADER


def make_event(onset_seconds: float, id: int | None, gain_db: float = -20.0, **physical: float) -> Event:
    vector = np.zeros(VECTOR_SIZE)
    for name, value in ({"hold": 6.0, "decay": 40.0} | physical).items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(onset_seconds, gain_db, vector, id)


def write_stream(path: Path, items: list[StreamItem], weights_hash: str = HEADER.weights_hash) -> Path:
    with TakeWriter(path, replace(HEADER, exact=True, weights_hash=weights_hash)) as writer:
        for item in items:
            writer.write(item)
        writer.write_mark(0.5, "dropout")
    return path


# ---- JSON lines ----------------------------------------------------------------------------------------


def test_json_lines_in_any_order_and_back_lose_nothing(tmp_path: Path) -> None:
    items = followed(3, 5.0)
    convert(write_stream(tmp_path / "a.mcap", items), tmp_path / "a.jsonl")
    lines = (tmp_path / "a.jsonl").read_text().splitlines()
    random.Random(1).shuffle(lines)
    (tmp_path / "b.jsonl").write_text("\n".join(lines))
    convert(tmp_path / "b.jsonl", tmp_path / "b.mcap")
    found = list(TakeReader(tmp_path / "b.mcap").items())
    assert found == in_stream_order(found)

    def one_at_a_time(items: list[StreamItem]) -> list[StreamItem]:
        return sorted(items, key=lambda item: (*stream_key(item), item.id))

    assert told(one_at_a_time(found)) == told(one_at_a_time(items))


def test_lines_say_what_is_amended_and_no_more(tmp_path: Path) -> None:
    bend = Amendment.of_fields(7, 1.0, {"pitch": 61.5, "decay": 2.0}, gain_db=-6.0)
    quiet = Amendment(7, 1.5, -30.0)
    items = [make_event(0.5, 7), make_event(0.7, None), bend, quiet, End(7, 2.0)]
    convert(write_stream(tmp_path / "a.mcap", items), tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()][1:]
    event, nameless, first, second, end = [line for line in lines if "channel" not in line]
    assert event["id"] == 7
    assert "id" not in nameless
    assert set(first) == {"amend", "at_seconds", "gain_db", "pitch", "decay", "vector"}
    assert (first["amend"], first["at_seconds"], first["gain_db"]) == (7, 1.0, -6.0)
    assert first["pitch"] == pytest.approx(61.5, abs=1e-3)
    assert set(first["vector"]) == {"pitch", "decay"}
    assert second == {"amend": 7, "at_seconds": 1.5, "gain_db": -30.0, "vector": {}}
    assert end == {"end": 7, "at_seconds": 2.0}


def json_take(path: Path, *lines: dict) -> Path:
    header = {"take": HEADER.to_dict() | {"exact": True}, "duration_seconds": 9.0}
    path.write_text("".join(json.dumps(line) + "\n" for line in (header, *lines)))
    return path


EVENT_LINE = {"id": 7, "onset_seconds": 0.5, "gain_db": -20.0, "vector": [0.0] * VECTOR_SIZE}


def test_lines_may_be_written_by_hand(tmp_path: Path) -> None:
    source = json_take(
        tmp_path / "a.jsonl",
        {"end": 7, "at_seconds": 2.0},
        {"amend": 7, "at_seconds": 1.0, "pitch": 61.5},
        {"amend": 7, "at_seconds": 1.5, "pitch": 60.0, "vector": {"pitch": 0.5}},  # the value counts
        EVENT_LINE,
    )
    convert(source, tmp_path / "a.mcap")
    event, bend, back, end = TakeReader(tmp_path / "a.mcap").items()
    assert event.id == 7
    assert bend == Amendment.of_fields(7, 1.0, {"pitch": 61.5})
    assert back == Amendment.of_fields(7, 1.5, {"pitch": 60.0})
    assert end == End(7, 2.0)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"amend": 8, "at_seconds": 1.0, "pitch": 61.0}, "no event 8 sounds at 1 s"),
        ({"amend": 7, "at_seconds": 0.4, "pitch": 61.0}, "no event 7 sounds at 0.4 s"),
        ({"amend": 7, "at_seconds": 2.5, "pitch": 61.0}, "has ended"),
        ({"end": 7, "at_seconds": 1.0}, "no event 7"),  # line 3's end comes too late then
        ({"end": 9, "at_seconds": 1.0}, "no event 9"),
        ({"amend": 7, "at_seconds": 1.0}, "amends nothing"),
        ({"amend": 7, "at_seconds": 1.0, "colour": 3}, "an amendment has no 'colour'"),
        ({"amend": 7, "at_seconds": 1.0, "pitch": 1e999}, "not a JSON number|too large"),
        ({"amend": 7, "at_seconds": 1.0, "pitch": 500}, "'pitch' is 500; the range"),
        ({"amend": 7, "at_seconds": 1.0, "gain_db": 40}, "gain_db is 40"),
        ({"amend": 7, "at_seconds": 1.0, "vector": {"pitch": 2}}, "from -1 to 1"),
        ({"amend": 7, "at_seconds": 1.0, "vector": {"colour": 0}}, "object of fields"),
        ({"amend": 7, "at_seconds": 1.0, "vector": [0.0] * VECTOR_SIZE}, "object of fields"),
        ({"amend": 7, "at_seconds": -1.0, "pitch": 60}, "time -1"),
        ({"amend": 7, "pitch": 60}, "'at_seconds' is missing"),
        ({"amend": 2**32, "at_seconds": 1.0, "pitch": 60}, "whole number in 0"),
        ({"amend": "7", "at_seconds": 1.0, "pitch": 60}, "whole number in 0"),
        ({"end": 7, "at_seconds": 1.0, "pitch": 60}, "an end has no 'pitch'"),
        ({"end": None, "at_seconds": 1.0}, "whole number in 0"),
        ({**EVENT_LINE, "id": 1.5}, "whole number in 0"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: dict, says: str) -> None:
    source = json_take(tmp_path / "a.jsonl", EVENT_LINE, {"end": 7, "at_seconds": 2.0}, line)
    with pytest.raises(StruckError, match=f"line [34].*({says})") as caught:
        convert(source, tmp_path / "b.mcap")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b.mcap").exists()


# ---- tables --------------------------------------------------------------------------------------------


def test_a_table_has_a_row_per_item_with_what_is_heard_from_then_on(tmp_path: Path) -> None:
    weights = CodecWeights("random", make_initial_timbre_weights(5), {})
    event = make_event(0.5, 7, pitch=60.0)
    bend = Amendment.of_fields(7, 1.0, {"pitch": 62.0})
    quiet = Amendment(7, 1.5, -30.0)
    take = write_stream(tmp_path / "a.mcap", [event, bend, quiet, End(7, 2.0)], weights.decoder_hash)
    convert(take, tmp_path / "a.csv", weights)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["kind"] for row in rows] == ["event", "amendment", "amendment", "end"]
    assert [row["id"] for row in rows] == ["7"] * 4
    assert [float(row["seconds"]) for row in rows] == [0.5, 1.0, 1.5, 2.0]
    assert [row["gain_db"] for row in rows] == ["-20", "", "-30", ""]
    assert [row["field.hold"] == "" for row in rows] == [False, True, True, True]
    assert float(rows[1]["field.pitch"]) == pytest.approx(62.0, rel=1e-5)
    heard = [read_descriptors(weights, state).pitch_hz for state in (event, bend.apply(event))]
    assert float(rows[0]["pitch_hz"]) == pytest.approx(heard[0], rel=1e-6)
    assert float(rows[1]["pitch_hz"]) == float(rows[2]["pitch_hz"]) == pytest.approx(heard[1], rel=1e-6)
    assert rows[3]["pitch_hz"] == ""


# ---- MIDI ----------------------------------------------------------------------------------------------


def played(path: Path) -> list[tuple[float, mido.Message]]:
    """Messages of a file after those that declare the zone, with their times."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if not message.is_meta and not (message.type == "control_change" and message.control != 74):
            found.append((now, message))
    return found


def test_notes_end_where_their_events_end(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    lengths = [0.02, 0.1, *rng.uniform(0.05, 5.0, 20)]
    items: list[StreamItem] = []
    for id, length in enumerate(lengths):
        onset = 0.5 * id
        items += [make_event(onset, id, pitch=40.0 + id), End(id, onset + length)]
    convert(write_stream(tmp_path / "a.mcap", in_stream_order(items)), tmp_path / "a.mid")
    begun: dict[tuple[int, int], float] = {}
    found = {}
    for now, message in played(tmp_path / "a.mid"):
        if message.type == "note_on":
            begun[message.channel, message.note] = now
        elif message.type == "note_off":
            found[message.note - 40] = now - begun.pop((message.channel, message.note))
    assert not begun
    assert max(abs(found[id] - length) for id, length in enumerate(lengths)) < 0.005


def test_amendments_bend_press_and_brighten_their_own_note(tmp_path: Path) -> None:
    items = [
        make_event(0.0, 1, pitch=60.0),
        make_event(0.1, 2, pitch=67.0),
        Amendment.of_fields(1, 0.5, {"pitch": 61.5}),
        Amendment(2, 0.7, -40.0),
        Amendment.of_fields(1, 0.9, {"tilt": 6.0}),
        End(1, 1.0),
        End(2, 1.1),
        make_event(1.2, 3, pitch=50.0),
        End(3, 1.4),
    ]
    convert(write_stream(tmp_path / "a.mcap", items), tmp_path / "a.mid")
    messages = played(tmp_path / "a.mid")
    channel = {m.note: m.channel for _, m in messages if m.type == "note_on"}
    later = [(round(now, 2), m) for now, m in messages if now > 0.3 and "note" not in m.type and now < 1.15]
    assert [(now, m.type, m.channel) for now, m in later] == [
        (0.5, "pitchwheel", channel[60]),
        (0.7, "aftertouch", channel[67]),
        (0.9, "control_change", channel[60]),
    ]
    assert later[0][1].pitch == pytest.approx(1.5 / 48 * 8192, abs=1.0)
    assert later[1][1].value == 13  # as a velocity of -40 dB
    assert later[2][1].value == 127


def test_a_channel_forgets_the_pressure_of_the_note_before(tmp_path: Path) -> None:
    items: list[StreamItem] = []
    for id in range(16):
        items += [make_event(0.5 * id, id), Amendment(id, 0.5 * id + 0.1, -6.0), End(id, 0.5 * id + 0.2)]
    convert(write_stream(tmp_path / "a.mcap", items), tmp_path / "a.mid")
    pressures = [(m.channel, m.value) for _, m in played(tmp_path / "a.mid") if m.type == "aftertouch"]
    assert [value > 0 for _, value in pressures] == [True] * 15 + [False, True]
    assert pressures[15][0] == pressures[0][0]


def test_amendments_are_thinned_to_what_a_cable_carries(tmp_path: Path) -> None:
    """Fifteen notes amended 500 times a second: no second holds more bytes than the cable, all ends right."""
    rng = np.random.default_rng(4)
    items: list[StreamItem] = [make_event(0.0, id, pitch=40.0 + 4 * id) for id in range(15)]
    last: dict[int, Amendment] = {}
    for step in range(1, 1000):
        for id in range(15):
            values = {"pitch": 40.0 + 4 * id + rng.uniform(-1, 1), "tilt": rng.uniform(-30, 6)}
            last[id] = Amendment.of_fields(id, step / 500, values, gain_db=float(rng.uniform(-40, 0)))
            items.append(last[id])
    items += [End(id, 3.0) for id in range(15)]
    convert(write_stream(tmp_path / "a.mcap", items), tmp_path / "a.mid")
    messages = played(tmp_path / "a.mid")
    times = np.array([now for now, _ in messages])
    sizes = np.array([len(message.bytes()) for _, message in messages])
    start = 0.2  # the chord at 0 is not thinned
    for begin in np.arange(start, 3.0, 0.05):
        window = (times >= begin) & (times < begin + 0.1)
        assert sizes[window].sum() < 0.1 * CABLE_BYTES_PER_SECOND + 15
    busy = (times >= start) & (times < 2.0)
    assert sizes[busy].sum() > 0.95 * 1.8 * CABLE_BYTES_PER_SECOND
    bends = {m.channel: m.pitch for _, m in messages if m.type == "pitchwheel"}
    for _, on in [(now, m) for now, m in messages if m.type == "note_on"]:
        amended = last[(on.note - 40) // 4].apply(items[(on.note - 40) // 4])
        pitch = FIELDS[INDEX["pitch"]].low + 60.0 * (float(amended.vector[INDEX["pitch"]]) + 1.0)
        assert on.note + bends[on.channel] / 8192 * 48 == pytest.approx(pitch, abs=0.01)


# ---- settled and edited --------------------------------------------------------------------------------


def test_a_settled_take_has_one_vector_per_event(tmp_path: Path) -> None:
    items = followed(3, 5.0)
    convert(write_stream(tmp_path / "a.mcap", items), tmp_path / "b.mcap", settled=True)
    reader = TakeReader(tmp_path / "b.mcap")
    assert told(list(reader.items())) == told(settle(items))
    assert [mark.value for mark in reader.marks()] == [{"kind": "dropout"}]


def test_an_edited_take_is_edited_to_the_end(tmp_path: Path) -> None:
    items = [
        make_event(0.5, 7, pitch=60.0),
        Amendment.of_fields(7, 1.0, {"pitch": 61.0}),
        End(7, 1.5),
    ]
    edit_take(
        write_stream(tmp_path / "a.mcap", items),
        tmp_path / "b.mcap",
        Edit(transpose_semitones=3.0, stretch=2.0),
    )
    event, bend, end = TakeReader(tmp_path / "b.mcap").items()
    assert (event.onset_seconds, bend.at_seconds, end.at_seconds) == (1.0, 2.0, 3.0)
    assert bend.vector[INDEX["pitch"]] == pytest.approx(from_physical(FIELDS[INDEX["pitch"]], 64.0), abs=1e-6)
