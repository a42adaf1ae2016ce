"""The follower: hears at once, corrects as it hears more, ends what stops, says no more than it must."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order, item_seconds
from struck.codec.events.event_spec import ANALYSIS_RATE, INDEX, read_field
from struck.codec.events.events import Event
from struck.codec.events.lives import collect_lives
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.following.follower import Follower
from struck.codec.playing.decoder import Decoder, render
from struck.codec.weights.codec_weights import shipped_codec_weights

from ..encoder_sounds import add_note, silence

WEIGHTS = shipped_codec_weights()
WHOLE = 1 << 30
FOLLOWING = [name for name, profile in PROFILES.items() if profile.follows]


def follow(profile, sound, block=WHOLE):
    """Items, each with the samples that had been heard when it was told."""
    follower = Follower(WEIGHTS, PROFILES[profile])
    told = []
    for start in range(0, len(sound), block):
        piece = sound[start : start + block]
        told += [(item, start + len(piece)) for item in follower.process(piece)]
    return told + [(item, None) for item in follower.flush()]


def items_of(told):
    return [item for item, _ in told]


def held_tone(seconds, frequency=330.0):
    """A tone of three partials that neither rises nor falls, after 0.1 s of silence."""
    time = np.arange(round(seconds * ANALYSIS_RATE)) / ANALYSIS_RATE
    tone = sum(np.sin(2 * np.pi * n * frequency * time) / n for n in (1, 2, 3))
    tone *= np.minimum(1.0, time / 0.01)
    return np.concatenate([silence(0.1), (0.1 * tone).astype(np.float32)])


def damped_note(rest_seconds=0.4):
    """A note that is damped 0.6 s into the sound."""
    sound = add_note(silence(0.6 + rest_seconds), 0.1, 60.0, decay_rate=1.0)
    end = round(0.6 * ANALYSIS_RATE)
    damper = round(0.01 * ANALYSIS_RATE)
    sound[end : end + damper] *= np.linspace(1.0, 0.0, damper, dtype=np.float32)
    sound[end + damper :] = 0.0
    return sound


def noisy_notes():
    sound = add_note(add_note(silence(0.8), 0.1, 57.0), 0.4, 76.0)
    return sound + (0.003 * np.random.default_rng(0).standard_normal(len(sound))).astype(np.float32)


def without_room(item):
    """What is said of the same sound without its room, whose tail is its own."""
    if isinstance(item, End):
        return item
    vector = item.vector.copy()
    vector[INDEX["room_mix"]] = -1.0
    return replace(item, vector=vector)


@pytest.fixture(scope="module")
def heard():
    """What is told of a few sounds given in one bite, by profile and sound."""
    sounds = {"damped": damped_note(), "noisy": noisy_notes()}
    return {(p, name): items_of(follow(p, sound)) for p in FOLLOWING for name, sound in sounds.items()}


# ---- streaming -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "block"), [("tight", 1), ("instant", 64), ("live", 480), ("live", 4096)])
def test_any_slicing_tells_the_same(heard, profile, block):
    sound = noisy_notes() if block > 1 else noisy_notes()[: ANALYSIS_RATE // 4]
    whole = heard[profile, "noisy"] if block > 1 else items_of(follow(profile, sound))
    assert any(isinstance(item, Event) for item in whole)
    assert items_of(follow(profile, sound, block)) == whole


@pytest.mark.parametrize("profile", FOLLOWING)
def test_the_same_sound_is_told_the_same_after_reset(heard, profile):
    follower = Follower(WEIGHTS, PROFILES[profile])
    follower.process(damped_note())
    follower.reset()
    assert follower.process(noisy_notes()) + follower.flush() == heard[profile, "noisy"]


@pytest.mark.parametrize("profile", FOLLOWING)
def test_silence_is_told_nothing(profile):
    assert items_of(follow(profile, silence(0.5))) == []


@pytest.mark.parametrize("profile", FOLLOWING)
def test_what_is_followed_lies_where_it_is_searched(profile):
    remembered, searched = [], []

    class Watched(Follower):
        def hear(self, sound, first_frame, observed, power, fourth):
            super().hear(sound, first_frame, observed, power, fourth)
            rows = len(observed) - self._encoder.context_frames
            remembered.append((self._short.end_frame, self._short.observed[-rows:].copy()))
            searched.append((first_frame + len(observed), observed[-rows:].copy()))

    follower = Watched(WEIGHTS, PROFILES[profile])
    follower.process(damped_note())
    follower.flush()
    assert len(searched) > 10
    for (end, magnitudes), (expected_end, expected) in zip(remembered, searched, strict=True):
        assert end == expected_end
        np.testing.assert_allclose(magnitudes, expected, atol=1e-5)


@pytest.mark.parametrize("profile", FOLLOWING)
def test_all_is_told_in_time_to_be_played(profile):
    block = 64
    told = [(item, at) for item, at in follow(profile, noisy_notes(), block) if at is not None]
    latency = PROFILES[profile].latency_samples
    for item, at in told:
        assert at - item_seconds(item) * ANALYSIS_RATE - latency <= block
    assert any(isinstance(item, Amendment) for item, _ in told)


@pytest.mark.parametrize("name", ["damped", "noisy"])
@pytest.mark.parametrize("profile", FOLLOWING)
def test_the_stream_is_whole(heard, profile, name):
    items = heard[profile, name]
    lives = collect_lives(items)
    ids = [life.event.id for life in lives]
    assert len(set(ids)) == len(ids)
    assert sum(len(life.items) for life in lives) == len(items)  # nothing speaks of what does not sound
    for life in lives:
        times = [amendment.at_seconds for amendment in life.amendments]
        assert len(set(times)) == len(times)  # at most one a hop
        assert min(times, default=life.event.onset_seconds) >= life.event.onset_seconds


@pytest.mark.parametrize("name", ["damped", "noisy"])
@pytest.mark.parametrize("profile", FOLLOWING)
def test_nothing_is_said_of_an_event_whose_voice_is_over(heard, profile, name):
    decoder = Decoder(WEIGHTS, ANALYSIS_RATE)
    position = 0
    for item in heard[profile, name]:
        due = round(item_seconds(item) * ANALYSIS_RATE)
        if due > position:
            decoder.process(due - position)
            position = due
        decoder.schedule(item)
    decoder.process(ANALYSIS_RATE)
    assert decoder.counters()["amendments_unknown"] == 0


def test_instant_knows_soon():
    assert PROFILES["instant"].wait_samples <= 0.006 * ANALYSIS_RATE
    assert PROFILES["instant"].lookahead_samples <= 0.012 * ANALYSIS_RATE


def test_short_of_time_it_refits_less_and_then_searches_for_nothing_new():
    follower = Follower(WEIGHTS, PROFILES["tight"])
    assert follower.process(noisy_notes())
    assert (follower.let_go_refits, follower.let_go_searches) == (0, 0)
    follower.reset()
    follower.pace.due_seconds = follower.pace.clock()  # all that is found is late
    assert any(isinstance(item, Event) for item in follower.process(noisy_notes()))
    assert follower.let_go_refits > 10
    follower.reset()
    follower.searches = False
    hops = len(noisy_notes()) // PROFILES["tight"].hop_samples
    assert follower.process(noisy_notes()) == []
    assert follower.let_go_searches == pytest.approx(hops, abs=8)


def test_new_events_can_be_taken_as_soon_as_they_are_known():
    sound = noisy_notes()
    follower = Follower(WEIGHTS, PROFILES["tight"])
    plain = follower.process(sound) + follower.flush()
    follower.reset()
    early = []
    follower.tell_first = early.extend
    later = follower.process(sound) + follower.flush()
    assert [repr(item) for item in early] == [repr(item) for item in plain if isinstance(item, Event)]
    assert [repr(item) for item in later] == [repr(item) for item in plain if not isinstance(item, Event)]


def test_what_was_silenced_is_not_spoken_of_again():
    sound = held_tone(0.8)
    half = len(sound) // 2
    follower = Follower(WEIGHTS, PROFILES["tight"])
    before = follower.process(sound[:half])
    silenced = {item.id for item in before if isinstance(item, Event)}
    assert silenced
    follower.lose()
    after = follower.process(sound[half:]) + follower.flush()
    assert {item.id for item in after} & silenced == set()
    assert any(isinstance(item, Event) for item in after)  # the tone is heard anew


# ---- what it says ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", FOLLOWING)
def test_a_steady_tone_costs_next_to_nothing_once_it_has_settled(profile):
    """Now and then it is told that it is held on; 60 hops of one frame go by here."""
    items = items_of(follow(profile, held_tone(2.0)))
    settled = [item for item in items if 1.2 < item_seconds(item) < 1.9]
    assert any(isinstance(item, Event) for item in items)
    assert all(isinstance(item, Amendment) for item in settled)
    assert len(settled) <= 4


@pytest.mark.parametrize("profile", FOLLOWING)
def test_a_damped_note_is_ended_within_100_ms(heard, profile):
    lives = collect_lives(heard[profile, "damped"])
    longest = max(
        (life for life in lives if life.end), key=lambda life: life.end_seconds - life.event.onset_seconds
    )
    assert longest.event.onset_seconds == pytest.approx(0.1, abs=0.08)
    assert 0.55 < longest.end_seconds < 0.7
    # What was not ended has faded by itself.
    stream = in_stream_order(without_room(item) for item in heard[profile, "damped"])
    played = np.concatenate(list(render(WEIGHTS, stream, ANALYSIS_RATE)))
    assert np.abs(played[round(0.75 * ANALYSIS_RATE) :]).max(initial=0.0) < 3e-3 * np.abs(played).max()


@pytest.mark.parametrize("profile", FOLLOWING)
def test_nothing_sounds_half_a_second_after_the_input_stopped(profile):
    sound = noisy_notes()
    told = items_of(follow(profile, np.concatenate([sound, silence(0.3)])))
    stream = in_stream_order(without_room(item) for item in told)
    played = np.concatenate(list(render(WEIGHTS, stream, ANALYSIS_RATE)))
    after = played[len(sound) + ANALYSIS_RATE // 2 :]
    assert np.abs(after).max(initial=0.0) < 1e-3 * np.abs(played).max()


@pytest.mark.parametrize("profile", FOLLOWING)
def test_a_slow_rise_is_not_missed(profile):
    """A few frames show no peak of a rise that goes on beyond them."""
    time = np.arange(round(0.6 * ANALYSIS_RATE)) / ANALYSIS_RATE
    tone = 0.3 * np.minimum(1.0, time / 0.08) * np.sin(2 * np.pi * 110.0 * time)
    sound = np.concatenate([silence(0.1), tone.astype(np.float32)])
    stream = in_stream_order(items_of(follow(profile, sound)))
    played = np.concatenate(list(render(WEIGHTS, stream, ANALYSIS_RATE)))
    risen = slice(round(0.25 * ANALYSIS_RATE), round(0.6 * ANALYSIS_RATE))
    level_db = 20.0 * np.log10(np.linalg.norm(played[risen]) / np.linalg.norm(sound[risen]))
    assert level_db == pytest.approx(0.0, abs=3.0)


@pytest.mark.parametrize("pitch", [57.0, 64.0, 71.0])
def test_a_note_whose_decay_was_guessed_wrong_comes_right(pitch):
    """The tight encoder hears 50 ms of a note and cannot know how long it rings. A quarter of a second later
    it does; what is 20 dB lower still is no longer worth an amendment's bits."""
    sound = add_note(silence(1.2), 0.1, pitch, decay_rate=6.0)
    told = items_of(follow("tight", sound))
    events = [item for item in told if isinstance(item, Event)]

    def level_db(signal, seconds=0.35):
        start = round(seconds * ANALYSIS_RATE)
        return 20.0 * np.log10(np.sqrt(np.mean(signal[start : start + 2048] ** 2)) + 1e-6)

    def error_db(items):
        played = np.concatenate(list(render(WEIGHTS, in_stream_order(items), ANALYSIS_RATE)))
        return abs(level_db(np.pad(played, (0, len(sound)))) - level_db(sound))

    guessed_db, followed_db = error_db(events), error_db(told)
    assert followed_db < 3.0 < 5.0 < guessed_db


@pytest.mark.parametrize("profile", FOLLOWING)
def test_the_pitch_of_a_tone_comes_right(profile):
    """Of what sounds longest, within 20 cents."""
    lives = collect_lives(items_of(follow(profile, held_tone(1.0))))
    longest = max(lives, key=lambda life: life.end_seconds - life.event.onset_seconds)
    _, last = longest.states[-1]
    pitch = 69.0 + 12.0 * np.log2(330.0 / 440.0)
    assert float(read_field(last.vector, "pitch")) == pytest.approx(pitch, abs=0.2)


def test_following_needs_no_torch():
    code = (
        "import sys, numpy as np\n"
        "from struck.codec.hearing.following.hearing import make_hearing\n"
        "from struck.codec.events.profiles import PROFILES\n"
        "from struck.codec.weights.codec_weights import shipped_codec_weights\n"
        "hearing = make_hearing(shipped_codec_weights(), PROFILES['tight'])\n"
        "hearing.process(np.random.default_rng(0).standard_normal(8000).astype('f4'))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
