"""A MIDI input on a JACK server: every message whole, with its frame in the period."""

import time

import numpy as np
import pytest
from numba import config

from struck.realtime.devices.jack import load_jack
from struck.realtime.midi import jack_input as module
from struck.realtime.midi.arrival import ArrivalClock
from struck.realtime.midi.connections import close_client
from struck.realtime.midi.ports import import_rtmidi

from ..rig.clock_master import clock_master
from ..rig.jack_rig import jack_server, may_be_realtime

pytestmark = [
    pytest.mark.jack,
    pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer"),
]
BLOCK, RATE = 1_024, 48_000


@pytest.fixture
def server():
    with jack_server(RATE, BLOCK, may_be_realtime()) as running:
        yield running


@pytest.fixture
def port(server):
    library = load_jack()
    assert library is not None
    found = module.JackMidiInput(library, "ears")
    found.open_virtual_port("in")
    yield found
    found.close_port()
    found.delete()


@pytest.fixture
def sender(server):
    pytest.importorskip("rtmidi", reason="python-rtmidi is not installed (make live)")
    rtmidi = import_rtmidi()
    client = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name="mouth")
    client.open_virtual_port("out")
    yield client
    close_client(client)


def take(port, count, seconds=20.0):
    """So many messages, each with the time from period to period and its offset."""
    found = []
    end = time.monotonic() + seconds
    while len(found) < count and time.monotonic() < end:
        message = port.get_message()
        if message is None:
            time.sleep(0.005)
        else:
            found.append((*message, port.offset_seconds))
    return found


def test_messages_of_all_lengths_come_whole_and_in_their_order(server, port, sender):
    server.connect("mouth:out", "ears:in")
    time.sleep(0.1)
    sent = [bytes((0xF8,)), bytes((0x90, 60, 100)), bytes((0xC0, 7))]
    sent += [bytes((0xF0, *[n % 128 for n in range(size - 2)], 0xF7)) for size in (6, 7, 12, 13, 164, 180)]
    for message in sent:
        sender.send_message(list(message))
    assert [data for data, _, _ in take(port, len(sent))] == sent


def test_what_is_too_long_is_left_out_and_what_follows_is_not(server, port, sender):
    server.connect("mouth:out", "ears:in")
    time.sleep(0.1)
    sender.send_message([0xF0, *[1] * 300, 0xF7])
    sender.send_message([0x80, 60, 0])
    assert [data for data, _, _ in take(port, 1)] == [bytes((0x80, 60, 0))]


def test_a_sender_that_puts_all_at_the_periods_beginning_is_known_to_a_period(server, port, sender):
    server.connect("mouth:out", "ears:in")
    time.sleep(0.1)
    for _ in range(5):
        sender.send_message([0x90, 60, 100])
        time.sleep(0.05)
    found = take(port, 5)
    assert [offset for _, _, offset in found] == [0.0] * 5
    assert port.step_seconds == pytest.approx(BLOCK / RATE)
    periods = np.array([delta for _, delta, _ in found[1:]]) * RATE / BLOCK
    np.testing.assert_allclose(periods, np.round(periods), atol=0.1)


def test_clocks_within_a_period_have_their_frames(server, port):
    with clock_master(server, 120.0, "ears:in") as master:
        master.roll()
        found = take(port, 100)
    assert port.step_seconds == 0.0
    device = np.cumsum([delta for _, delta, _ in found]) + [offset for _, _, offset in found]
    clocks = [at for at, (data, _, _) in zip(device, found, strict=True) if data == b"\xf8"]
    assert len(clocks) > 90
    # JACK's clock may jump by what a busy machine has lost; a clock in between is then longer
    intervals = np.diff(clocks)
    assert np.median(np.abs(intervals - 1 / 48)) <= 0.0005


def test_arrivals_keep_the_frames_although_they_are_read_late():
    clock = ArrivalClock()
    found = []
    for period in range(200):
        for offset in (0.002, 0.011, 0.020):
            late = 0.0004 + 0.003 * ((period * 7919) % 13) / 13
            delta = BLOCK / RATE if offset == 0.002 and period else 0.0
            found.append(clock.arrival(delta, 5.0 + period * BLOCK / RATE + late, offset))
    expected = [5.0 + p * BLOCK / RATE + offset for p in range(200) for offset in (0.002, 0.011, 0.020)]
    error = np.array(found[90:]) - expected[90:]
    assert np.ptp(error) < 1e-6
    assert 0.0 <= error.min() < 0.001
