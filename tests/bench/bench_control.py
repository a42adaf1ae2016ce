"""Measure the control port of ``struck live`` over a JACK server of its own.

    python -m tests.bench.bench_control attacks              what a hostile network does to the callback
    python -m tests.bench.bench_control viewers --count 7    processor time of so many pages

- ``attacks``: the callback's shares of a block, median, p99.9 and worst, of a performance that is left alone,
  and of one that gets 10,000 connections, slow readers, garbage and frames of 100 MB meanwhile; and how long
  a client waits then for an answer.
- ``viewers``: share of a core that a performance takes while so many pages watch, before and after, and the
  frames a second that each of them gets.

JACK has real-time scheduling where that can be had. It asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import threading
import time
from typing import Final

from websockets.asyncio.client import connect

from ..realtime.control.attackers import open_many, open_slow_readers, send_garbage, send_long_frames
from ..realtime.rig.jack_rig import jack_server, may_be_realtime
from ..realtime.rig.live_host import LiveHost

_PORT: Final = 19_000
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


def _attack(host) -> dict:
    began = time.monotonic()
    slow = open_slow_readers(_PORT, 8)
    attackers = [
        threading.Thread(target=attack, args=(_PORT, count))
        for attack, count in ((open_many, 10_000), (send_garbage, 500), (send_long_frames, 20))
    ]
    for attacker in attackers:
        attacker.start()
    waits = asyncio.run(_wait_for_answers(attackers))
    for own in slow:
        own.close()
    return {
        "attack_seconds": time.monotonic() - began,
        "answer_median_ms": 1e3 * sorted(waits)[len(waits) // 2] if waits else None,
        "answer_worst_ms": 1e3 * max(waits, default=0.0),
    }


async def _wait_for_answers(attackers) -> list[float]:
    ask = b"/struck/patch\0\0\0,\0\0\0"
    waits = []
    async with connect(f"ws://127.0.0.1:{_PORT}/") as socket:
        while any(attacker.is_alive() for attacker in attackers):
            began = time.monotonic()
            await socket.send(ask)
            await socket.recv()
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.05)
    return waits


def measure_attacks(seconds: float) -> dict:
    with jack_server(block=256, realtime=may_be_realtime()) as server:
        return {
            "alone": _perform(server, lambda host: time.sleep(seconds)),
            "attacked": _perform(server, _attack),
        }


async def _watch(count: int, seconds: float) -> list[int]:
    async def view() -> int:
        frames = 0
        async with connect(f"ws://127.0.0.1:{_PORT}/live") as socket:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                frames += '"t"' in await socket.recv()
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
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--count", type=int, default=7)
    options = parser.parse_args()
    if options.what == "attacks":
        print(json.dumps(measure_attacks(options.seconds), indent=2))
    else:
        print(json.dumps(measure_viewers(options.count, options.seconds), indent=2))


if __name__ == "__main__":
    main()
