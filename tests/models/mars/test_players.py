"""Players: drum kits read and struck, presets heard and sorted, clips shared out among all of them."""

from functools import partial
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.models.mars import phrase_data
from struck.models.mars.conditions import FAMILIES
from struck.models.mars.phrase_data import build_phrase_data
from struck.models.mars.players.drum_kits import HELD_OUT_KIT, find_drum_kits
from struck.models.mars.players.player import DRUM_KIT, SOUND_FONT, SYNTHESISER, Player, PlayerLostError
from struck.models.mars.players.presets import (
    HELD_OUT_SYNTHESISER,
    Preset,
    UnfitError,
    audition,
    choose_presets,
    family_of,
    measure,
)


def tone(key, seconds, partials):
    t = np.arange(round(seconds * ANALYSIS_RATE)) / ANALYSIS_RATE
    f0 = 440.0 * 2.0 ** ((key - 69) / 12.0)
    return sum(level * np.sin(2.0 * np.pi * f0 * ratio * t) for ratio, level in partials)


def play_tones(
    midi,
    partials=((1, 0.2), (2, 0.1), (3, 0.05)),
    late=0.0,
    rings=False,
    ends=True,
    alone=False,
    hiss=0.0,
    offset=0.0,
    seed=(),
):
    """A synthesiser that is known.

    Args:
        late: seconds by which its tones are late.
        rings: tones go on when their keys go up.
        ends: tones end when all sound is switched off.
        alone: a tone ends when another begins.
        hiss: level of noise under each tone.
        offset: of each tone.
        seed: of the noise; without one it is another each time.
    """
    end, notes, now = midi.length, [], 0.0  # notes: key, beginning, end
    for message in midi:
        now += message.time
        for note in notes:
            key_goes_up = message.type == "note_off" and message.note == note[0] and not rings
            if key_goes_up or (message.is_cc(120) and ends) or (message.type == "note_on" and alone):
                note[2] = min(note[2], now)
        if message.type == "note_on":
            notes.append([message.note, now, end])
    sound = np.zeros(round(end * ANALYSIS_RATE) + 1, np.float32)
    for key, start, until in notes:
        samples = tone(key, max(0.0, until - start - late), partials)
        begin = round((start + late) * ANALYSIS_RATE)
        sound[begin : begin + len(samples)] += samples[: len(sound) - begin]
    sound += np.where(sound != 0.0, np.float32(offset), np.float32(0.0))
    if hiss:
        sound += np.where(sound != 0.0, hiss * np.random.default_rng(*seed).normal(size=len(sound)), 0.0)
    return sound


@pytest.mark.parametrize(
    ("octaves", "partials"),
    [
        (0, ((1, 0.2), (2, 0.1), (3, 0.05))),
        (0, ((1, 0.2),)),
        (1, ((0.5, 0.2), (1.0, 0.1), (1.5, 0.1))),
        (-1, ((2, 0.2), (4, 0.1), (6, 0.1))),
    ],
)
def test_a_player_of_pitched_notes_is_known_and_its_octave(octaves, partials):
    assert measure(play_tones(audition("organ"), partials), "organ") == octaves
    assert measure(play_tones(audition("bass"), partials), "bass") == octaves


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("silent", {"partials": ((1, 0.0),)}),
        ("silent", {"partials": ((1, np.nan),)}),
        ("late", {"late": 0.05}),
        ("rings on", {"partials": ((1, 0.2), (2, 0.1)), "rings": True, "ends": False}),
        ("another pitch", {"partials": ((1.0, 0.2), (1.5, 0.2), (2.25, 0.1))}),  # fifths
        ("another pitch", {"partials": ((1.03, 0.2), (2.06, 0.1))}),  # 51 cents
        ("another pitch", {"offset": 0.5}),
        ("another pitch", {"hiss": 2.0, "seed": (1,)}),
        ("one note at a time", {"alone": True}),
    ],
)
def test_what_cannot_be_a_player_is_told(fault, options):
    with pytest.raises(UnfitError, match=fault):
        measure(play_tones(audition("organ"), **options), "organ")


@pytest.mark.parametrize(
    ("synthesiser", "name", "family"),
    [
        ("ZynAddSubFX", "Strings: 0001-Saw Strings 1.xiz", "string"),
        ("ZynAddSubFX", "Choir and Voice: 0034-Slow Morph_.xiz", "voice"),
        ("ZynAddSubFX", "Collection: 0046-Synth Bass.xiz", "bass"),
        ("ZynAddSubFX", "Reed and Wind: 0001-Clarinet.xiz", "reed"),
        ("ZynAddSubFX", "Laba170bank: 0134-chip-VibratoLead.xiz", "synth"),
        ("ZynAddSubFX", "Drums: 0001-Drums Kit1.xiz", ""),
        ("ZynAddSubFX", "Arpeggios: 0001-Arpeggio1.xiz", ""),
        ("MDA JX10", "Bass Clarinet", "reed"),
        ("MDA JX10", "Steel Drums [ZF]", "mallet"),
        ("MDA JX10", "Car Horn", ""),
        ("MDA JX10", "Hard Lead [SA]", "synth"),
        ("MDA ePiano", "Mellow", "piano"),
        ("Calf Organ", "Fat Belly", "organ"),
    ],
)
def test_a_family_is_told_by_words(synthesiser, name, family):
    assert family_of(Preset(synthesiser, name, play_tones)) == family


def test_presets_are_chosen_and_those_that_fail_are_told():
    def crash(midi):
        raise PlayerLostError("it crashed")

    presets = [
        *(Preset("Many", f"Organ {number}", play_tones) for number in range(30)),
        Preset(HELD_OUT_SYNTHESISER, "Brass", partial(play_tones, partials=((2, 0.2), (4, 0.1)))),
        Preset("Broken", "Flute", crash),
        Preset("Late", "Flute", partial(play_tones, late=0.05)),
        Preset("Another each time", "Flute", partial(play_tones, hiss=1e-3)),
    ]
    told = []
    players = choose_presets(presets, 1, told.append)
    assert [p.family for p in players].count("organ") == len(players) - 1 == 24
    (held_out,) = [p for p in players if p.held_out]
    assert (held_out.source, held_out.octaves) == (f"{HELD_OUT_SYNTHESISER}:Brass", -1)
    assert [line for line in told if "left out" in line] == ["Broken:Flute is left out: it crashed"]
    again = choose_presets(presets[::-1], 1, told.append)
    assert [p.source for p in again] == [p.source for p in players]


LAYERED = """<?xml version="1.0"?>
<drumkit_info xmlns="http://www.hydrogen-music.org/drumkit"><instrumentList>
 <instrument><name>Kick</name><volume>0.5</volume><instrumentComponent>
  <layer><filename>soft.wav</filename><min>0</min><max>0.5</max><gain>1</gain><pitch>0</pitch></layer>
  <layer><filename>hard.wav</filename><min>0.5</min><max>1</max><gain>2</gain><pitch>12</pitch></layer>
 </instrumentComponent></instrument>
 <instrument><name>Snare Roll</name><layer><filename>soft.wav</filename></layer></instrument>
 <instrument><name>Snare</name><layer><filename>missing.wav</filename></layer></instrument>
 <instrument><name>Hat Op</name><layer><filename>hard.wav</filename></layer></instrument>
 <instrument><name>Closed HH</name><layer><filename>soft.wav</filename></layer></instrument>
</instrumentList></drumkit_info>"""
#: The first format: no layers.
PLAIN = """<drumkit_info><instrumentList>
 <instrument><name>Kick 1</name><filename>soft.wav</filename></instrument>
 <instrument><name>Kick 2</name><filename>hard.wav</filename></instrument>
 <instrument><name>Tom Low</name><filename>soft.wav</filename></instrument>
</instrumentList></drumkit_info>"""


@pytest.fixture
def kits(tmp_path):
    """Two kits: strokes are tones of 441 and 882 Hz, after silence."""
    for name, text in ((HELD_OUT_KIT, LAYERED), ("Plain", PLAIN)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "drumkit.xml").write_text(text)
        for file, frequency in (("soft", 441.0), ("hard", 882.0)):
            sound = 0.2 * np.sin(2.0 * np.pi * frequency * np.arange(44_100) / 44_100)
            samples = np.concatenate([np.zeros(4_410), sound])
            soundfile.write(tmp_path / name / f"{file}.wav", samples, 44_100)
    return find_drum_kits([Path("nowhere"), tmp_path], [HELD_OUT_KIT, "Absent", "Plain"])


def struck(kit, *notes):
    """The sound of notes (seconds, key, velocity) on a kit."""
    midi = mido.MidiFile(ticks_per_beat=500)  # a tick is a millisecond
    track = mido.MidiTrack()
    midi.tracks.append(track)
    now = 0
    for seconds, key, velocity in notes:
        at = round(1e3 * seconds)
        track.append(mido.Message("note_on", note=key, velocity=velocity, channel=9, time=at - now))
        now = at
    track.append(mido.MetaMessage("end_of_track", time=2_000 - now))
    return kit.play(midi)


def frequency_of(sound):
    return np.abs(np.fft.rfft(sound)).argmax() * ANALYSIS_RATE / len(sound)


def test_kits_have_the_keys_of_their_drums(kits):
    assert [(kit.source, kit.held_out, kit.weight) for kit in kits] == [
        (f"{HELD_OUT_KIT}:0", True, 1.0),
        ("Plain:0", False, 0.5),
        ("Plain:1", False, 0.5),
    ]
    assert kits[0].keys == {35, 36, 42, 46}
    assert kits[1].keys == {35, 36, 41, 43}
    assert kits[1].has([36, 41])
    assert not kits[1].has([36, 42])


def test_strokes_are_those_of_the_velocity_on_time(kits):
    tenth = ANALYSIS_RATE // 10
    soft, hard = (struck(kits[0], (0.5, 36, velocity)) for velocity in (40, 127))
    for sound in (soft, hard):
        assert not sound[: 5 * tenth - 64].any()
        assert np.abs(sound[5 * tenth : 5 * tenth + 64]).max() > 0.2 * np.abs(sound).max()
    assert frequency_of(soft[5 * tenth : 14 * tenth]) == pytest.approx(441.0, abs=2.0)
    assert np.abs(soft).max() == pytest.approx(0.2 * 0.5 * 40 / 127, rel=0.02)
    # Of the layer for hard strokes, an octave up and half as long.
    assert frequency_of(hard[5 * tenth : 9 * tenth]) == pytest.approx(1764.0, abs=3.0)
    assert np.abs(hard).max() == pytest.approx(0.2 * 0.5 * 2.0, rel=0.1)
    first, second = (struck(kit, (0.0, 36, 100))[: 9 * tenth] for kit in kits[1:])
    assert (round(frequency_of(first)), round(frequency_of(second))) == (441, 882)


def test_the_closed_hat_ends_the_open_one(kits):
    tenth = ANALYSIS_RATE // 10
    alone, ended = (struck(kits[0], (0.0, 46, 100), *more) for more in ((), [(0.3, 42, 100)]))
    assert np.array_equal(ended[: 3 * tenth - 64], alone[: 3 * tenth - 64])
    assert frequency_of(alone[4 * tenth : 9 * tenth]) == pytest.approx(882.0, abs=2.0)
    assert frequency_of(ended[4 * tenth : 9 * tenth]) == pytest.approx(441.0, abs=2.0)


def crashing(midi):
    raise PlayerLostError("it crashed")


@pytest.fixture
def made(monkeypatch, tmp_path):
    """Makes clips by a sound font of tones that ring on, and by others."""
    ringing = partial(play_tones, rings=True)
    fonts = [
        Player(SOUND_FONT, family, f"font:{held}", ringing, held, program=0)
        for family in FAMILIES
        for held in (False, True)
    ]
    monkeypatch.setattr(phrase_data, "find_sound_font_players", lambda: fonts)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "manifest.csv").write_text("file,instrument,family,midi_pitch,velocity,f0_hz\n")

    def make(others, name="data", count=8):
        told = []
        data = build_phrase_data(
            tmp_path,
            tmp_path / name,
            singles=count,
            phrases=count,
            held_out=count,
            seed=2,
            others=others,
            report=told.append,
        )
        return data, told

    return make


def test_clips_are_shared_out_among_all_players(made):
    octave_low = ((0.5, 0.2), (1.0, 0.1))
    others = [
        Player(SYNTHESISER, family, "low", partial(play_tones, partials=octave_low), held, octaves=1)
        for family in FAMILIES[:-1]
        for held in (False, True)
    ]
    others.append(Player(DRUM_KIT, "drums", "kit", play_tones, keys=frozenset(range(36, 51))))
    data, told = made(others, count=24)
    assert told[:3] == [
        "24 players of the kind sound font",
        "22 players of the kind synthesiser",
        "1 players of the kind drum kit",
    ]
    sources = dict.fromkeys(("font:False", "font:True", "low", "kit"), 0)
    for i, clip in enumerate(data.clips):
        sources[clip.source] += 1
        if clip.source == "kit":
            assert not clip.held_out
            assert clip.conditions.instrument == "drums"
        if clip.source == "low" and clip.conditions.style == "single" and clip.conditions.pitch < 90:
            expected = 440.0 * 2.0 ** ((clip.conditions.pitch - 69) / 12.0)
            low, high = (
                np.abs(np.fft.rfft(data.samples(i)[: ANALYSIS_RATE * 2]))[round(2 * f)]
                for f in (expected, 2.0 * expected)
            )
            assert low > high
        if clip.previous >= 0:
            assert data.clips[clip.previous].source == clip.source
    assert all(sources.values())
    pitched = [clip for clip in data.clips if clip.conditions.instrument != "drums"]
    assert 0.15 < np.mean([clip.source == "low" for clip in pitched]) < 0.55


def test_the_same_players_give_the_same_clips(made):
    others = [Player(SYNTHESISER, family, "synthesiser", play_tones) for family in FAMILIES]
    first, second = (made(others, name)[0] for name in ("first", "second"))
    assert first.clips == second.clips
    assert np.array_equal(first.audio, second.audio)


def test_a_clip_is_whole(made):
    data, _ = made([])
    for i in range(len(data)):
        assert data.samples(i)[:100].any()
        assert data.samples(i)[-8:].any()


def test_a_player_that_fails_is_left_out_and_told(made):
    whole, _ = made([Player(SYNTHESISER, family, "broken", play_tones) for family in FAMILIES], "whole")
    data, told = made([Player(SYNTHESISER, family, "broken", crashing) for family in FAMILIES])
    lost = [clip for clip in whole.clips if clip.source == "broken"]
    assert lost
    assert [clip.conditions for clip in data.clips] == [
        clip.conditions for clip in whole.clips if clip.source != "broken"
    ]
    assert f"broken: {len(lost)} clips are left out: it crashed" in told
