"""Single notes as a performer plays them, heard live: few events, in tune, in time, ended when damped."""

import numpy as np
import pytest

from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.lives import collect_lives
from struck.codec.events.profiles import PROFILES
from struck.codec.events.settle import settle
from struck.codec.hearing.following.follower import Follower
from struck.codec.measures.known_notes import make_known_notes, score_note
from struck.codec.weights.codec_weights import shipped_codec_weights

DAMPED_SECONDS = 0.8


def damp(samples):
    damped, start, length = samples.copy(), round(DAMPED_SECONDS * ANALYSIS_RATE), ANALYSIS_RATE // 100
    damped[start : start + length] *= np.linspace(1.0, 0.0, length, dtype=np.float32)
    damped[start + length :] = 0.0
    return damped


@pytest.fixture(scope="module", params=make_known_notes(), ids=lambda note: note.name)
def heard(request):
    """A note, damped, and what is told of it."""
    follower = Follower(shipped_codec_weights(), PROFILES["live"])
    return request.param, [*follower.process(damp(request.param.samples)), *follower.flush()]


def test_it_is_few_events(heard):
    note, items = heard
    assert 1 <= score_note(note, settle(items)).event_count <= 3


def test_the_loudest_is_in_tune_and_in_time(heard):
    note, items = heard
    score = score_note(note, settle(items))
    assert score.pitch_error_cents == pytest.approx(0.0, abs=20.0)
    assert score.onset_error_seconds == pytest.approx(0.0, abs=0.015)


def test_it_is_ended_within_100_ms_of_the_damper(heard):
    _, items = heard
    loudest = max(collect_lives(items), key=lambda life: life.event.gain_db)
    assert loudest.end is not None
    assert DAMPED_SECONDS - 0.05 < loudest.end_seconds < DAMPED_SECONDS + 0.1
