"""docs/midi.md says what the code does."""

import re
from pathlib import Path

import pytest

from struck.codec.takes import mpe
from struck.realtime.midi import channels as midi_channels
from struck.realtime.midi import connections as midi_streams
from struck.realtime.midi import mpe_out as midi_out
from struck.realtime.midi import names as midi_names
from struck.realtime.midi import note_sounds as midi_sounds
from struck.realtime.midi import notes as midi_notes
from struck.realtime.midi import sysex as midi_vectors

TEXT = " ".join((Path(__file__).parents[3] / "docs" / "midi.md").read_text().split())


@pytest.mark.parametrize(
    "words",
    [
        f"Notes {midi_sounds.LOWEST_NOTE} to {midi_sounds.HIGHEST_NOTE} sound",
        f"notes beyond {midi_notes.NOTES_PER_SECOND:,.0f} a second",
        f"(and {midi_notes.NOTES_AT_ONCE:.0f} at once)",
        f"| CC {midi_notes.SUSTAIN} | sustain pedal",
        f"| CC {mpe.BRIGHTNESS_CONTROL} | in an MPE zone",
        f"| CC {midi_notes.RPN_FINE}, {midi_notes.RPN_COARSE} with {midi_channels.DATA_ENTRY}, "
        f"{midi_channels.DATA_ENTRY_FINE} |",
        f"| CC {midi_notes.ALL_SOUND_OFF}, system reset | panic",
        f"| CC {midi_notes.RESET_CONTROLLERS} | reset",
        f"| CC {midi_notes.ALL_NOTES_OFF} to 127 | all notes off",
        f"{midi_channels.USUAL_BEND_SEMITONES:.0f} semitones, or what RPN 0 says",
        f"members bend by {mpe.BEND_RANGE_SEMITONES} semitones",
        f"a lower zone of {len(mpe.MEMBER_CHANNELS)} channels",
        f"channels with a bend range of {mpe.BEND_RANGE_SEMITONES}",
        f"up to {midi_sounds.NoteSettings().velocity_brightness_db:.0f} dB per octave",
        f"more than {midi_out.QUEUE_EVENTS:,} waiting",
        f"`{midi_names.OWN_CLIENT} input` and `{midi_names.OWN_CLIENT} output`",
        "`" + midi_vectors.HEADER.hex(" ").upper() + "`",
        f"a message of {midi_vectors.SIZE_BYTES} bytes",
    ],
)
def test_the_page_says_so(words):
    assert words in TEXT


def test_look_interval():
    assert "every half millisecond" in TEXT
    assert midi_streams.LOOK_SECONDS == 0.0005


def test_every_system_is_listed():
    assert ", ".join(f"`{api}:...`" for api in midi_names.APIS) in TEXT


def test_every_counter_is_explained():
    sources = [Path(module.__file__).read_text() for module in (midi_notes, midi_out)]
    counters = set(re.findall(r'"(midi_\w+)"', " ".join(sources)))
    assert len(counters) == 7
    for counter in counters:
        assert f"`{counter}`" in TEXT
