"""Patches recalled while it sounds: no click, held notes keep their sound, of a burst the last counts."""

import threading

import numpy as np
import pytest
import soundfile

from struck.codec.events.errors import StruckError
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights
from struck.patches.shelf import Shelf
from struck.realtime.host.host import Host
from struck.realtime.host.peers import note_settings
from struck.realtime.host.recaller import Recaller
from struck.realtime.host.settings import LiveSettings
from struck.realtime.midi.notes import NotePlayer
from struck.realtime.screen.teller import Teller
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd, SoundingEvent

RATE = 48_000
BLOCK = 64
STEP_DB = -50.0
SWITCHES = 100

NOTE = """
[note]
gain_db = {gain}
[note.sound]
attack = 0.3
hold = 6.0
decay = 40.0
tilt = -20.0
noisiness = 0.0
room_mix = 0.2
release = 0.2
"""
PATCHES = {
    "one": "format = 2\nprogram = 0\nsafe = []\n[controls]\ndry_db = -12.0\nevents_db = -3.0\n"
    + NOTE.format(gain=-24.0),
    "two": "format = 2\nprogram = 1\nsafe = []\n[source]\nchannel = 'left'\n[controls]\ntranspose = 7.0\n"
    "decay = 0.2\nroom = 3.0\nroom_mix = 0.3\nbrightness_db = -6.0\noutput_db = -6.0\ninput_db = -6.0\n"
    + NOTE.format(gain=-18.0),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name, text in PATCHES.items():
        (tmp_path / f"{name}.toml").write_text(text)
    return tmp_path


def test_a_hundred_switches_make_no_step_and_held_notes_end_with_their_note_off(folder):
    """Two soft, slow notes are held over a hum while a hundred patches are recalled."""
    seconds = 4.0
    hum = 0.05 * np.sin(2 * np.pi * 110.0 * np.arange(round(seconds * RATE)) / RATE)
    soundfile.write(folder / "hum.wav", hum.astype(np.float32), RATE, subtype="FLOAT")
    settings = LiveSettings(
        input=str(folder / "hum.wav"), output=str(folder / "out.wav"), patch="one", patches=folder,
        profile="tight", phrases="off", block_frames=BLOCK,
    )  # fmt: skip
    weights = load_codec_weights(default_codec_weights_path())
    soundings = []
    with Host(settings, weights, Teller()) as host:
        host.stage.add_sink(soundings.append)
        host.stage.set_control("threshold_db", 12.0)  # only notes sound, and the hum itself
        clock = type("Clock", (), {"rate": RATE, "block_frames": BLOCK})()
        clock.sample_at = lambda seconds: round(seconds * RATE)
        player = NotePlayer(host.stage, clock, note_settings(host.patch))
        between = round(seconds * RATE / BLOCK / (SWITCHES + 4))
        blocks, names = 0, []
        attend = host._attend_file

        def play_along():
            nonlocal blocks
            attend()
            now = blocks * BLOCK / RATE
            if blocks == between:
                host.stage.set_control("threshold_db", -90.0)
                for note in (45, 52):
                    player.receive(now, bytes([0x90, note, 100]))
            elif blocks % between == 0 and len(names) < SWITCHES:
                names.append(("two", "one")[len(names) % 2])
                host.change_patch(names[-1])
            elif blocks == between * (SWITCHES + 3):
                for note in (45, 52):
                    player.receive(now, bytes([0x80, note, 0]))
            blocks += 1

        host._attend_file = play_along
        host.run(threading.Event())
        counters = host.gauges.counters()
    assert len(names) == SWITCHES
    out, _ = soundfile.read(folder / "out.wav")
    # A step of height h is a second difference of h; that of what sounds here is some thousandths of it.
    steps = np.abs(np.diff(out.reshape(len(out), -1), n=2, axis=0))
    assert 20.0 * np.log10(steps.max()) < STEP_DB
    assert np.abs(out).max() > 0.02
    notes = [s for s in soundings if isinstance(s, SoundingEvent) and s.origin == "midi"]
    ends = {s.id: s.at_sample for s in soundings if isinstance(s, SoundingEnd)}
    assert len(notes) == 2
    for note in notes:
        assert ends[note.id] == pytest.approx((between * (SWITCHES + 3) + 1) * BLOCK, abs=BLOCK)
        assert not [s for s in soundings if isinstance(s, SoundingAmendment) and s.id == note.id]
    for fault in ("late", "stolen", "dropped", "lost_blocks", "overruns", "commands_refused"):
        assert counters.get(fault, 0) == 0


def test_of_a_thousand_program_changes_the_last_counts_and_nobody_waits(folder):
    begun, go, recalled, counted, told = threading.Event(), threading.Event(), [], [], []

    def recall(name):
        recalled.append(name)
        begun.set()
        assert go.wait(30.0)

    recaller = Recaller(Shelf(folder), recall, told.append, counted.append)
    recaller.ask(0, 1)
    assert begun.wait(30.0)
    for number in range(1_000):
        recaller.ask(0, number % 128)
    recaller.ask(0, 0)
    go.set()
    recaller.close()
    assert recalled == ["two", "one"]
    assert counted == ["programs_skipped"] * 1_000
    assert told == []


def test_a_program_that_is_not_there_or_broken_is_told_and_the_next_one_counts(folder):
    told, recalled = [], []

    def recall(name):
        if name == "two":
            raise StruckError("patch two: broken")
        recalled.append(name)

    for place in ((0, 100), (0, 1), (0, 0)):
        recaller = Recaller(Shelf(folder), recall, told.append, lambda counter: None)
        recaller.ask(*place)
        recaller.close()
    assert recalled == ["one"]
    assert told[0].startswith("MIDI: there is no program 100 in bank 0")
    assert told[1:] == ["MIDI: patch two: broken"]
