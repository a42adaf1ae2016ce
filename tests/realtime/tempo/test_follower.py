"""A MIDI clock is followed: tempo, beats, start, song position, loops, losses; no test waits."""

import pytest

from struck.realtime.tempo.follower import CONTINUE, SONG_POSITION, START, STOP, ClockFollower
from struck.realtime.tempo.leader import ClockState

from .midi_master import JITTERS, Master, gauss, in_periods

TWO_BARS = 192


@pytest.mark.parametrize("jitter", JITTERS)
@pytest.mark.parametrize("tempo", [60.0, 120.0, 174.0])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_tempo_and_beat_after_two_bars(tempo, jitter, seed):
    master = Master(tempo, jitter, seed=seed)
    master.say(START)
    master.clock(TWO_BARS)
    for clock in range(TWO_BARS, TWO_BARS + 100):
        master.clock()
        assert master.follower.line().tempo_bpm == pytest.approx(tempo, rel=1e-3)
        assert abs(master.off_seconds((clock + 1) / 24)) < 0.002
    assert master.follower.state(master.last) is ClockState.LOCKED


@pytest.mark.parametrize("jitter", JITTERS)
@pytest.mark.parametrize(("before", "after"), [(120.0, 126.0), (120.0, 114.0), (100.0, 180.0), (140.0, 70.0)])
def test_a_change_of_tempo_is_followed(before, after, jitter):
    master = Master(before, jitter)
    master.say(START)
    master.clock(300)
    changed, master.tempo_bpm = master.now, after
    clock = 300
    while master.now < changed + 0.8:
        master.clock()
        clock += 1
    for _ in range(200):
        assert abs(master.off_seconds(clock / 24)) < 0.003
        assert master.follower.line().tempo_bpm == pytest.approx(after, rel=0.01)
        master.clock()
        clock += 1
    assert master.follower.line().tempo_bpm == pytest.approx(after, rel=1e-3)


def test_the_clock_after_start_is_beat_0():
    master = Master()
    master.clock(61)  # of a clock that runs before the song does
    master.say(START)
    began = master.now
    master.clock()
    line = master.follower.line()
    assert line.seconds_at(0.0) == pytest.approx(began, abs=1e-6)
    master.clock(30)
    assert master.follower.line().seconds_at(0.0) == pytest.approx(began, abs=1e-6)


def test_a_clock_that_begins_anew_with_the_song_does():
    """Senders that let the clock run while stopped may begin it anew with the first beat."""
    master = Master()
    master.say(START)
    master.clock(200)
    master.say(STOP)
    master.clock(50)
    master.now += 0.4 * master.interval
    master.say(START)
    began = master.now
    master.clock()
    assert master.follower.line().seconds_at(0.0) == pytest.approx(began, abs=1e-6)
    assert master.follower.line().tempo_bpm == pytest.approx(120.0, rel=1e-6)


def test_a_clock_that_comes_only_with_the_song_begins_on_its_beat():
    master = Master()
    for _ in range(2):
        master.say(START)
        began = master.now
        master.clock(100)
        assert master.follower.line().seconds_at(0.0) == pytest.approx(began, abs=1e-6)
        master.say(STOP)
        master.now += 7.77
        assert master.follower.state(master.now) is ClockState.WAITING
    assert "clock_dropouts" not in master.counts


def test_continue_goes_on_where_stop_was():
    master = Master()
    master.say(START)
    master.clock(100)
    master.say(STOP)
    master.clock(37)
    master.say(CONTINUE)
    at = master.now
    master.clock(5)
    assert master.follower.line().beat_at(at) == pytest.approx(100 / 24, abs=1e-6)


def test_continue_goes_on_at_a_song_position():
    master = Master()
    master.clock(50)
    master.say(SONG_POSITION, 5, 1)  # sixteenth 133
    master.say(CONTINUE)
    at = master.now
    master.clock(40)
    assert master.follower.line().beat_at(at) == pytest.approx(133 / 4, abs=1e-6)


def test_start_is_the_beginning_whatever_the_song_position_was():
    master = Master()
    master.clock(50)
    master.say(SONG_POSITION, 32, 0)
    master.say(START)
    at = master.now
    master.clock(40)
    assert master.follower.line().beat_at(at) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("late", [0, 1])
def test_live_sends_a_song_position_at_the_end_of_a_loop(late):
    """Four bars round and round: the position may come on either side of its clock."""
    master = Master()
    master.say(START)
    songs = set()
    for _ in range(3):
        began = master.now
        master.clock(late)
        master.say(SONG_POSITION, 0, 0)
        master.clock(16 * 24 - late)
        line = master.follower.line()
        assert line.beat_at(began) == pytest.approx(0.0, abs=1e-6)
        songs.add(line.song)
    assert len(songs) == 3


def test_bitwig_stops_and_starts_at_the_end_of_a_loop():
    master = Master()
    master.say(START)
    for command in (CONTINUE, START):
        master.clock(4 * 96)
        master.say(STOP)
        master.say(SONG_POSITION, 0, 0)
        master.say(command)
        began = master.now
        master.clock(1)
        assert master.follower.line().beat_at(began) == pytest.approx(0.0, abs=1e-6)
        assert master.follower.state(master.last) is ClockState.LOCKED


@pytest.mark.parametrize("jitter", JITTERS)
def test_a_lost_clock_goes_on_and_is_found_again(jitter):
    master = Master(120.0, jitter)
    master.say(START)
    master.clock(TWO_BARS)
    lost = 96  # 2 s
    master.clock(lost, lost=True)
    assert master.follower.state(master.now) is ClockState.DROPOUT
    assert master.follower.state(master.now) is ClockState.DROPOUT
    assert abs(master.off_seconds((TWO_BARS + lost) / 24)) < 0.005
    master.clock(50)
    assert master.follower.state(master.last) is ClockState.LOCKED
    assert abs(master.off_seconds((TWO_BARS + lost + 50) / 24)) < 0.002
    assert master.counts == {"clock_dropouts": 1}


@pytest.mark.parametrize("frames", [512, 1_024])
@pytest.mark.parametrize("tempo", [60.0, 100.0, 120.0, 126.0, 174.0])
def test_clocks_that_come_in_long_periods_are_counted_right(tempo, frames):
    """JACK's periods of 512 and more are half a clock long: arrivals are off in turn, by a slow sawtooth."""
    period = frames / 48_000
    for seed in range(4):
        master = Master(tempo, in_periods(period), seed=seed)
        master.follower.expect("port", lambda: period)
        master.say(START)
        master.clock(TWO_BARS)
        for clock in range(TWO_BARS, TWO_BARS + 200):
            master.clock()
            assert abs(master.off_seconds((clock + 1) / 24)) < 0.4 * period
            assert master.follower.line().tempo_bpm == pytest.approx(tempo, rel=0.005)
        assert "clock_jumps" not in master.counts


def test_a_change_is_followed_in_long_periods_too():
    for seed in range(4):
        master = Master(120.0, in_periods(512 / 48_000), seed=seed)
        master.follower.expect("port", lambda: 512 / 48_000)
        master.say(START)
        master.clock(300)
        master.tempo_bpm = 126.0
        master.clock(40)  # 0.8 s
        for clock in range(340, 500):
            master.clock()
            assert abs(master.off_seconds((clock + 1) / 24)) < 0.005


@pytest.mark.parametrize("stall", [0.0208, 0.03, 0.0625])
def test_a_server_that_loses_blocks_loses_no_clock(stall):
    """JACK's time stands still, and the master's with it: the beats are where they were in the stream."""
    master = Master(120.0, in_periods(256 / 48_000))
    stands = [7.0]
    master.follower.expect("port", lambda: 256 / 48_000, lambda: stands[0])
    master.say(START)
    master.clock(TWO_BARS)
    master.now += stall
    stands[0] += stall
    for clock in range(TWO_BARS, 2 * TWO_BARS):
        master.clock()
        assert abs(master.off_seconds((clock + 1) / 24)) < 0.002
    assert master.follower.state(master.last) is ClockState.LOCKED
    assert master.counts == {}


@pytest.mark.parametrize("jitter", JITTERS)
@pytest.mark.parametrize("lost", [1, 2, 5])
def test_single_clocks_that_are_lost_do_not_shift_the_beat(lost, jitter):
    master = Master(120.0, jitter)
    master.say(START)
    master.clock(TWO_BARS)
    master.clock(lost, lost=True)
    master.clock(48)
    assert abs(master.off_seconds((TWO_BARS + lost + 48) / 24)) < 0.002
    assert master.follower.line().tempo_bpm == pytest.approx(120.0, rel=1e-3)


def test_a_busy_moment_moves_nothing():
    """Three clocks come late, at once, as when the machine was busy."""
    master = Master(120.0)
    master.say(START)
    master.clock(TWO_BARS)
    at = master.now + 2.5 * master.interval
    for _ in range(3):
        master.follower.receive(master.sender, at, b"\xf8")
        master.now += master.interval
    master.clock(3)
    assert abs(master.off_seconds((TWO_BARS + 6) / 24)) < 0.001


@pytest.mark.parametrize("jitter", JITTERS)
@pytest.mark.parametrize("part", [0.5, 2.0 / 3.0, 10.5])
def test_a_clock_that_jumps_is_followed_from_where_it_is(part, jitter):
    """A sender that was held up for a part of a clock, or for some, and says nothing of it."""
    master = Master(120.0, jitter)
    master.say(START)
    master.clock(TWO_BARS)
    master.now += part * master.interval
    master.clock(TWO_BARS)
    assert master.follower.state(master.last) is ClockState.LOCKED
    assert master.follower.line().tempo_bpm == pytest.approx(120.0, rel=1e-3)
    # The clocks are on its line again; which of them is the beat nobody could know.
    line = master.follower.line()
    clocks = (line.beat_at(master.now) * 24.0 + 0.5) % 1.0 - 0.5
    assert abs(clocks) * master.interval < 0.002


def test_clocks_that_come_twice_are_left_out_and_move_nothing():
    lines = []
    master = Master(120.0)
    master.follower = ClockFollower(count=master.count, tell=lines.append)
    master.say(START)
    master.clock(TWO_BARS)
    for _ in range(2):
        master.follower.receive(master.sender, master.last, b"\xf8")
    for clock in range(TWO_BARS, 2 * TWO_BARS):
        assert abs(master.off_seconds(clock / 24)) < 0.002
        master.clock()
    assert master.counts == {"clock_ignored": 2}
    assert lines == []


def test_clocks_that_come_twice_at_first_are_told_counted_and_taken_out():
    lines = []
    master = Master(120.0)
    master.follower = ClockFollower(count=master.count, tell=lines.append)
    master.say(START)
    master.clock(60)
    for _ in range(2):
        master.follower.receive(master.sender, master.last, b"\xf8")
    master.clock(TWO_BARS)
    assert abs(master.off_seconds((60 + TWO_BARS) / 24)) < 0.002
    assert master.counts == {"clock_jumps": 1}
    assert lines == ["the MIDI clock jumped: 2 clocks too many"]


@pytest.mark.parametrize("jitter", [None, gauss])
@pytest.mark.parametrize("other_bpm", [60.0, 90.0, 120.0, 121.0, 174.0, 240.0])
def test_of_two_masters_at_one_input_the_first_is_followed(other_bpm, jitter):
    lines = []
    first = Master(120.0, jitter)
    first.follower = ClockFollower(count=first.count, tell=lines.append)
    first.say(START)
    first.clock(TWO_BARS)
    second = Master(other_bpm, jitter, follower=first.follower, seed=2)
    second.now = first.now + 0.3 * first.interval
    for clock in range(TWO_BARS, 4 * TWO_BARS):
        while second.now < first.now:
            second.clock()
        first.clock()
        assert abs(first.off_seconds((clock + 1) / 24)) < 0.004
    assert first.follower.state(first.last) is ClockState.LOCKED
    assert lines == ["two MIDI clocks come in at port; the first is followed"]
    # the second goes on alone
    left = second.now
    second.clock(4 * TWO_BARS)
    assert second.now > left
    assert first.follower.line().tempo_bpm == pytest.approx(other_bpm, rel=0.01)


def test_two_masters_that_begin_together_are_told():
    lines = []
    first = Master(120.0)
    first.follower = ClockFollower(count=first.count, tell=lines.append)
    second = Master(90.0, follower=first.follower)
    second.now += 0.005
    for _ in range(TWO_BARS):
        while second.now < first.now:
            second.clock()
        first.clock()
    assert lines == ["two MIDI clocks come in at port; neither can be followed"]


def test_states():
    master = Master()
    follower = master.follower
    assert follower.state(0.0) is ClockState.OFF
    assert follower.describe(0.0) == ""
    assert follower.line() is None
    master.say(START)
    assert follower.state(master.now) is ClockState.WAITING
    master.clock(10)
    assert follower.state(master.last) is ClockState.WAITING
    assert follower.describe(master.last) == "clock waiting"
    assert follower.line() is None
    master.clock(15)
    assert follower.describe(master.last) == "clock locked 120.0 bpm"
    assert follower.describe(master.last + 1.0) == "clock dropout 120.0 bpm"


def test_the_first_of_two_masters_is_followed_until_it_is_lost():
    lines = []
    first = Master(120.0)
    first.follower = ClockFollower(count=first.count, tell=lines.append)
    second = Master(90.0, sender="other", follower=first.follower)
    first.say(START)
    for _ in range(60):
        first.clock()
        if second.now < first.now:
            second.clock()
    assert first.follower.line().tempo_bpm == pytest.approx(120.0)
    assert first.counts["clock_ignored"] > 30
    assert lines == ["two MIDI inputs send a clock; the first is followed"]
    second.now = first.now + 1.0
    song = first.follower.line().song
    second.clock(60)
    assert first.follower.line().tempo_bpm == pytest.approx(90.0)
    assert first.follower.line().song != song


def answering_clock():
    """A follower that tells, and a master whose messages go to it; what is told."""
    lines = []
    master = Master(120.0)
    master.follower = ClockFollower(count=master.count, tell=lines.append)
    return master, lines


def test_our_own_clock_that_comes_back_from_its_start_on_is_not_followed():
    master, lines = answering_clock()
    master.follower.note_sent(master.now - 0.005, bytes((START,)))
    master.say(START)
    master.clock(100)
    assert master.follower.line() is None
    assert master.follower.state(master.last) is ClockState.OFF
    assert lines == ["MIDI in port sends back the clock that goes out; it is not followed"]
    assert master.counts == {"clock_ignored": 101}


def test_our_own_clock_that_comes_back_in_its_middle_is_let_go_with_its_stop():
    """It is followed at first; so ours ends, and that comes back."""
    master, lines = answering_clock()
    master.clock(60)
    assert master.follower.state(master.last) is ClockState.LOCKED
    master.follower.note_sent(master.now - 0.005, bytes((STOP,)))
    master.say(STOP)
    assert master.follower.state(master.last) is ClockState.OFF
    master.follower.note_sent(master.now + 0.4, bytes((START,)))
    master.now += 0.41
    master.say(START)
    master.clock(60)
    assert master.follower.line() is None
    assert len(lines) == 1


def test_who_answered_leads_once_it_starts_by_itself():
    master, _ = answering_clock()
    master.follower.note_sent(master.now - 0.005, bytes((START,)))
    master.say(START)
    master.clock(60)
    master.say(STOP)
    master.now += 3.0
    master.say(START)
    master.clock(60)
    assert master.follower.state(master.last) is ClockState.LOCKED
    assert master.follower.line().tempo_bpm == pytest.approx(120.0)


def test_a_storm_of_starts_and_stops_ends_where_the_last_says():
    master, lines = answering_clock()
    master.clock(60)
    for number in range(1_000):
        for message in ((START,), (STOP,), (CONTINUE,), (SONG_POSITION, number % 128, 3)):
            master.say(*message)
        if number % 50 == 0:
            master.clock()
    master.say(STOP)
    master.say(SONG_POSITION, 16, 0)
    master.say(CONTINUE)
    at = master.now
    master.clock(60)
    line = master.follower.line()
    assert line.beat_at(at) == pytest.approx(4.0, abs=1e-6)
    assert line.tempo_bpm == pytest.approx(120.0, rel=1e-3)
    assert line.song < 100  # a song is one that has had a clock
    assert lines == []
    assert master.counts == {}


def test_the_offset_moves_every_beat():
    master = Master(follower=ClockFollower(-0.012))
    master.say(START)
    began = master.now
    master.clock(50)
    assert master.follower.line().seconds_at(0.0) == pytest.approx(began - 0.012, abs=1e-6)


def test_clocks_without_time_between_them_are_no_tempo():
    follower = ClockFollower()
    for _ in range(300):
        follower.receive("port", 7.0, b"\xf8")
    assert follower.line() is None
    assert follower.state(7.0) is ClockState.WAITING
