"""Measure the control port of ``struck live`` over a JACK server of its own.

    python -m tests.bench.bench_control attacks              what a hostile network does to the callback
    python -m tests.bench.bench_control viewers --count 7    processor time of so many pages

- ``attacks``: the callback's shares of a block, median, p99.9 and worst, of a performance that gets 10,000
  connections, slow readers, garbage and frames of 100 MB, and how long a client waits then for an answer; of
  one that is left alone; and of one beside which another program gets all that, a web server that has nothing
  to do with struck: what the machine, with its caches and cores, does to whoever plays on it. The last two
  last as long as the first.
- ``viewers``: share of a core that a performance takes while so many pages watch, before and after, and the
  frames a second that each of them gets.

JACK has real-time scheduling where that can be had. It asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import socket
import threading
import time
from multiprocessing import get_context
from typing import Final

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from ..realtime.control.attackers import open_many, open_slow_readers, send_garbage, send_long_frames
from ..realtime.rig.jack_rig import jack_server, may_be_realtime
from ..realtime.rig.live_host import LiveHost

_PORT: Final = 19_000
_OTHER_PORT: Final = 19_001
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def _cpu_seconds(pid: int) -> float:
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()  # noqa: SIM115
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _perform(server, during) -> dict:
    """A performance; ``during`` is called with its host once it plays, and when that is done it ends."""
    arguments = ("--input", "jack:system", "--output", "jack:system", "--profile", "tight")
    with LiveHost(server, *arguments, "--control", _PORT) as host:
        extra = during(host)
        summary = host.stop()
    figures = {name: value for name, value in summary.items() if name.startswith("callback_")}
    counters = {name: n for name, n in summary["counters"].items() if name.startswith("control")}
    return figures | counters | (extra or {})


def _attack(port: int, connections: int) -> dict:
    began = time.monotonic()
    slow = open_slow_readers(port, 8)
    attackers = [
        threading.Thread(target=attack, args=(port, count))
        for attack, count in ((open_many, connections), (send_garbage, 500), (send_long_frames, 20))
    ]
    for attacker in attackers:
        attacker.start()
    waits = asyncio.run(_wait_for_answers(port, attackers))
    for own in slow:
        own.close()
    return {
        "attack_seconds": time.monotonic() - began,
        "answer_median_ms": 1e3 * sorted(waits)[len(waits) // 2] if waits else None,
        "answer_worst_ms": 1e3 * max(waits, default=0.0),
    }


async def _wait_for_answers(port: int, attackers) -> list[float]:
    ask = b"/struck/patch\0\0\0,\0\0\0"
    waits = []
    async with connect(f"ws://127.0.0.1:{port}/") as client:
        while any(attacker.is_alive() for attacker in attackers):
            began = time.monotonic()
            await client.send(ask)
            await client.recv()
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
    return waits


async def _echo() -> None:
    """Another program's port: says back what it is sent, and takes as much at once as struck's."""

    async def say_back(connection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(say_back, "127.0.0.1", _OTHER_PORT, max_size=65_536):
        await asyncio.get_running_loop().create_future()


def _attack_another(connections: int) -> dict:
    other = get_context("spawn").Process(target=_run_echo, daemon=True)
    other.start()
    try:
        _wait_for_port(_OTHER_PORT)
        return _attack(_OTHER_PORT, connections)
    finally:
        other.terminate()
        other.join()


def _run_echo() -> None:
    asyncio.run(_echo())


def _wait_for_port(port: int) -> None:
    end = time.monotonic() + 30.0
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nobody listens at port {port}")


def measure_attacks(connections: int) -> dict:
    with jack_server(block=256, realtime=may_be_realtime()) as server:
        attacked = _perform(server, lambda host: _attack(_PORT, connections))
        return {
            "attacked": attacked,
            "alone": _perform(server, lambda host: time.sleep(attacked["attack_seconds"])),
            "another_attacked": _perform(server, lambda host: _attack_another(connections)),
            "load": os.getloadavg()[0],
        }


async def _watch(count: int, seconds: float) -> list[int]:
    async def view() -> int:
        frames = 0
        async with connect(f"ws://127.0.0.1:{_PORT}/live") as client:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                frames += '"t"' in await client.recv()
        return frames

    return await asyncio.gather(*(view() for _ in range(count)))


def measure_viewers(count: int, seconds: float) -> dict:
    found: dict = {}

    def during(host) -> None:
        time.sleep(3.0)
        for label, viewers in (("alone", 0), ("watched", count), ("alone_again", 0)):
            before = _cpu_seconds(host.pid)
            if viewers:
                frames = asyncio.run(_watch(viewers, seconds))
                found["frames_per_second"] = [round(number / seconds, 1) for number in frames]
            else:
                time.sleep(seconds)
            found[f"core_percent_{label}"] = 100.0 * (_cpu_seconds(host.pid) - before) / seconds

    with jack_server(block=256, realtime=may_be_realtime()) as server:
        _perform(server, during)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("attacks", "viewers"))
    parser.add_argument("--seconds", type=float, default=40.0, help="of viewers (default: 40)")
    parser.add_argument("--count", type=int, default=7, help="of viewers (default: 7)")
    parser.add_argument("--connections", type=int, default=10_000, help="of attacks (default: 10000)")
    options = parser.parse_args()
    if options.what == "attacks":
        print(json.dumps(measure_attacks(options.connections), indent=2))
    else:
        print(json.dumps(measure_viewers(options.count, options.seconds), indent=2))


if __name__ == "__main__":
    main()
