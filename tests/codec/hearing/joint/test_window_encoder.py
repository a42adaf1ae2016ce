"""Picking from a short window, as ``live`` does: notes are told apart, and what is known too little waits."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE, read_field
from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.events.settle import settle
from struck.codec.hearing.following.follower import Follower
from struck.codec.hearing.joint.window_encoder import WindowEncoder
from struck.codec.measures.metrics import note_f_measure
from struck.codec.weights.codec_weights import shipped_codec_weights

from ..encoder_sounds import add_note, silence

WEIGHTS = shipped_codec_weights()
LIVE = PROFILES["live"]
#: A third between two voices, struck again and again under a held note.
NOTES = [(0.2, 50.0)] + [(0.4 + 0.3 * i, pitch) for i in range(6) for pitch in (66.0, 69.0)]


def struck_again():
    sound = silence(2.6)
    for onset, pitch in NOTES:
        add_note(sound, onset, pitch, decay_rate=1.0 if pitch == 50.0 else 8.0)
    return 0.3 * sound


def pitch_of(event):
    return float(read_field(event.vector, "pitch"))


class Watched(Follower):
    """Remembers what waits after each hop, and what is told in it."""

    def __init__(self, *args):
        self.hops = []
        super().__init__(*args)

    def take(self, events):
        super().take(events)
        self.hops.append((self._encoder.waiting, events))


@pytest.fixture(scope="module")
def watched():
    follower = Watched(WEIGHTS, LIVE)
    items = follower.process(struck_again()) + follower.flush()
    return follower, items


def test_live_picks_from_a_window(watched):
    assert isinstance(watched[0]._encoder, WindowEncoder)
    assert not isinstance(Follower(WEIGHTS, PROFILES["tight"])._encoder, WindowEncoder)
    assert not isinstance(Follower(WEIGHTS, LIVE, 0)._encoder, WindowEncoder)


def test_notes_struck_again_under_a_held_one_are_found(watched):
    _, items = watched
    found = [(event.onset_seconds, pitch_of(event)) for event in settle(items)]
    score = note_f_measure(NOTES, found)
    assert score.recall >= 0.65
    assert score.precision >= 0.9


def test_what_waits_is_told_once_its_hop_has_come(watched):
    follower, _ = watched
    waited = told = 0
    for (waiting, _), (_, events) in zip(follower.hops, follower.hops[1:], strict=False):
        for event in events:
            told += 1
            waited += any(
                abs(one.onset_seconds - event.onset_seconds) < 0.03
                and abs(pitch_of(one) - pitch_of(event)) < 0.5
                for one in waiting
            )
    assert told >= 0.65 * len(NOTES)
    assert waited >= 0.7 * told


def test_what_waits_lies_after_the_hop_and_within_what_was_heard(watched):
    follower, _ = watched
    hop = LIVE.hop_samples / ANALYSIS_RATE
    for number, (waiting, _) in enumerate(follower.hops):
        for event in waiting:
            # Half a frame before the hop's end, to the last frame of which more than the attack was heard.
            assert event.onset_seconds > (number + 1) * hop - 0.03
            assert event.onset_seconds < (number + 1) * hop + LIVE.lookahead_samples / ANALYSIS_RATE


def test_with_no_time_to_search_only_what_waits_is_told():
    follower = Watched(WEIGHTS, LIVE)
    sound = struck_again()
    block = LIVE.hop_samples
    for start in range(0, len(sound), block):
        known = [pitch_of(event) for waiting, _ in follower.hops[-1:] for event in waiting]
        follower.searches = start // block % 4 != 3
        told = follower.process(sound[start : start + block])
        if not follower.searches:
            for event in told:
                if isinstance(event, Event):
                    assert min(abs(pitch_of(event) - pitch) for pitch in known) < 0.1
    assert follower.let_go_searches > 10


def test_what_waits_is_forgotten_after_reset(watched):
    follower = Follower(WEIGHTS, LIVE)
    follower.process(struck_again()[: round(0.55 * ANALYSIS_RATE)])
    follower.reset()
    assert follower._encoder.waiting == []
    np.testing.assert_equal(follower.process(struck_again()) + follower.flush(), watched[1])
