"""Conversions: lossless JSON lines, MIDI files with true pitches, CSV, and refusals that name the line."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.descriptors import read_descriptors
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical, read_field
from struck.codec.events.events import Event
from struck.codec.takes.conversions import convert, edit_take
from struck.codec.takes.takes import TakeHeader, TakeReader, TakeWriter, part_path
from struck.codec.transforms.edits import Edit
from struck.codec.weights.codec_weights import CodecWeights

HEADER = TakeHeader("live", "codec", "0123456789abcdef", source="test.wav")


def make_event(onset_seconds: float = 0.0, gain_db: float = -20.0, **physical: float) -> Event:
    vector = np.zeros(VECTOR_SIZE)
    for name, value in physical.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return Event(onset_seconds, gain_db, vector)


def make_take(path: Path, events: list[Event] | None = None, exact: bool = False) -> Path:
    rng = np.random.default_rng(0)
    if events is None:
        events = [Event(0.3 * i, -float(i), rng.uniform(-1, 1, VECTOR_SIZE)) for i in range(25)]
    with TakeWriter(path, replace(HEADER, exact=exact)) as writer:
        for event in events:
            writer.write(event)
        writer.write_midi(7.5, b"\x90\x3c\x40")
        writer.write_mark(7.75, "dropout", blocks=2)
        writer.close(9.0)
    return path


@pytest.mark.parametrize("exact", [False, True])
def test_json_lines_and_back_lose_nothing(tmp_path: Path, exact: bool) -> None:
    take = make_take(tmp_path / "a.mcap", exact=exact)
    convert(take, tmp_path / "a.jsonl")
    convert(tmp_path / "a.jsonl", tmp_path / "b.mcap")
    a, b = TakeReader(take), TakeReader(tmp_path / "b.mcap")
    assert list(a.events()) == list(b.events())
    assert a.header == b.header
    assert list(a.midi()) == list(b.midi())
    assert list(a.marks()) == list(b.marks())
    assert b.duration_seconds == 9.0
    assert sorted(os.listdir(tmp_path)) == ["a.jsonl", "a.mcap", "b.mcap"]


def test_json_lines_say_the_fields_by_name(tmp_path: Path) -> None:
    convert(make_take(tmp_path / "a.mcap", [make_event(1.0, -12.0, pitch=60.0)]), tmp_path / "a.jsonl")
    header, line = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines()[:2])
    assert header["take"]["profile"] == "live"
    assert header["duration_seconds"] == 9.0
    assert line["onset_seconds"] == 1.0
    assert line["gain_db"] == -12.0
    assert line["pitch"] == pytest.approx(60.0, abs=0.02)
    assert {field.name for field in FIELDS} < set(line)
    assert len(line["vector"]) == VECTOR_SIZE


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_lines(path: Path, lines: list[dict[str, Any]], begin: str = "", end: str = "\n") -> Path:
    path.write_bytes((begin + "".join(json.dumps(line) + end for line in lines)).encode())
    return path


@pytest.fixture
def edited(tmp_path: Path) -> Any:
    """Changes the JSON lines of an exact take of two events; gives the events that come of it."""
    events = [make_event(1.0, -12.0, pitch=60.03, decay=2.0), make_event(2.0, -6.0, pitch=48.0, decay=1.0)]
    convert(make_take(tmp_path / "a.mcap", events, exact=True), tmp_path / "a.jsonl")

    def apply(change: Any, **form: str) -> tuple[list[Event], list[Event]]:
        lines = lines_of(tmp_path / "a.jsonl")
        change(lines)
        convert(write_lines(tmp_path / "b.jsonl", lines, **form), tmp_path / "b.mcap")
        return events, list(TakeReader(tmp_path / "b.mcap").events())

    return apply


@pytest.mark.parametrize("form", [{"begin": "\ufeff"}, {"end": "\r\n"}, {"end": "\n\n"}])
def test_how_editors_save_changes_nothing(edited: Any, form: dict[str, str]) -> None:
    before, after = edited(lambda lines: None, **form)
    assert after == before


def test_a_changed_value_counts_and_the_others_keep_all_their_digits(edited: Any) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        lines[1]["pitch"] = 30
        lines[2]["decay"] = 3.5

    (a, b), (c, d) = edited(change)
    assert read_field(c.vector, "pitch") == pytest.approx(30.0, abs=1e-5)
    assert read_field(d.vector, "decay") == pytest.approx(3.5, rel=1e-5)
    for before, after, name in ((a, c, "pitch"), (b, d, "decay")):
        others = np.arange(VECTOR_SIZE) != INDEX[name]
        np.testing.assert_array_equal(after.vector[others], before.vector[others])


def test_the_last_digit_counts_too(edited: Any) -> None:
    (a, _), (c, _) = edited(lambda lines: lines[1].update(pitch=round(lines[1]["pitch"] + 0.0001, 4)))
    assert read_field(c.vector, "pitch") - read_field(a.vector, "pitch") == pytest.approx(1e-4, rel=0.2)


def test_a_line_needs_no_vector_or_no_values(edited: Any) -> None:
    def change(lines: list[dict[str, Any]]) -> None:
        del lines[1]["vector"]
        for field in FIELDS:
            del lines[2][field.name]

    (a, b), (c, d) = edited(change)
    np.testing.assert_allclose(c.vector, a.vector, atol=1e-5)
    assert d == b


@pytest.mark.parametrize("order", ["reversed", "by pitch", "joined"])
def test_lines_in_any_order_become_a_take_in_order(tmp_path: Path, order: str) -> None:
    take = make_take(tmp_path / "a.mcap", exact=True)
    convert(take, tmp_path / "a.jsonl")
    lines = lines_of(tmp_path / "a.jsonl")
    if order == "reversed":
        lines.reverse()
    elif order == "by pitch":
        lines.sort(key=lambda line: line.get("pitch", 60.0))
    else:
        header = {**lines[0], "duration_seconds": 12.5}
        lines = [lines[0], *lines[15:], header, *lines[1:15]]
    convert(write_lines(tmp_path / "b.jsonl", lines), tmp_path / "b.mcap")
    a, b = TakeReader(take), TakeReader(tmp_path / "b.mcap")
    assert list(b.events()) == list(a.events())
    assert list(b.midi()) == list(a.midi())
    assert b.duration_seconds == (12.5 if order == "joined" else 9.0)


def test_a_take_in_disorder_is_put_in_order(tmp_path: Path) -> None:
    make_take(tmp_path / "a.mcap", [make_event(onset) for onset in (5.0, 1.0, 8.0, 3.0)])
    for name in ("b.mcap", "b.jsonl"):
        convert(tmp_path / "a.mcap", tmp_path / name)
    edit_take(tmp_path / "a.mcap", tmp_path / "c.mcap", Edit(stretch=2.0))
    ordered = [event.onset_seconds for event in TakeReader(tmp_path / "b.mcap").events()]
    assert ordered == pytest.approx([1.0, 3.0, 5.0, 8.0], abs=1e-4)
    told = [line["onset_seconds"] for line in lines_of(tmp_path / "b.jsonl") if "onset_seconds" in line]
    assert told == pytest.approx(ordered, abs=1e-4)
    stretched = [event.onset_seconds for event in TakeReader(tmp_path / "c.mcap").events()]
    assert stretched == pytest.approx([2.0, 6.0, 10.0, 16.0], abs=1e-3)


def test_takes_of_different_weights_are_not_joined(tmp_path: Path) -> None:
    convert(make_take(tmp_path / "a.mcap"), tmp_path / "a.jsonl")
    lines = lines_of(tmp_path / "a.jsonl")
    other = {**lines[0], "take": {**lines[0]["take"], "weights_hash": "f" * 16}}
    write_lines(tmp_path / "b.jsonl", [*lines, other, *lines[1:]])
    with pytest.raises(StruckError, match=f"line {len(lines) + 1}: .*different weights"):
        convert(tmp_path / "b.jsonl", tmp_path / "b.mcap")


@pytest.mark.parametrize("extension", [".mcap", ".jsonl", ".mid", ".csv"])
def test_an_extension_may_be_written_in_capitals(tmp_path: Path, extension: str) -> None:
    small, large = tmp_path / f"b{extension}", tmp_path / f"c{extension.upper()}"
    take = make_take(tmp_path / "a.MCAP")
    for path in (small, large):
        convert(take, path)
    assert large.read_bytes() == small.read_bytes()


@pytest.mark.parametrize("name", ["b.JSONL", "b.MCAP.part"])
def test_and_so_may_that_of_what_is_read(tmp_path: Path, name: str) -> None:
    take = make_take(tmp_path / "a.mcap")
    convert(take, tmp_path / "b.JSONL")
    take.rename(tmp_path / "b.MCAP.part")
    convert(tmp_path / name, tmp_path / "c.mcap")
    assert len(list(TakeReader(tmp_path / "c.mcap").events())) == 25


def test_a_part_becomes_a_take_with_a_mark(tmp_path: Path) -> None:
    writer = TakeWriter(tmp_path / "a.mcap", HEADER, live=True)
    writer.write(make_event(0.5))
    writer.abort()
    convert(part_path(tmp_path / "a.mcap"), tmp_path / "a.mcap")
    reader = TakeReader(tmp_path / "a.mcap")
    assert not reader.truncated
    assert len(list(reader.events())) == 1
    assert [mark.value for mark in reader.marks()] == [{"kind": "cut"}]


def test_an_edited_take_keeps_what_was_recorded_beside_it(tmp_path: Path) -> None:
    take = make_take(tmp_path / "a.mcap")
    edit_take(take, tmp_path / "b.mcap", Edit(transpose_semitones=2.0, stretch=2.0, thin_db=9.5))
    a, b = TakeReader(take), TakeReader(tmp_path / "b.mcap")
    assert b.header == a.header
    assert b.duration_seconds == 18.0
    assert [e.gain_db for e in b.events()] == [-float(i) for i in range(10)]
    assert [e.onset_seconds for e in b.events()] == pytest.approx([0.6 * i for i in range(10)], abs=1e-4)
    assert [m.seconds for m in b.midi()] == [15.0]
    assert [m.seconds for m in b.marks()] == [15.5]


# ---- MIDI ----------------------------------------------------------------------------------------------


def read_mpe(path: Path) -> list[dict[str, Any]]:
    """Notes of an MPE file as a receiver would play them: start, end, pitch, velocity, CC 74, channel."""
    bend, control, sounding, notes, now = {}, {}, {}, [], 0.0
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "pitchwheel":
            assert message.channel not in sounding, "a sounding note was bent"
            bend[message.channel] = message.pitch
        elif message.type == "control_change" and message.control == 74:
            control[message.channel] = message.value
        elif message.type == "note_on":
            assert message.channel not in sounding
            assert message.channel > 0
            pitch = message.note + bend[message.channel] / 8192 * 48
            sounding[message.channel] = {
                "start": now,
                "pitch": pitch,
                "note": message.note,
                "velocity": message.velocity,
                "cc74": control[message.channel],
                "channel": message.channel,
            }
        elif message.type == "note_off":
            note = sounding.pop(message.channel)
            assert note["note"] == message.note
            notes.append({**note, "end": now})
    assert not sounding
    return sorted(notes, key=lambda note: note["start"])


def test_midi_pitches_are_true_to_a_cent(tmp_path: Path) -> None:
    pitches = [12.0, 21.37, 60.0, 60.49, 60.51, 69.13, 127.4, 132.0]
    events = [make_event(0.25 * i, pitch=pitch) for i, pitch in enumerate(pitches)]
    convert(make_take(tmp_path / "a.mcap", events, exact=True), tmp_path / "a.mid")
    notes = read_mpe(tmp_path / "a.mid")
    assert [note["pitch"] for note in notes] == pytest.approx(pitches, abs=0.01)
    assert [note["start"] for note in notes] == pytest.approx([0.25 * i for i in range(8)], abs=0.001)


def test_midi_velocity_brightness_and_end(tmp_path: Path) -> None:
    events = [
        make_event(0.0, 0.0, attack=0.001, hold=6.0, decay=1.5, tilt=6.0),
        make_event(2.0, -40.0, attack=0.1, hold=0.3, release=0.1, decay=40.0, tilt=-30.0),
    ]
    convert(make_take(tmp_path / "a.mcap", events, exact=True), tmp_path / "a.mid")
    loud, soft = read_mpe(tmp_path / "a.mid")
    assert loud["velocity"] == 127
    assert soft["velocity"] == 13
    assert loud["cc74"] == 127
    assert soft["cc74"] == 0
    assert loud["end"] - loud["start"] == pytest.approx(1.5, abs=0.001)
    assert soft["end"] - soft["start"] == pytest.approx(0.5, abs=0.001)


def test_midi_zone_is_declared(tmp_path: Path) -> None:
    convert(make_take(tmp_path / "a.mcap", [make_event()]), tmp_path / "a.mid")
    parameter: dict[int, dict[int, int]] = {}
    seen = {}
    for message in mido.MidiFile(tmp_path / "a.mid"):
        if message.type == "note_on":
            break
        if message.type == "control_change":
            state = parameter.setdefault(message.channel, {})
            state[message.control] = message.value
            if message.control == 6:
                seen[message.channel, state[101], state[100]] = message.value
    assert seen[0, 0, 6] == 15
    assert all(seen[channel, 0, 0] == 48 for channel in range(1, 16))


def test_midi_has_a_channel_per_note_and_cuts_the_first_to_end(tmp_path: Path) -> None:
    events = [make_event(0.01 * i, pitch=40.0 + i, hold=3.0, decay=20.0) for i in range(16)]
    convert(make_take(tmp_path / "a.mcap", events), tmp_path / "a.mid")
    notes = read_mpe(tmp_path / "a.mid")
    assert len(notes) == 16
    assert len({note["channel"] for note in notes[:15]}) == 15
    assert notes[0]["end"] == notes[15]["start"]
    assert notes[0]["channel"] == notes[15]["channel"]


# ---- CSV -----------------------------------------------------------------------------------------------


def test_midi_may_pause_for_days(tmp_path: Path) -> None:
    """A time between two messages has four bytes of seven bits: 38.8 hours at this file's ticks."""
    hours = (0.0, 55.0, 55.001, 200.0)
    make_take(
        tmp_path / "a.mcap", [make_event(3600.0 * hour, pitch=60.0 + i) for i, hour in enumerate(hours)]
    )
    convert(tmp_path / "a.mcap", tmp_path / "a.mid")
    (track,) = mido.MidiFile(tmp_path / "a.mid").tracks
    assert max(message.time for message in track) < 1 << 28
    seconds, onsets = 0.0, {}
    for message in mido.MidiFile(tmp_path / "a.mid"):
        seconds += message.time
        if message.type == "note_on":
            onsets[message.note] = seconds
    assert onsets == pytest.approx({60 + i: 3600.0 * hour for i, hour in enumerate(hours)}, abs=2e-3)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_csv_has_a_row_per_event(tmp_path: Path) -> None:
    event = make_event(1.5, -12.0, pitch=69.0, decay=2.0, hold=6.0, attack=0.01)
    convert(make_take(tmp_path / "a.mcap", [event], exact=True), tmp_path / "a.csv")
    (row,) = read_csv(tmp_path / "a.csv")
    assert (row["kind"], row["id"], float(row["seconds"])) == ("event", "", 1.5)
    assert float(row["gain_db"]) == -12.0
    assert float(row["field.pitch"]) == pytest.approx(69.0, rel=1e-5)
    assert float(row["field.attack"]) == pytest.approx(0.01, rel=1e-4)
    assert list(row) == ["kind", "id", "seconds", "gain_db", *(f"field.{field.name}" for field in FIELDS)]


def test_csv_tells_what_is_heard_with_the_weights_of_the_take(tmp_path: Path) -> None:
    weights = CodecWeights("random", make_initial_timbre_weights(5), {})
    event = make_event(1.5, -12.0, pitch=60.0, room_mix=0.5, room=2.0)
    with TakeWriter(
        tmp_path / "a.mcap", replace(HEADER, exact=True, weights_hash=weights.decoder_hash)
    ) as writer:
        writer.write(event)
    convert(tmp_path / "a.mcap", tmp_path / "a.csv", weights)
    (row,) = read_csv(tmp_path / "a.csv")
    heard = vars(read_descriptors(weights, event))
    assert row["room"] == heard["room"] == "chamber"
    for name in ("pitch_hz", "brightness", "attack_seconds", "decay_seconds", "noisiness"):
        assert float(row[name]) == pytest.approx(heard[name], rel=1e-6)
    other = CodecWeights("other", make_initial_timbre_weights(6), {})
    with pytest.raises(StruckError, match="was made with the weights"):
        convert(tmp_path / "a.mcap", tmp_path / "b.csv", other)
    assert not (tmp_path / "b.csv").exists()


# ---- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("source", "destination"), [("a.wav", "b.mcap"), ("a.mcap", "b.png"), ("a", "b")])
def test_unknown_pairs_are_refused(tmp_path: Path, source: str, destination: str) -> None:
    with pytest.raises(StruckError, match=r"from \.mcap, \.jsonl to \.mcap, \.jsonl, \.mid, \.csv"):
        convert(tmp_path / source, tmp_path / destination)


GOOD = {"onset_seconds": 0.0, "gain_db": -3.0, "vector": [0.0] * VECTOR_SIZE}


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        "{}",
        "[" * 100_000,
        '{"onset_seconds": NaN, "gain_db": 0, "vector": []}',
        json.dumps({**GOOD, "vector": [0.0] * (VECTOR_SIZE - 1)}),
        json.dumps({**GOOD, "vector": [2.0] * VECTOR_SIZE}),
        json.dumps({**GOOD, "vector": ["0"] * VECTOR_SIZE}),
        json.dumps({**GOOD, "vector": [10**400] * VECTOR_SIZE}),
        json.dumps({**GOOD, "gain_db": "loud"}),
        json.dumps({**GOOD, "gain_db": 10**400}),
        json.dumps({**GOOD, "onset_seconds": -1.0}),
        json.dumps({**GOOD, "onset_seconds": 1e12}),
        json.dumps({k: v for k, v in GOOD.items() if k != "gain_db"}),
        json.dumps({k: v for k, v in GOOD.items() if k != "vector"}),
        json.dumps({**GOOD, "pitch": "C4"}),
        json.dumps({**GOOD, "pitch": 300}),
        json.dumps({**GOOD, "pich": 60}),
        '{"onset_seconds": 0, "gain_db": 1e999, "vector": []}',
        json.dumps({"take": 3, "duration_seconds": 1.0}),
        json.dumps({"channel": "/lights", "seconds": 0.0, "value": {}}),
        json.dumps({"channel": "/midi", "seconds": 0.0, "value": "not hex"}),
        json.dumps({"channel": "/marks", "seconds": 0.0, "value": 3}),
        json.dumps({"channel": ["/marks"], "seconds": 0.0, "value": 3}),
        "x" * 2_000_000,
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str) -> None:
    source = tmp_path / "a.jsonl"
    header = json.dumps({"take": HEADER.to_dict(), "duration_seconds": 1.0})
    source.write_text(f"{header}\n{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(StruckError, match="line 3") as caught:
        convert(source, tmp_path / "b.mcap")
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("content", [b"", b"{}\n", b'{"take": {}}\n', b"\xff\xfe\x00"])
def test_files_that_are_no_json_lines(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(StruckError):
        convert(tmp_path / "a.jsonl", tmp_path / "b.mcap")
    assert os.listdir(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("name", ["b.jsonl", "b.mid", "b.csv", "b.mcap"])
def test_missing_source_and_missing_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(StruckError, match="cannot read"):
        convert(tmp_path / "none.mcap", tmp_path / name)
    with pytest.raises(StruckError, match="cannot write"):
        convert(make_take(tmp_path / "a.mcap"), tmp_path / "none" / name)
    assert os.listdir(tmp_path) == ["a.mcap"]


def test_a_midi_file_has_the_tempo_and_time_signature_of_the_take(tmp_path: Path) -> None:
    take = tmp_path / "a.mcap"
    with TakeWriter(take, HEADER) as writer:
        for seconds, mark in (
            (0.0, {"kind": "tempo", "bpm": 90.0, "numerator": 3, "denominator": 4}),
            (2.0, {"kind": "tempo", "bpm": 180.0, "numerator": 6, "denominator": 8}),
            (3.0, {"kind": "tempo", "bpm": "fast", "numerator": 0, "denominator": 5}),
        ):
            writer.write_message("/marks", seconds, mark)
        for onset in (0.5, 2.0, 2.5, 3.5):
            writer.write(make_event(onset, pitch=60.0, hold=0.1, decay=0.1))
        writer.close(5.0)
    convert(take, tmp_path / "a.mid")
    (track,) = mido.MidiFile(tmp_path / "a.mid").tracks
    tempos = [round(mido.tempo2bpm(message.tempo), 2) for message in track if message.type == "set_tempo"]
    assert tempos == [90.0, 180.0, 120.0]
    bars = [(m.numerator, m.denominator) for m in track if m.type == "time_signature"]
    assert bars == [(3, 4), (6, 8), (4, 4)]
    seconds, onsets = 0.0, []
    for message in mido.MidiFile(tmp_path / "a.mid"):
        seconds += message.time
        if message.type == "note_on" and message.velocity:
            onsets.append(seconds)
    assert onsets == pytest.approx([0.5, 2.0, 2.5, 3.5], abs=0.002)
