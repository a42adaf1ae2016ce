"""Every transform on a stream that was heard, with its amendments and ends: its sound, and takes of it."""

from collections import Counter

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order, item_seconds
from struck.codec.events.event_spec import INDEX
from struck.codec.events.events import Event
from struck.codec.events.lives import collect_lives
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.following.follower import Follower
from struck.codec.pipeline import render_samples
from struck.codec.takes.format import TakeHeader
from struck.codec.takes.takes import TakeReader, TakeWriter
from struck.codec.transforms.edits import Edit, apply_edits
from struck.codec.transforms.kinds import TRANSFORMS
from struck.codec.transforms.transform import TransformSettings, Turn
from struck.codec.weights.codec_weights import shipped_codec_weights

from ..hearing.encoder_sounds import add_note, silence

WEIGHTS = shipped_codec_weights()
RATE = 22_050
TURNS = {
    "freeze": (Turn(0.55, "freeze", "hold", 1.0), Turn(1.5, "freeze", "hold", 0.0)),
    "loop": (Turn(1.6, "loop", "on", 0.0),),
}
VALUES = {
    "delay": {"time": 0.25, "repeats": 2.0},
    "loop": {"length": 1.0, "times": 2.0},
    "keys": {"notes": ("A", "C", "E")},
    "transpose": {"semitones": 7.0},
    "level": {"gain_db": -6.0},
}


@pytest.fixture(scope="module")
def heard():
    """Three notes, the last one damped, as the follower hears them."""
    sound = silence(1.4)
    for place, pitch in enumerate((57, 64, 69)):
        add_note(sound, 0.1 + 0.35 * place, pitch, decay_rate=2.0)
    sound[round(1.1 * RATE) :] *= 0.0
    follower = Follower(WEIGHTS, PROFILES["tight"])
    items = [*follower.process(sound), *follower.flush()]
    assert sum(isinstance(item, Event) for item in items) >= 3
    assert any(isinstance(item, Amendment) for item in items)
    assert any(isinstance(item, End) for item in items)
    return items


@pytest.mark.parametrize("kind", [kind.name for kind in TRANSFORMS])
def test_a_heard_stream_after_a_transform_is_a_stream(kind, heard, tmp_path):
    settings = TransformSettings(kind, VALUES.get(kind, {}))
    edit = Edit(transforms=(settings,), turns=TURNS.get(kind, ()))
    found = list(apply_edits(heard, edit, WEIGHTS.decoder))
    assert found == in_stream_order(found)
    begun, ended = {}, set()
    for item in found:
        if isinstance(item, Event):
            assert item.id not in begun  # no two of one name
            begun[item.id] = item.onset_seconds
        else:
            assert item_seconds(item) >= begun[item.id]
            assert item.id not in ended
            if isinstance(item, End):
                ended.add(item.id)
    sound = render_samples(WEIGHTS, found, RATE)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() > 1e-3
    with TakeWriter(tmp_path / "a.mcap", TakeHeader("tight", "codec", WEIGHTS.decoder_hash)) as writer:
        for item in found:
            writer.write(item)
        writer.close(10.0)
    again = TakeReader(tmp_path / "a.mcap").items()
    assert Counter(map(type, again)) == Counter(map(type, found))


def test_an_echo_is_amended_as_its_event_was(heard):
    """Each life comes three times, alike but for its level, a beat's half after the one before."""
    edit = Edit(transforms=(TransformSettings("delay", {"time": 0.5, "repeats": 2.0, "fall_db": 3.0}),))
    lives = collect_lives(apply_edits(heard, edit))
    before = collect_lives(heard)
    assert len(lives) == 3 * len(before)
    for life in before:
        for number in range(3):
            later = 0.25 * number  # of a beat at 120
            echo = min(
                (other for other in lives if np.array_equal(other.event.vector, life.event.vector)),
                key=lambda other: abs(other.event.onset_seconds - life.event.onset_seconds - later),
            )
            assert echo.event.onset_seconds == pytest.approx(life.event.onset_seconds + later)
            assert echo.event.gain_db == pytest.approx(max(-90.0, life.event.gain_db - 3.0 * number))
            states, wanted = echo.states, life.states
            assert [at for at, _ in states] == pytest.approx([at + later for at, _ in wanted])
            for (_, state), (_, was) in zip(states, wanted, strict=True):
                assert state.vector[INDEX["pitch"]] == was.vector[INDEX["pitch"]]
                assert state.gain_db == pytest.approx(max(-90.0, was.gain_db - 3.0 * number))
            if life.end is not None:
                assert echo.end.at_seconds == pytest.approx(life.end.at_seconds + later)
