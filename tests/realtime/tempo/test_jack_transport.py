"""JACK's transport leads: positions as JACK tells them. A real server is in the rig's tests."""

import pytest

from struck.realtime.tempo.jack_transport import JackTransportLeader
from struck.realtime.tempo.leader import ClockState

RATE = 48_000


class Transport:
    """A transport on a server; time is handed in."""

    def __init__(self):
        self.now, self.frame, self.word = 50.0, 0, "stopped"
        self.tempo_bpm = None
        self.counts = {}

    def count(self, name, number):
        self.counts[name] = self.counts.get(name, 0) + number

    def read(self):
        if self.word == "gone":
            return None
        position = {"usecs": round(1e6 * self.now), "frame": self.frame, "frame_rate": RATE}
        if self.tempo_bpm is not None:
            ticks = int(self.frame / RATE * self.tempo_bpm / 60.0 * 1920.0)
            into = self.frame - ticks / 1920.0 * 60.0 / self.tempo_bpm * RATE
            beats, tick = divmod(ticks, 1920)
            bar, beat = divmod(beats, 4)
            position |= {
                "bar": bar + 1,
                "beat": beat + 1,
                "tick": tick,
                "beats_per_bar": 4.0,
                "ticks_per_beat": 1920.0,
                "beats_per_minute": self.tempo_bpm,
                "bbt_offset": into,
            }
        return self.word, position

    def pass_by(self, seconds):
        self.now += seconds
        if self.word == "rolling":
            self.frame += round(seconds * RATE)


@pytest.fixture
def transport():
    return Transport()


@pytest.fixture
def leader(transport):
    return JackTransportLeader(
        transport.read,
        100.0,
        count=transport.count,
        now=lambda: transport.now,
        clocks=(lambda: transport.now, lambda: transport.now - 7.0),
    )


def test_before_it_rolls_there_is_no_line(leader, transport):
    assert leader.line() is None
    assert leader.state(0.0) is ClockState.WAITING
    assert leader.describe(0.0) == "jack waiting"


@pytest.mark.parametrize("tempo", [60.0, 120.0, 174.0])
def test_bars_and_tempo_come_from_the_timebase_master(leader, transport, tempo):
    transport.tempo_bpm, transport.word = tempo, "rolling"
    songs = set()
    for _ in range(50):
        line = leader.line()
        assert line.tempo_bpm == pytest.approx(tempo)
        beat = transport.frame / RATE * tempo / 60.0
        assert line.beat_at(transport.now) == pytest.approx(beat, abs=1e-3)
        songs.add(line.song)
        transport.pass_by(0.0853)
    assert len(songs) == 1
    assert leader.state(0.0) is ClockState.LOCKED


@pytest.mark.parametrize("behind", [0.0, 7.0])
def test_a_position_is_as_old_as_the_clock_says_that_jack_counts_by(leader, transport, behind):
    transport.tempo_bpm, transport.word = 120.0, "rolling"
    read = transport.read

    def earlier():
        word, position = read()
        return word, position | {"usecs": round(1e6 * (transport.now - behind - 0.004))}

    leader._read = earlier
    assert leader.line().beat_at(transport.now - 0.004) == pytest.approx(0.0, abs=1e-5)


def test_blocks_that_begin_late_move_no_beat(leader, transport):
    transport.tempo_bpm, transport.word = 120.0, "rolling"
    leader.line()
    for late in (0.006, 0.0, 0.011, 0.003, 0.009):
        transport.pass_by(0.05)
        transport.now += late
        line = leader.line()
        assert line.seconds_at(0.0) == pytest.approx(50.0, abs=1e-4)
        transport.now -= late


def test_without_a_master_beats_are_counted_in_the_own_tempo(leader, transport):
    transport.word, transport.frame = "rolling", 3 * RATE
    assert leader.line().tempo_bpm == 100.0
    assert leader.line().beat_at(transport.now) == pytest.approx(5.0)
    leader.propose(120.0)
    assert leader.line().beat_at(transport.now) == pytest.approx(6.0)


def test_while_it_stands_beats_go_on_in_the_last_tempo(leader, transport):
    transport.tempo_bpm, transport.word = 120.0, "rolling"
    before = leader.line()
    transport.word = "stopped"
    transport.pass_by(10.0)
    assert leader.line() == before
    assert leader.state(0.0) is ClockState.WAITING


def test_another_place_is_another_song(leader, transport):
    transport.tempo_bpm, transport.word = 120.0, "rolling"
    first = leader.line().song
    transport.pass_by(3.0)
    assert leader.line().song == first
    transport.frame = 0  # at the end of a loop
    assert leader.line().song == first + 1
    transport.word = "stopped"
    transport.pass_by(2.0)
    transport.word = "rolling"
    assert leader.line().song == first + 2


def test_a_server_that_goes_away_is_counted_once(leader, transport):
    transport.tempo_bpm, transport.word = 120.0, "rolling"
    before = leader.line()
    transport.word = "gone"
    for _ in range(3):
        assert leader.state(0.0) is ClockState.DROPOUT
        assert leader.line() == before
    assert transport.counts == {"clock_dropouts": 1}
