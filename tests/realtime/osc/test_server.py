"""The OSC server and sender over real sockets on this machine, also against liblo's own tools."""

import shutil
import socket
import struct
import subprocess
import threading
import time

import numpy as np
import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.descriptors import read_descriptors
from struck.codec.events.errors import StruckError
from struck.realtime.osc import namespace as osc
from struck.realtime.osc.addresses import parse_address, resolve
from struck.realtime.osc.packets import write_bundle, write_message
from struck.realtime.osc.sender import QUEUE_EVENTS, OscSender
from struck.realtime.osc.server import OscServer
from struck.realtime.osc.time_tags import TimeTags
from struck.realtime.stage.soundings import SoundingAmendment, SoundingEnd

from .osc_host import WEIGHTS, FakeClock, FakeStage, Sounding, make_event, udp_socket


class RealClock(FakeClock):
    """A stream that began 100 s ago."""

    def __init__(self):
        self.began = time.monotonic() - 100.0

    def position_samples(self):
        return self.sample_at(time.monotonic())

    def sample_at(self, monotonic_seconds):
        return round((monotonic_seconds - self.began) * self.rate)

    def monotonic_at(self, at_sample):
        return at_sample / self.rate + self.began


@pytest.fixture
def stage():
    return FakeStage(RealClock())


@pytest.fixture
def server(stage):
    with OscServer(stage, stage.clock, port=0, latency=lambda: {"hop": 0.046}) as server:
        yield server


@pytest.fixture
def peer():
    with udp_socket() as peer:
        yield peer


def receive(peer):
    """Address and arguments of the next message, or the bundle it comes in."""
    packet = peer.recv(65_536)
    if packet.startswith(b"#bundle"):
        return OscBundle(packet)
    message = OscMessage(packet)
    return message.address, message.params


def wait_until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def sounding(stage, number=1, origin="heard", seed=1, ahead_seconds=0.2):
    onset_seconds = stage.clock.position_samples() / 48_000 + ahead_seconds
    return Sounding(number, make_event(seed, onset_seconds), origin)


# ---- addresses -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("9000", ("localhost", 9000)),
        (":9000", ("localhost", 9000)),
        ("0.0.0.0:9000", ("0.0.0.0", 9000)),
        ("studio.local:57120", ("studio.local", 57120)),
        ("[::1]:9000", ("::1", 9000)),
        (" [fe80::1%eth0]:1 ", ("fe80::1%eth0", 1)),
        ("[]:5", ("localhost", 5)),
    ],
)
def test_addresses(text, address):
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "host:-1", "host:65536", "host:9k", "::1:9000", ":", "host:٣"]
)
def test_bad_addresses(text):
    with pytest.raises(StruckError, match="address"):
        parse_address(text)


def test_another_default_host():
    assert parse_address("9000", "0.0.0.0") == ("0.0.0.0", 9000)


def test_a_port_in_use_is_one_line(stage, server):
    with pytest.raises(StruckError, match=r"cannot listen for OSC on 127.0.0.1:\d+: ") as error:
        OscServer(stage, stage.clock, *server.address)
    assert "\n" not in str(error.value)


def test_an_unknown_host_is_one_line(stage):
    with pytest.raises(StruckError, match="not known"):
        OscServer(stage, stage.clock, "no-such-host.invalid", 0)
    with pytest.raises(StruckError, match="not known"):
        OscSender(stage, [("no-such-host.invalid", 9)])


def test_the_port_is_free_after_close(stage):
    server = OscServer(stage, stage.clock, port=0).start()
    address = server.address
    server.close()
    OscServer(stage, stage.clock, *address).close()


def test_ipv6(stage):
    try:
        server = OscServer(stage, stage.clock, "::1", 0)
    except StruckError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with server, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
        peer.settimeout(5.0)
        peer.sendto(write_message(osc.PING), server.address)
        assert receive(peer) == ("/struck/pong", [])
        peer.sendto(write_message(osc.SUBSCRIBE), server.address)
        assert receive(peer)[0] == "/struck/subscribed"
        assert receive(peer)[0] == "/struck/latency"
        with OscSender(stage, server=server) as sender:
            sender(sounding(stage))
            assert receive(peer).content(0).address == "/struck/event"


LOOPBACKS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def listening(family, host, port=0):
    """A socket at an address, or the test is skipped where there is none such."""
    peer = socket.socket(family, socket.SOCK_DGRAM)
    try:
        peer.bind((host, port))
    except OSError as error:
        peer.close()
        pytest.skip(f"cannot listen at {host}: {error}")
    peer.settimeout(5.0)
    return peer


def test_localhost_is_both_loopbacks_whatever_the_resolver_says(monkeypatch):
    real = socket.getaddrinfo

    def only_ipv6(host, *args, **options):
        return real("::1" if host == "localhost" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", only_ipv6)
    assert [(family, peer[0]) for family, peer in resolve("localhost", 9000)] == LOOPBACKS


@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_a_server_at_localhost_answers_at_every_loopback_address(stage, family, host):
    with OscServer(stage, stage.clock, "localhost", 0) as server, listening(family, host) as peer:
        port = server.address[1]
        peer.sendto(write_message(osc.PING), (host, port))
        assert receive(peer) == ("/struck/pong", [])
        assert server.is_own((host, port))


def test_a_server_at_localhost_where_there_is_no_ipv6(stage, monkeypatch):
    real = socket.socket

    def only_ipv4(family=socket.AF_INET, *args, **options):
        if family == socket.AF_INET6:
            raise OSError(97, "Address family not supported by protocol")
        return real(family, *args, **options)

    monkeypatch.setattr(socket, "socket", only_ipv4)
    with OscServer(stage, stage.clock, "localhost", 0) as server, udp_socket() as peer:
        peer.sendto(write_message(osc.PING), server.address)
        assert receive(peer) == ("/struck/pong", [])


@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_a_target_at_localhost_is_found_at_the_address_where_it_listens(stage, family, host):
    with listening(family, host) as peer:
        with OscSender(stage, [("localhost", peer.getsockname()[1])]) as sender:
            for number in range(5):
                sender(sounding(stage, number))
            numbers = [receive(peer).content(0).params[0] for _ in range(5)]
        assert numbers == list(range(5))
        assert stage.counters["osc_sent"] == 5
        assert stage.lines == []


def test_a_target_that_listens_at_both_addresses_gets_each_event_once(stage):
    with (
        listening(socket.AF_INET, "127.0.0.1") as first,
        listening(socket.AF_INET6, "::1", first.getsockname()[1]) as second,
    ):
        with OscSender(stage, [("localhost", first.getsockname()[1])]) as sender:
            sender(sounding(stage, 7))
        assert receive(first).content(0).params[0] == 7
        second.settimeout(0.05)
        with pytest.raises(TimeoutError):
            receive(second)


# ---- in ------------------------------------------------------------------------------------------------


def test_messages_arrive(stage, server, peer):
    peer.sendto(write_message(osc.CONTROL, 0.5, name="room_mix"), server.address)
    peer.sendto(write_message(osc.PANIC), server.address)
    peer.sendto(write_message(osc.PING), server.address)
    assert receive(peer) == ("/struck/pong", [])
    assert stage.set == [("room_mix", 0.5)]
    assert stage.panics == 1


@pytest.mark.wall_clock
def test_a_deferred_message_is_done_in_time(stage, server, peer):
    late_seconds = []
    for number in range(5):
        at_seconds = time.monotonic() + 0.15
        bundle = write_bundle(
            TimeTags().from_monotonic(at_seconds), [write_message(osc.CONTROL, 0.5, name="room_mix")]
        )
        peer.sendto(bundle, server.address)
        wait_until(lambda number=number: len(stage.set) > number)
        late_seconds.append(time.monotonic() - at_seconds)
    assert 0.0 <= min(late_seconds) < 0.1  # a busy machine may hold up some


def test_stats_and_latency_are_answered(stage, server, peer):
    peer.sendto(write_message(osc.STATS), server.address)
    assert "/struck/stats/load_unit" in [message.address for message in receive(peer)]
    peer.sendto(write_message(osc.LATENCY), server.address)
    assert receive(peer) == ("/struck/latency", ["hop", pytest.approx(0.046)])


def test_a_flood_ends_nothing(stage, server, peer):
    message = write_message(osc.CONTROL, 0.5, name="room_mix")
    total = 50_000
    threads = threading.active_count()
    began = time.monotonic()
    for _ in range(total):
        peer.sendto(message, server.address)
    seconds = time.monotonic() - began
    wait_until(lambda: _answers(peer, server))
    # What the system dropped is unknown; everything else was counted once.
    assert stage.counters["osc_rejected"] == 0
    wait_until(lambda: 1 <= stage.counters["osc_accepted"] - len(stage.set) <= 25)  # the pings
    assert 2_000 < stage.messages <= total + 100
    assert stage.counters["osc_dropped"] > 0
    assert len(stage.set) <= 1_000 + 2_000 * (seconds + 2.0)
    assert threading.active_count() == threads


def _answers(peer, server):
    peer.settimeout(0.2)
    peer.sendto(write_message(osc.PING), server.address)
    try:
        return receive(peer) == ("/struck/pong", [])
    except TimeoutError:
        return False


def test_garbage_and_empty_packets_are_counted(stage, server, peer):
    for packet in (b"", b"garbage", b"#bundle\0", bytes(60_000)):
        peer.sendto(packet, server.address)
    assert _answers(peer, server)
    assert stage.counters["osc_rejected"] == 4


# ---- out -----------------------------------------------------------------------------------------------


@pytest.mark.wall_clock
def test_an_event_goes_to_a_target(stage, peer):
    event = sounding(stage, 7)
    with OscSender(stage, [peer.getsockname()]) as sender:
        sender(event)
        bundle = receive(peer)
    (message,) = bundle
    heard = read_descriptors(WEIGHTS, event.event)
    assert message.address == "/struck/event"
    assert message.params[:2] == [7, pytest.approx(event.event.gain_db)]
    numbers = [heard.pitch_hz, heard.brightness, heard.attack_seconds, heard.decay_seconds, heard.noisiness]
    assert message.params[2:7] == pytest.approx(numbers, rel=1e-6)
    assert message.params[7] == heard.room
    assert message.params[8] == struct.pack(">32f", *event.event.vector)
    # python-osc reads a time tag as the wall clock's time.
    ahead_seconds = bundle.timestamp - time.time()
    wanted = stage.clock.monotonic_at(event.at_sample) - time.monotonic()
    assert ahead_seconds == pytest.approx(wanted, abs=0.005)
    assert stage.counters["osc_sent"] == 1


def test_what_an_event_becomes_goes_to_a_target(stage, peer):
    event = sounding(stage, 7)
    amendment = Amendment.of_fields(7, 2.5, {"pitch": 60.0, "decay": 2.0}, gain_db=-12.0)
    at_sample = event.at_sample + 24_000
    with OscSender(stage, [peer.getsockname()]) as sender:
        sender(SoundingAmendment(7, amendment, amendment.apply(event.event), at_sample, "heard"))
        amended = receive(peer)
        sender(SoundingEnd(7, End(7, 3.0), at_sample + 24_000, "heard"))
        ended = receive(peer)
    (message,) = amended
    assert message.address == "/struck/amend"
    assert message.params[:4] == [7, "gain_db", -12.0, "pitch"]
    assert message.params[4:] == [pytest.approx(60.0, abs=1e-3), "decay", pytest.approx(2.0, rel=1e-4)]
    (message,) = ended
    assert (message.address, message.params) == ("/struck/end", [7])
    assert ended.timestamp - amended.timestamp == pytest.approx(0.5, abs=1e-3)


def test_an_event_sent_by_one_host_is_played_by_another(stage, server):
    elsewhere = FakeStage(stage.clock)
    event = sounding(elsewhere)
    with OscSender(elsewhere, [server.address]) as sender:
        sender(event)
        wait_until(lambda: stage.played)
    (played,) = stage.played
    assert abs(played.onset_sample(48_000) - event.at_sample) <= 1
    np.testing.assert_array_equal(played.vector, event.event.vector)


def test_several_subscribers_and_targets_from_the_servers_port(stage, server, peer):
    with udp_socket() as second, udp_socket() as target:
        for listener in (peer, second):
            listener.sendto(write_message(osc.SUBSCRIBE), server.address)
            assert receive(listener) == ("/struck/subscribed", [listener.getsockname()[1], 60.0])
            assert receive(listener)[0] == "/struck/latency"
        with OscSender(stage, [target.getsockname()], server) as sender:
            sender(sounding(stage, 1))
            for listener in (peer, second, target):
                packet, source = listener.recvfrom(65_536)
                assert source == server.address
                assert OscBundle(packet).content(0).params[0] == 1
            peer.sendto(write_message(osc.UNSUBSCRIBE), server.address)
            assert receive(peer) == ("/struck/subscribed", [peer.getsockname()[1], 0.0])
            sender(sounding(stage, 2))
            assert receive(second).content(0).params[0] == 2
            assert receive(target).content(0).params[0] == 2
    peer.settimeout(0.05)
    with pytest.raises(TimeoutError):
        receive(peer)
    assert stage.counters["osc_sent"] == 5


def test_events_that_came_by_osc_are_not_sent_on_unless_asked(stage, peer):
    for relays, first in ((False, 2), (True, 1)):
        with OscSender(stage, [peer.getsockname()], relays=relays) as sender:
            sender(sounding(stage, 1, "osc"))
            sender(sounding(stage, 2, "midi"))
            assert receive(peer).content(0).params[0] == first


def test_a_target_where_struck_listens_is_refused(stage, server):
    with pytest.raises(StruckError, match="come back"):
        OscSender(stage, [server.address], server)
    with pytest.raises(StruckError, match="come back"):
        OscSender(stage, [("0.0.0.0", server.address[1])], server)


def test_a_server_for_all_knows_its_own_addresses(stage):
    with OscServer(stage, stage.clock, "0.0.0.0", 0) as server:
        port = server.address[1]
        assert server.is_own(("127.0.0.1", port))
        assert not server.is_own(("127.0.0.1", port - 1))
        assert not server.is_own(("192.0.2.1", port))  # kept for documentation: nobody's


def test_a_loopback_server_does_not_send_abroad(stage):
    with OscServer(stage, stage.clock, "127.0.0.1", 0) as server:
        assert server.reaches(socket.AF_INET, ("127.0.0.1", 9))
        assert not server.reaches(socket.AF_INET, ("192.0.2.1", 9))
        assert not server.reaches(socket.AF_INET6, ("::1", 9, 0, 0))


def test_a_target_that_is_not_there_is_told_once_and_found_when_it_comes(stage):
    with udp_socket() as peer:
        address = peer.getsockname()
    with OscSender(stage, [address]) as sender:
        for number in range(20):
            sender(sounding(stage, number))
            time.sleep(0.002)
        wait_until(lambda: stage.counters["osc_unreachable"] > 1)
        assert len(stage.lines) == 1
        assert f"OSC to 127.0.0.1:{address[1]} is not received" in stage.lines[0]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(address)
            peer.settimeout(5.0)
            sender(sounding(stage, 99))
            numbers = []
            while 99 not in numbers:  # the queue may still hold earlier ones
                numbers.append(receive(peer).content(0).params[0])


def test_a_full_queue_drops_the_oldest(stage, peer):
    sender = OscSender(stage, [peer.getsockname()])
    event = sounding(stage)
    for _ in range(QUEUE_EVENTS + 10):  # before it is started, so that nobody empties the queue
        sender(event)
    sender.start()
    sender.close()
    assert stage.counters["osc_out_dropped"] == 10
    assert stage.counters["osc_sent"] + stage.counters["osc_unreachable"] == QUEUE_EVENTS


def test_closing_sends_what_is_queued(stage, peer):
    sender = OscSender(stage, [peer.getsockname()]).start()
    for number in range(20):
        sender(sounding(stage, number))
    sender.close()
    assert [receive(peer).content(0).params[0] for _ in range(20)] == list(range(20))


# ---- liblo's tools -------------------------------------------------------------------------------------


@pytest.fixture
def liblo():
    for tool in ("oscsend", "oscdump"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} of liblo-tools is not installed")


def test_oscsend_plays(stage, server, liblo):
    def send(*arguments):
        subprocess.run(["oscsend", "127.0.0.1", str(server.address[1]), *arguments], check=True, timeout=10)

    send("/struck/control/room_mix", "f", "0.5")
    send("/struck/control/transpose", "i", "-12")
    send("/struck/patch", "s", "glass")
    send("/struck/phrase", "iis", "48", "100", "pad")
    send("/struck/event", "iffffffs" + "f" * 32, "1", "-12", *["0"] * 5, "dry", *["0.25"] * 32)
    send("/struck/panic")
    wait_until(lambda: stage.panics == 1)
    assert stage.set == [("room_mix", 0.5), ("transpose", -12.0)]
    assert stage.patches == ["glass"]
    assert stage.phrases == [(48, 100, "pad")]
    assert stage.played[0].gain_db == -12.0
    assert np.all(stage.played[0].vector == 0.25)
    wait_until(lambda: stage.counters["osc_accepted"] == 6)


def test_oscdump_reads(stage, liblo):
    with udp_socket() as reserved:
        port = reserved.getsockname()[1]
    dump = subprocess.Popen(["oscdump", "-L", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        with OscSender(stage, [("127.0.0.1", port)]) as sender:
            lines = []
            reader = threading.Thread(target=lambda: lines.append(dump.stdout.readline()), daemon=True)
            reader.start()
            event = sounding(stage, 5)
            end = time.monotonic() + 30.0
            while not lines and time.monotonic() < end:  # until it listens
                sender(event)
                time.sleep(0.05)
    finally:
        dump.kill()
        dump.wait()
        dump.stdout.close()
    heard = read_descriptors(WEIGHTS, event.event)
    fields = lines[0].split()
    assert fields[1:4] == ["/struck/event", "iffffffsb", "5"]
    assert float(fields[4]) == pytest.approx(event.event.gain_db, abs=1e-5)
    assert float(fields[5]) == pytest.approx(heard.pitch_hz, rel=1e-5)
    assert f'"{heard.room}"' in lines[0]
