"""MIDI files as sources: times by their tempo, clocks of it, bad files, and what has no note-off."""

import threading
import time

import mido
import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.midi.file_port import MidiFilePort, is_midi_file, read_midi_file


def write(path, *messages, ticks_per_beat=480, type=1):
    tempo = mido.MidiTrack([mido.MetaMessage("time_signature", numerator=3, denominator=4)])
    file = mido.MidiFile(type=type, ticks_per_beat=ticks_per_beat)
    file.tracks += [tempo, mido.MidiTrack(messages)]
    file.save(path)
    return path


NOTE = bytes((0x90, 60, 100))


def on(time, note=60):
    return mido.Message("note_on", note=note, velocity=100, time=time)


def tempo(time, bpm):
    return mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm), time=time)


def test_times_follow_the_tempo_also_where_it_changes(tmp_path):
    path = write(tmp_path / "a.mid", tempo(0, 60), on(480), tempo(480, 240), on(480, 61))
    song = read_midi_file(path)
    found = song.messages
    assert [(t.seconds, t.bpm, t.numerator) for t in song.tempos] == [
        (0.0, pytest.approx(60.0), 3),
        (pytest.approx(2.0), pytest.approx(240.0), 3),
    ]
    assert [(t, m) for t, m in found if m[0] == 0x90] == [
        (pytest.approx(1.0), NOTE),
        (pytest.approx(2.25), bytes((0x90, 61, 100))),
    ]
    clocks = [seconds for seconds, message in found if message == b"\xf8"]
    assert found[0] == (0.0, b"\xfa")
    assert len(clocks) == 3 * 24 + 1
    assert [clocks[24], clocks[48], clocks[72]] == pytest.approx([1.0, 2.0, 2.25])
    times = [seconds for seconds, _ in found]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "it is cut off, or none"),
        (b"MThd\0\0", "it is cut off, or none"),
        (b"RIFF" + bytes(100), "cannot read the MIDI file"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\x40\0\x90", "cannot read the MIDI file"),
        (b"MThd\0\0\0\6\0\1\0\1\xe7\x28MTrk\0\0\0\4\0\xff\x2f\0", "counts time in frames"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xb0\xff\xff", "cannot read the MIDI file"),
    ],
)
def test_what_is_no_midi_file_is_told_in_a_line(tmp_path, data, words):
    path = tmp_path / "bad.mid"
    path.write_bytes(data)
    with pytest.raises(StruckError, match=words):
        read_midi_file(path)


def test_a_missing_file_and_one_of_songs_beside_each_other(tmp_path):
    with pytest.raises(StruckError, match=r"cannot read the MIDI file .*: No such file"):
        read_midi_file(tmp_path / "no.mid")
    with pytest.raises(StruckError, match="of type 2"):
        read_midi_file(write(tmp_path / "two.mid", on(0), type=2))


def test_which_names_are_files():
    assert [is_midi_file(name) for name in ("a.mid", "B.MIDI", "keys", "jack:a.mid:x")] == [
        True, True, False, False
    ]  # fmt: skip


def test_it_plays_each_message_with_the_time_when_it_was_due(tmp_path):
    path = write(tmp_path / "a.mid", tempo(0, 240), on(0), on(480, 61), on(480, 62))
    heard, ended = [], threading.Event()
    port = MidiFilePort(path, lambda arrival, data: heard.append((arrival, data)), ended.set)
    began = time.perf_counter()
    port.start()
    assert ended.wait(30.0)
    port.close()
    notes = [arrival for arrival, data in heard if data[0] == 0x90]
    assert [arrival - notes[0] for arrival in notes] == pytest.approx([0.0, 0.25, 0.5], abs=1e-6)
    assert notes[0] >= began


def test_it_stops_when_it_is_closed(tmp_path):
    path = write(tmp_path / "a.mid", on(0), on(480_000, 61))
    first, heard = threading.Event(), []

    def receive(arrival, data):
        heard.append(data)
        if data[0] == 0x90:
            first.set()

    port = MidiFilePort(path, receive, lambda: heard.append("end"))
    port.start()
    assert first.wait(30.0)
    port.close()
    assert "end" not in heard
