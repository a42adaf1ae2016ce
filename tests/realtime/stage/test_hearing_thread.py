"""The listener: what it hears does not depend on when it is called, and time stays right whatever is lost."""

import time
from dataclasses import replace

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.event_spec import ANALYSIS_RATE, VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.events.profiles import PROFILES
from struck.codec.hearing.pace import Pace
from struck.realtime.engine.rings import write_frames
from struck.realtime.engine.state import make_engine_state
from struck.realtime.stage import hearing_thread
from struck.realtime.stage.hearing_thread import Listener

LATENCY_SECONDS = 0.1
COMPUTE_SECONDS = 0.01
RATE = 48_000


class ClickEncoder:
    """Hears every sample above a half as an event; decides hop by hop, as the real one does."""

    profile = PROFILES["tight"]

    let_go_refits = let_go_searches = 0
    pace = Pace()

    def __init__(self):
        self.reset()
        self.most = 0

    def reset(self):
        self._sound = np.zeros(0, np.float32)
        self._heard = 0
        self.lost = 0

    def lose(self):
        self.lost += 1

    def process(self, samples):
        self.most = max(self.most, len(samples))
        self._sound = np.concatenate([self._sound, samples])
        events = []
        while len(self._sound) >= self.profile.hop_samples:
            events += self._hear(self.profile.hop_samples)
        return events

    def flush(self):
        return self._hear(len(self._sound))

    def _hear(self, count):
        hop, self._sound = self._sound[:count], self._sound[count:]
        found = [
            Event((self._heard + place) / ANALYSIS_RATE, -20.0, np.zeros(VECTOR_SIZE, np.float32))
            for place in np.flatnonzero(hop > 0.5)
        ]
        self._heard += len(hop)
        return found


class Stream(list):
    """What is told, in place of a stage."""

    def __init__(self):
        super().__init__()
        self.silenced = False
        self.ends = 0

    tell = list.extend

    def was_silenced(self):
        silenced, self.silenced = self.silenced, False
        return silenced

    def end_all(self):
        self.ends += 1


class Room:
    """A listener, and what it plays."""

    def __init__(self, rate=RATE, ring_seconds=4.0, encoder=None):
        self.rate = rate
        self.state = make_engine_state(
            rate, 1, 1, 1, pending_count=1, ring_seconds=ring_seconds, phrase_seconds=0.0
        )
        self.encoder = encoder or ClickEncoder()
        self.events, self.counts, self.faults = Stream(), {}, []
        self.listener = Listener(
            self.encoder,
            self.state,
            rate,
            LATENCY_SECONDS,
            COMPUTE_SECONDS,
            self.events,
            self._count,
            self.faults.append,
        )

    def _count(self, name, number):
        self.counts[name] = self.counts.get(name, 0) + number

    def offer(self, sound, block=64):
        for start in range(0, len(sound), block):
            write_frames(self.state.capture, np.ascontiguousarray(sound[start : start + block, None]))

    @property
    def onsets_seconds(self):
        return [event.onset_seconds - LATENCY_SECONDS for event in self.events]


def clicks(*at_seconds, seconds=1.0, rate=RATE):
    """Bursts loud and long enough to stay above a half at any rate, but for one sample of the encoder."""
    sound = np.zeros(round(seconds * rate), np.float32)
    width = rate / ANALYSIS_RATE
    time_samples = np.arange(len(sound))
    for at in at_seconds:
        sound += 0.9 * np.exp(-(((time_samples - at * rate) / (0.9 * width)) ** 2)).astype(np.float32)
    return sound


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_events_sound_the_latency_after_their_onset(rate):
    room = Room(rate)
    onsets = [4_410 / ANALYSIS_RATE, 11_025 / ANALYSIS_RATE, 22_000 / ANALYSIS_RATE]
    room.offer(clicks(*onsets, rate=rate))
    room.listener.finish()
    assert sorted({round(onset, 3) for onset in room.onsets_seconds}) == [0.2, 0.5, 0.998]
    assert min(abs(onset - onsets[0]) for onset in room.onsets_seconds) < 1e-9


def test_any_slicing_and_any_moment_give_the_same_events():
    rng = np.random.default_rng(1)
    sound = clicks(*rng.uniform(0.0, 0.98, 20)) + rng.normal(0.0, 0.05, RATE).astype(np.float32)
    outcomes = []
    for block, every in ((64, 1), (64, 50), (1, 4_000), (480, 3), (2_048, 1), (64, 10_000)):
        room = Room()
        for number, start in enumerate(range(0, len(sound), block)):
            room.offer(sound[start : start + block], block)
            if number % every == 0:
                room.listener.pump()
        room.listener.finish()
        outcomes.append(room.events)
    assert len(outcomes[0]) >= 15
    assert all(events == outcomes[0] for events in outcomes)


def test_pump_says_how_much_it_heard_and_takes_small_pieces():
    room = Room()
    room.offer(np.zeros(RATE // 2, np.float32))
    assert room.listener.pump() == RATE // 2 // 64 * 64
    assert room.listener.pump() == 0
    assert room.encoder.most <= ClickEncoder.profile.hop_samples / 4 + 1
    assert room.listener.busy_seconds >= 0.0
    assert room.listener.longest_seconds > 0.0


def test_what_the_ring_lost_is_silence_of_its_length():
    room = Room(ring_seconds=0.2)
    sound = clicks(0.1, 0.3, 0.7, 0.9)
    room.offer(sound[: RATE // 2])  # no room for all of it: the listener was away
    room.listener.pump()
    room.offer(sound[RATE // 2 :][: RATE // 5])
    room.listener.pump()
    room.offer(sound[RATE // 2 + RATE // 5 :][: RATE // 5])
    room.listener.pump()
    room.offer(sound[-RATE // 10 :])
    room.listener.finish()
    assert {round(onset, 2) for onset in room.onsets_seconds} == {0.1, 0.7, 0.9}


def test_a_backlog_is_let_go_counted_and_does_not_move_what_follows():
    room = Room()
    sound = clicks(0.5, 1.0, 2.5, 3.0, seconds=3.5)
    room.offer(sound[: 3 * RATE])  # 3 s wait: 2 s are let go
    room.listener.pump()
    room.offer(sound[3 * RATE :])
    room.listener.finish()
    assert {round(onset, 2) for onset in room.onsets_seconds} == {2.5, 3.0}
    assert room.counts["unheard_samples"] == pytest.approx(2 * RATE, abs=0.02 * RATE)


def test_below_a_second_everything_is_heard():
    room = Room()
    room.offer(clicks(0.2, 0.8, seconds=0.99))
    room.listener.finish()
    assert {round(onset, 1) for onset in room.onsets_seconds} == {0.2, 0.8}
    assert room.counts == {}


def test_its_thread_hears_by_itself_and_ends():
    room = Room()
    room.listener.start()
    room.offer(clicks(0.1, seconds=0.3))
    deadline = time.monotonic() + 30.0
    while not room.events and time.monotonic() < deadline:
        time.sleep(0.005)
    assert {round(onset, 1) for onset in room.onsets_seconds} == {0.1}
    assert room.listener.stop()
    assert room.listener.stop()  # twice is harmless
    assert room.counts == {}
    assert room.faults == []


def test_a_thread_that_was_never_started_has_ended():
    assert Room().listener.stop()


class BreaksOnce(ClickEncoder):
    """Fails at the first piece that it is given after ``broken_from`` samples."""

    broken_from = 3_000

    def __init__(self):
        super().__init__()
        self.given = 0

    def process(self, samples):
        self.given += len(samples)
        if self.broken_from is not None and self.given > self.broken_from:
            self.broken_from = None
            raise ZeroDivisionError("hop")
        return super().process(samples)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_an_encoder_that_fails_once_is_told_counted_and_hears_on_exactly(rate):
    room = Room(rate, encoder=BreaksOnce())
    onset = 13_230 / ANALYSIS_RATE
    room.offer(clicks(onset, seconds=0.9, rate=rate))
    room.listener.start()
    deadline = time.monotonic() + 30.0
    while not room.events and time.monotonic() < deadline:
        time.sleep(0.005)
    assert room.listener.stop()
    assert [str(error) for error in room.faults] == ["hop"]
    assert room.counts == {"hearing_faults": 1}
    assert room.events.ends == 1  # what had been heard would never be told to end
    assert min(abs(heard - onset) for heard in room.onsets_seconds) < 1e-9


def test_an_encoder_that_always_fails_ends_neither_itself_nor_the_rest(monkeypatch):
    class Broken(ClickEncoder):
        def process(self, samples):
            raise ZeroDivisionError("hop")

    monkeypatch.setattr(hearing_thread, "_AFTER_FAULT_SECONDS", 0.01)
    room = Room(encoder=Broken())
    room.offer(np.zeros(6_400, np.float32))
    room.listener.start()
    deadline = time.monotonic() + 30.0
    while len(room.faults) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert room.listener.stop()
    assert room.counts["hearing_faults"] == len(room.faults) >= 3


def test_warming_up_leaves_no_trace():
    cold, warm = Room(), Room()
    warm.listener.warm_up()
    assert warm.events == []
    sound = clicks(0.05, 0.3)
    for room in (cold, warm):
        room.offer(sound)
        room.listener.finish()
    assert warm.events == cold.events


def test_what_a_panic_has_silenced_is_lost_to_hearing_too():
    room = Room()
    room.offer(clicks(0.1, seconds=0.5))
    room.events.silenced = True
    room.listener.pump()
    room.listener.pump()
    assert (room.encoder.lost, room.events.ends) == (1, 1)
    assert {round(onset, 1) for onset in room.onsets_seconds} == {0.1}


class FollowsClicks(ClickEncoder):
    """Amends each click 10 ms after it, and ends it after 20."""

    def _hear(self, count):
        items = []
        for event in super()._hear(count):
            id = round(event.onset_seconds * ANALYSIS_RATE)
            at = event.onset_seconds
            items += [replace(event, id=id), Amendment(id, at + 0.01, -30.0), End(id, at + 0.02)]
        return items


def test_amendments_and_ends_sound_the_latency_later_too():
    room = Room(44_100, encoder=FollowsClicks())
    room.offer(clicks(4_410 / ANALYSIS_RATE, rate=44_100))
    room.listener.finish()
    event, amendment, end = room.events[:3]
    assert event.onset_seconds == pytest.approx(event.id / ANALYSIS_RATE + LATENCY_SECONDS)
    assert amendment.at_seconds == pytest.approx(event.onset_seconds + 0.01)
    assert end.at_seconds == pytest.approx(event.onset_seconds + 0.02)
    assert amendment.id == end.id == event.id
