"""What a hostile network does is refused or bounded, and whoever plays goes on playing."""

import asyncio
import threading
import time

from struck.realtime.control.clients import SLOW_SECONDS
from struck.realtime.control.port import CONNECTIONS_MAX
from struck.realtime.stage.token_bucket import SenderBuckets

from .attackers import open_many, open_slow_readers, send_garbage, send_long_frames
from .control_host import ControlHost, listen, receive, settle


def answers(host):
    return host.get("/?HOST_INFO")[0] == 200


def test_a_thousand_connections_leave_a_place_for_who_plays():
    with ControlHost() as host:
        threads = threading.active_count()
        most = []

        async def run():
            async with host.connect() as socket:
                await listen(socket, "/struck/control/decay")
                await settle(socket)
                flood = threading.Thread(target=open_many, args=(host.port, 1_000))
                flood.start()
                while flood.is_alive():
                    await asyncio.sleep(0.05)
                    most.append(host.control._open.total())
                flood.join()
                host.stage.set_control("decay", 3.0)
                return await receive(socket, 1)

        assert asyncio.run(run()) == [("/struck/control/decay", [3.0])]
        deadline = time.monotonic() + 20.0
        while host.control._open.total() > 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert answers(host)
        assert host.stage.counts()["control_refused"] > 500
        assert threading.active_count() <= threads + 2  # that act, and that look
        # Those beyond the limit are let go in the same round of the loop that took them.
        assert max(most) <= CONNECTIONS_MAX + 64


def test_who_does_not_read_is_dropped_and_holds_nobody_up():
    with ControlHost() as host:
        host.play_on()
        slow = open_slow_readers(host.port, 5)
        deadline = time.monotonic() + 120.0
        # Much to tell: their buffers fill.
        while host.stage.counts().get("control_slow", 0) < len(slow) and time.monotonic() < deadline:
            for number in range(100):
                host.stage.tell(f"{number} {'x' * 250}")
            time.sleep(0.05)
        assert host.stage.counts()["control_slow"] == len(slow)
        while host.control._viewers and time.monotonic() < deadline:  # their ends take a round of the loop
            time.sleep(0.05)
        assert not host.control._viewers
        assert answers(host)
        assert SLOW_SECONDS <= 10.0
        for own in slow:
            own.close()


def test_garbage_and_long_frames_end_their_own_connection_only():
    with ControlHost() as host:

        async def run():
            async with host.connect() as socket:
                await listen(socket, "/struck/control/decay")
                await settle(socket)
                for attack in (send_garbage, send_long_frames):
                    attacker = threading.Thread(target=attack, args=(host.port, 20))
                    attacker.start()
                    while attacker.is_alive():
                        await asyncio.sleep(0.05)
                host.stage.set_control("decay", 3.0)
                return await receive(socket, 1)

        assert asyncio.run(run()) == [("/struck/control/decay", [3.0])]
        assert answers(host)
        assert "control_faults" not in host.stage.counts()


def test_a_flood_of_requests_is_turned_away(capfd):
    with ControlHost() as host:
        host.control._requests = SenderBuckets(1e-6, 5, 1e-6, 400)
        assert [host.get("/?HOST_INFO")[0] for _ in range(7)] == [200] * 5 + [429] * 2
        assert host.stage.counts()["control_refused"] == 2
    assert capfd.readouterr().err == ""
