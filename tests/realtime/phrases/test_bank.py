"""The bank keeps what was used last, the worker makes what is wanted first, and a process makes it."""

import sys
import threading
import time

import numpy as np
import pytest

from struck.codec.events.amendments import Amendment, End, in_stream_order
from struck.codec.events.event_spec import ANALYSIS_RATE
from struck.codec.events.events import Event
from struck.models.mars.conditions import PhraseConditions
from struck.realtime.phrases.bank import KeptPhrase, PhraseBank, PhraseKey
from struck.realtime.phrases.process_client import ProcessMaker
from struck.realtime.phrases.wire import Job, pack_items, unpack_items
from struck.realtime.phrases.worker import WAITING_LIMIT, PhraseStopped, PhraseWorker

from .phrase_fakes import FakeMaker, clip

FAKE_PROCESS = (sys.executable, "-m", "tests.realtime.phrases.fake_phrase_process")


def key(pitch, place=0, **options):
    return PhraseKey(PhraseConditions(pitch, style="pad"), place=place, **options)


def phrase(frames=1_000):
    return KeptPhrase(np.zeros(frames, np.float32))


def wait(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


# ---- the bank


def test_equal_questions_have_one_answer_and_others_none():
    bank, kept = PhraseBank(), phrase()
    bank.put(key(60), kept)
    assert bank.get(PhraseKey(PhraseConditions(60, style="PAD"))) is kept
    for other in (key(61), key(60, place=1), key(60, variation=1), key(60, seed=1), key(60, as_events=True)):
        assert bank.get(other) is None
        assert other not in bank


def test_what_was_used_least_lately_goes_first():
    bank = PhraseBank(limit_bytes=3 * 4_000)
    for pitch in (60, 61, 62):
        bank.put(key(pitch), phrase())
    assert bank.get(key(60)) is not None
    assert key(61) in bank  # to ask is no use
    bank.put(key(63), phrase())
    assert [pitch for pitch in range(60, 64) if key(pitch) in bank] == [60, 62, 63]
    assert bank.byte_count == 12_000
    assert not bank.has_room()


def test_it_never_holds_more_than_its_limit():
    bank = PhraseBank(limit_bytes=10_000)
    bank.put(key(1), phrase(5_000))  # too large
    assert (len(bank), bank.byte_count) == (0, 0)
    rng = np.random.default_rng(0)
    for pitch in rng.integers(0, 128, 500):
        bank.put(key(int(pitch)), phrase(int(rng.integers(0, 1_500))))
        assert bank.byte_count <= 10_000
    assert bank.byte_count == sum(bank.get(key(p)).byte_count for p in range(128) if key(p) in bank)


def test_rows_go_on_and_have_seeds_of_their_own():
    first = key(60, seed=7, variation=2)
    assert first.before is None
    assert first.next.before == first
    row = [first, first.next, first.next.next, key(60, seed=8), key(60, seed=7)]
    assert len({found.phrase_seed for found in row}) == len(row)


# ---- the worker


class Bench:
    """A worker with a maker that waits for the test."""

    def __init__(self, likely=(), **options):
        self.maker = FakeMaker(**{"waits": True, **options})
        self.bank, self.made, self.lines, self.counters = PhraseBank(), [], [], []
        self.worker = PhraseWorker(
            self.maker, self.bank, self.made.append, lambda: likely, self.lines.append, self.counters.append
        )

    def begun(self, count):
        wait(lambda: len(self.maker.started) >= count)


@pytest.fixture
def bench():
    benches = []

    def make(*arguments, **options):
        benches.append(Bench(*arguments, **options))
        return benches[-1]

    yield make
    for found in benches:
        found.worker.close()


def test_the_newest_request_is_made_first_and_the_oldest_of_a_flood_are_dropped(bench):
    b = bench()
    b.worker.request(key(0))
    b.begun(1)
    for pitch in range(1, 101):
        b.worker.request(key(pitch))
    assert b.counters == ["phrases_dropped"] * (100 - WAITING_LIMIT)
    assert b.worker.waiting_count == WAITING_LIMIT + 1
    b.maker.let(1 + WAITING_LIMIT)
    wait(lambda: len(b.made) == 1 + WAITING_LIMIT)
    assert b.made == [key(0), *(key(pitch) for pitch in range(100, 100 - WAITING_LIMIT, -1))]
    assert b.worker.made_count == len(b.bank) == 1 + WAITING_LIMIT


def test_what_is_asked_twice_is_made_once_and_the_later_asking_counts(bench):
    b = bench()
    b.worker.request(key(0))
    b.begun(1)
    for pitch in (0, 1, 2, 1):
        b.worker.request(key(pitch))
    b.maker.let(10)
    wait(lambda: len(b.made) == 3)
    b.worker.request(key(0))
    assert b.made == [key(0), key(1), key(2)]


def test_what_nobody_waits_for_any_more_is_not_made(bench):
    b = bench()
    b.worker.request(key(0))
    b.begun(1)
    b.worker.request(key(1))
    b.worker.request(key(2))
    b.worker.withdraw(key(2))
    b.maker.let(10)
    wait(lambda: len(b.made) == 2)
    assert b.made == [key(0), key(1)]


def test_idle_it_makes_what_is_likely_and_gives_that_up_for_what_is_wanted(bench):
    b = bench([key(40), key(41)])
    b.worker.begin()
    b.begun(1)
    assert b.maker.started == [key(40)]
    b.worker.request(key(60))
    b.begun(2)
    assert b.maker.started[1] == key(60)
    b.maker.let(10)
    wait(lambda: len(b.made) == 3)
    assert b.made == [key(60), key(40), key(41)]


def test_what_is_likely_pushes_nothing_out(bench):
    b = bench([key(pitch) for pitch in range(100)], waits=False)
    b.bank.limit_bytes = 5 * clip(key(0)).nbytes
    b.worker.begin()
    wait(lambda: len(b.made) >= 5)
    time.sleep(0.05)
    assert len(b.made) == len(b.bank) == 5


def test_without_weights_it_says_so_once_and_asks_nothing_more(bench):
    b = bench(error="MARS weights not found: x")
    b.worker.request(key(0))
    wait(lambda: b.lines)
    for pitch in range(20):
        b.worker.request(key(pitch))
    assert b.lines == ["phrases cannot be made: MARS weights not found: x; notes are played in their place"]
    assert b.counters == ["phrases_failed"]
    assert (b.worker.state, b.worker.waiting_count) == ("failed", 0)


def test_it_sleeps_until_it_is_needed_and_may_be_off(bench):
    b = bench()
    assert b.worker.state == "asleep"
    assert not b.worker._thread.is_alive()
    b.worker.turn_off()
    b.worker.request(key(0))
    assert not b.worker._thread.is_alive()


@pytest.mark.wall_clock
def test_closing_gives_up_what_is_being_made(bench):
    b = bench()
    b.worker.request(key(0))
    b.begun(1)
    began = time.monotonic()
    b.worker.close()
    assert time.monotonic() - began < 2.0
    assert b.maker.closed
    assert b.made == []
    assert len(b.lines) == 1  # of its start


# ---- the process


@pytest.fixture
def process():
    makers = []

    def make(*arguments, **job):
        lines = []
        maker = ProcessMaker(Job(**{"rate": 44_100, **job}), lines.append, [*FAKE_PROCESS, *arguments])
        makers.append(maker)
        return maker, lines

    yield make
    for maker in makers:
        maker.close()
        assert maker._process is None


def test_a_process_makes_what_was_asked_for_at_the_devices_rate(process):
    maker, lines = process()
    assert maker.start() == "phrases are ready: MARS fake on cpu, the first took 0.5 s"
    assert lines == ["fake weights"]
    made = maker.make(key(57), lambda: False)
    assert len(made.sound) == 4 * 44_100
    middle = slice(2_000, 170_000)
    assert made.sound[middle] == pytest.approx(clip(key(57), 44_100)[middle], abs=2e-3)
    assert set(made.seconds) == {"tokens", "spectrogram", "phase"}
    # it goes on from the one before, which the process remembers
    following = maker.make(key(57, place=1), lambda: False)
    assert following.sound[middle] == pytest.approx(clip(key(57, place=1), 44_100)[middle], abs=2e-3)
    assert maker.busy_seconds > 0.0


def test_a_process_hears_phrases_as_events(process):
    from struck.codec.weights.codec_weights import default_codec_weights_path

    maker, _ = process(rate=ANALYSIS_RATE, codec_weights=str(default_codec_weights_path()))
    maker.start()
    made = maker.make(key(57, as_events=True), lambda: False)
    assert list(made.items) == in_stream_order(made.items)
    events = [item for item in made.items if isinstance(item, Event)]
    assert events[0].onset_seconds < 0.05
    assert any(isinstance(item, Amendment) for item in made.items)
    # Each that was told to end was told to begin.
    assert {item.id for item in made.items} == {event.id for event in events}


def test_a_stream_goes_through_the_pipe():
    vector = np.linspace(-1.0, 1.0, 32, dtype=np.float32)
    items = (
        Event(0.25, -20.5, vector, id=7),
        Event(0.5, -30.0, vector),
        Amendment(7, 0.75, gain_db=-12.0),
        Amendment.of_fields(7, 0.8, {"pitch": 61.0}),
        End(2**32 - 1, 1.0),
    )
    assert unpack_items(pack_items(items)) == items
    assert [item.id for item in unpack_items(pack_items(items[:2]))] == [7, None]


def test_a_process_gives_up_when_it_is_told_and_goes_on(process):
    maker, _ = process("--slow", "30")
    maker.start()
    began = time.monotonic()
    with pytest.raises(PhraseStopped):
        maker.make(key(57), lambda: time.monotonic() > began + 0.05)
    assert time.monotonic() - began < 15.0


def test_a_process_that_dies_is_started_again_but_not_for_ever(process):
    maker, lines = process("--die")
    maker.start()
    worker = PhraseWorker(
        maker, PhraseBank(), lambda key: None, lambda: (), lines.append, lambda counter: None
    )
    for pitch in (60, 61):
        with pytest.raises(PhraseStopped):
            maker.make(key(pitch), lambda: False)
    with pytest.raises(Exception, match="the process that makes phrases has died"):
        maker.make(key(62), lambda: False)
    assert sum("it is started again" in line for line in lines) == 2
    worker.close()


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"weights": "/nowhere/mars.safetensors"}, "MARS weights not found"),
        ({"device": "cuda"}, "there is no CUDA device"),
    ],
)
def test_what_loading_fails_of_is_told(process, job, words):
    maker, _ = process(**job)
    with pytest.raises(Exception, match=words):
        maker.start()


@pytest.mark.wall_clock
def test_closing_does_not_wait_for_a_process_that_is_busy(process):
    maker, _ = process("--slow", "60")
    maker.start()
    failed = []

    def make():
        try:
            maker.make(key(60), lambda: False)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=make)
    thread.start()
    time.sleep(0.2)
    began = time.monotonic()
    maker.close()
    thread.join(5.0)
    assert not thread.is_alive()
    assert time.monotonic() - began < 5.0
    assert len(failed) == 1
