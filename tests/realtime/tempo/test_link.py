"""Ableton Link leads: with a session that is told its beats, and with a real one in another process."""

import subprocess
import sys
import time

import pytest

from struck.codec.events.errors import StruckError
from struck.realtime.tempo.leader import ClockState
from struck.realtime.tempo.link import LinkLeader, open_session

PEER = """
import sys, time
from link import Link
session = Link(float(sys.argv[1]))
session.enabled = True
clock = session.clock()
for line in sys.stdin:
    words = line.split()
    if words[0] == "tempo":
        state = session.captureAppSessionState()
        state.setTempo(float(words[1]), clock.micros())
        session.commitAppSessionState(state)
        print("ok", flush=True)
    else:
        before = time.perf_counter()
        micros = clock.micros()
        seconds = 0.5 * (before + time.perf_counter())
        state = session.captureAppSessionState()
        print(session.numPeers(), seconds, state.beatAtTime(micros, 4.0), state.tempo(), flush=True)
"""


class Session:
    """Link's session as far as it is read; its clock is 5 s behind ours."""

    def __init__(self, tempo_bpm=120.0):
        self.tempo_bpm, self.peers, self.now, self.origin = tempo_bpm, 0, 100.0, 90.0
        self.enabled = True

    def clock(self):
        return self

    def micros(self):
        return round(1e6 * (self.now - 5.0))

    def numPeers(self):
        return self.peers

    def captureAppSessionState(self):
        return self

    def commitAppSessionState(self, state):
        assert state is self

    def beatAtTime(self, micros, quantum):
        self.quantum = quantum
        return (micros / 1e6 + 5.0 - self.origin) * self.tempo_bpm / 60.0

    def tempo(self):
        return self.tempo_bpm

    def setTempo(self, tempo_bpm, micros):
        beat = self.beatAtTime(micros, 4.0)
        self.tempo_bpm = tempo_bpm
        self.origin = self.now - beat * 60.0 / tempo_bpm


@pytest.fixture
def session():
    return Session()


@pytest.fixture
def leader(session):
    return LinkLeader(session, now=lambda: session.now)


def test_the_session_s_beats_are_read(leader, session):
    line = leader.line()
    assert line.tempo_bpm == pytest.approx(120.0)
    assert line.beat_at(100.0) == pytest.approx(20.0, abs=1e-5)
    session.now += 0.75
    assert leader.line().beat_at(100.75) == pytest.approx(21.5, abs=1e-5)


def test_bars_are_those_of_the_patch(leader, session):
    leader.beats_per_bar = 3
    leader.line()
    assert session.quantum == 3.0


def test_an_offset_lets_beats_come_later(session):
    line = LinkLeader(session, 0.012, now=lambda: session.now).line()
    assert line.beat_at(100.012) == pytest.approx(20.0, abs=1e-5)


def test_a_change_of_tempo_is_no_other_song_and_a_jump_is(leader, session):
    first = leader.line().song
    for _ in range(20):
        session.now += 0.05
        session.setTempo(session.tempo_bpm + 2.0, session.micros())
        assert leader.line().song == first
    session.origin += 0.25
    session.now += 0.05
    assert leader.line().song == first + 1
    session.now += 0.05
    assert leader.line().song == first + 1


def test_the_own_tempo_is_the_session_s_while_it_is_alone(leader, session):
    assert leader.state(session.now) is ClockState.WAITING
    leader.propose(96.0)
    assert leader.line().tempo_bpm == pytest.approx(96.0)
    session.peers = 1
    assert leader.state(session.now) is ClockState.LOCKED
    leader.propose(140.0)
    assert leader.line().tempo_bpm == pytest.approx(96.0)


def test_on_the_screen_and_by_osc(leader, session):
    assert leader.describe(session.now) == "link waiting 120.0 bpm"
    session.peers = 2
    assert leader.describe(session.now) == "link locked 120.0 bpm"
    assert leader.stats(session.now) == {"clock_state": 2, "clock_bpm": pytest.approx(120.0)}
    leader.close()
    assert session.enabled is False


def test_without_the_extra_it_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "link", None)
    with pytest.raises(StruckError, match="pip install LinkPython-extern"):
        open_session(120.0)


@pytest.mark.wall_clock
def test_two_peers_in_two_processes_agree():
    pytest.importorskip("link", reason="LinkPython-extern is not installed (pip install LinkPython-extern)")
    process = subprocess.Popen(
        [sys.executable, "-c", PEER, "126"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask(line):
        print(line, file=process.stdin, flush=True)
        return process.stdout.readline().split()

    leader = LinkLeader(open_session(100.0))
    try:
        end = time.monotonic() + 20.0
        while (not leader.peer_count or ask("beat")[0] == "0") and time.monotonic() < end:
            time.sleep(0.1)
        if not leader.peer_count:
            pytest.skip("no Link peer is found here: multicast does not come through")
        time.sleep(1.0)  # the clocks of the two are compared for a while
        for tempo in (126.0, 90.0):
            ask(f"tempo {tempo}")
            time.sleep(0.5)
            for _ in range(5):
                peers, seconds, beat, bpm = ask("beat")
                line = leader.line()
                assert int(peers) >= 1
                # Link counts a beat in whole microseconds.
                assert abs(60.0 / float(bpm) - 60.0 / tempo) <= 1e-6
                assert abs(line.beat_seconds - 60.0 / tempo) <= 1e-6
                # The same place in the bar at the same moment; bars may be numbered otherwise.
                off_beats = (line.beat_at(float(seconds)) - float(beat) + 2.0) % 4.0 - 2.0
                assert abs(off_beats * line.beat_seconds) < 0.003
                time.sleep(0.1)
        assert leader.state(time.perf_counter()) is ClockState.LOCKED
    finally:
        leader.close()
        process.kill()
        process.communicate()
