"""Presets of plug-ins play MIDI files in processes of their own."""

import sys

import mido
import numpy as np
import pytest

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.mars.players.player import PlayerLostError
from struck.models.mars.players.presets import audition, measure
from struck.realtime.inserts.synthesisers.presets import MidiServer, find_presets

MDA = "http://drobilla.net/plugins/mda/"


def answering(*lines):
    """A command that answers a job with each of these lines."""
    program = f"import sys\nfor line in {lines!r}:\n    sys.stdin.readline()\n    print(line, flush=True)"
    return sys.executable, "-c", program


def note(seconds=0.5):
    midi = mido.MidiFile(ticks_per_beat=500)  # a tick is a millisecond
    track = mido.MidiTrack()
    midi.tracks.append(track)
    track.append(mido.Message("note_on", note=69, velocity=100, time=round(1e3 * seconds)))
    track.append(mido.Message("note_off", note=69, time=500))
    return midi


@pytest.fixture(scope="module")
def found():
    """Presets of what is installed, or the test is skipped: plug-ins are Debian's to bring."""
    presets = find_presets(lambda line: None)
    if not any(preset.synthesiser == "MDA Piano" for preset in presets):
        pytest.skip("liblilv or MDA Piano is not installed (Debian: liblilv-0-0 mda-lv2)")
    return presets


def test_what_fails_is_told_and_the_next_is_played():
    server = MidiServer(answering("-11", "-14", "3"))
    for end in ("crashed \\(SIGSEGV\\)", "crashed \\(SIGALRM\\)", "ended by itself \\(3\\)"):
        with pytest.raises(PlayerLostError, match=f"urn:some:synth {end}"):
            server.play("urn:some:synth", "", note())
    with pytest.raises(StruckError, match="what plays instruments ended by itself"):
        server.play("urn:some:synth", "", note())


def test_an_instrument_plays_each_note_in_time_and_twice_the_same(found):
    (preset,) = [p for p in found if (p.synthesiser, p.name) == ("MDA Piano", "Plain Piano")]
    sound = preset.play(note())
    half = ANALYSIS_RATE // 2
    assert sound.dtype == np.float32
    assert np.abs(sound[: half - 200]).max() < 1e-6
    assert np.abs(sound[half : half + 441]).max() > 0.01
    level = np.abs(np.fft.rfft(sound[half : 2 * half]))
    assert abs(2.0 * level[100:].argmax() + 200.0 - 440.0) <= 4.0
    assert np.array_equal(preset.play(note()), sound)
    assert measure(preset.play(audition("piano")), "piano") == 0


def test_a_preset_that_is_not_there_is_told(found):
    with pytest.raises(PlayerLostError, match="has no preset urn:none"):
        MidiServer().play(MDA + "Piano", "urn:none", note())
