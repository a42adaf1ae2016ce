"""What goes out and comes in again is found to be a loop; a player's own notes are not."""

from collections import Counter

from struck.realtime.midi.echoes import EchoGuard


class Rig:
    def __init__(self):
        self.counts, self.lines = Counter(), []
        self.guard = EchoGuard(lambda name: self.counts.update([name]), self.lines.append)

    def send(self, seconds, *message):
        self.guard.note_sent(seconds, bytes(message))

    def refuses(self, seconds, *message, source="keys"):
        return self.guard.refuses(source, seconds, bytes(message))

    def turn(self, number, delay=0.01):
        """A note goes out on the next channel, and comes back."""
        message = (0x91 + number % 15, 60, 100)
        self.send(0.02 * number, *message)
        return self.refuses(0.02 * number + delay, *message)


def test_a_loop_is_told_once_and_heard_no_more():
    rig = Rig()
    assert [rig.turn(number) for number in range(20)] == [False] * 7 + [True] * 13
    assert rig.lines == ["MIDI in keys sends back what goes out: a MIDI loop; that is played no more"]
    assert rig.counts == {"midi_echoes": 13}


def test_a_players_notes_are_heard_meanwhile_and_another_input_is_another():
    rig = Rig()
    for number in range(20):
        rig.turn(number)
    assert not rig.refuses(0.5, 0x90, 64, 80)
    rig.send(0.5, 0x95, 60, 100)
    assert not rig.refuses(0.51, 0x95, 60, 100, source="pads")


def test_once_it_was_opened_it_is_found_anew():
    rig = Rig()
    for number in range(10):
        rig.turn(number)
    assert [rig.turn(number) for number in range(1_000, 1_010)] == [False] * 7 + [True] * 3
    assert len(rig.lines) == 2


def test_a_sequencer_that_repeats_a_note_is_no_loop():
    """Its notes go out on channels that are chosen here, one after the other."""
    rig = Rig()
    for step in range(200):
        at = 0.125 * step
        assert not rig.refuses(at, 0x90, 60, 127)
        rig.send(at + 0.003, 0x91 + step % 15, 60, 127)
        assert not rig.refuses(at + 0.06, 0x80, 60, 0)
        rig.send(at + 0.07, 0x81 + step % 15, 60, 64)
    assert rig.lines == []


def test_what_comes_back_late_or_altered_or_in_between_is_no_echo():
    rig = Rig()
    for number in range(40):
        assert not rig.turn(number, delay=0.6)
    for number in range(100, 140):
        rig.send(0.02 * number, 0x92, 60, 100)
        assert not rig.refuses(0.02 * number + 0.01, 0x92, 60, 99)
    for number in range(200, 240):
        assert not rig.turn(number)
        if number % 7 == 6:
            rig.refuses(0.02 * number, 0x90, 50, 64)
    assert rig.lines == []


def test_what_sets_up_a_receiver_is_said_by_others_too():
    rig = Rig()
    zone = [(0xB0, 101, 0), (0xB0, 100, 6), (0xB0, 6, 15)]
    for _ in range(10):
        for message in zone:
            rig.send(0.0, *message)
        assert not any(rig.refuses(0.1, *message) for message in zone)
    assert rig.lines == []


def test_in_a_loop_bends_and_controllers_are_not_heard_either():
    rig = Rig()
    for number in range(10):
        rig.turn(number)
    rig.send(0.3, 0xE1, 0, 70)
    assert rig.refuses(0.31, 0xE1, 0, 70)
    assert not rig.refuses(0.31, 0xE1, 0, 71)


def test_what_is_remembered_is_bounded_and_clocks_are_nobodys_echo():
    rig = Rig()
    for number in range(100_000):
        rig.send(0.0, 0x90, number % 128, 1 + number % 127)
        rig.send(0.0, 0xF8)
    assert len(rig.guard._sent) <= 4_096
    assert not any(rig.refuses(0.001, 0xF8) for _ in range(20))
