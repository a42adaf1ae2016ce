"""How often a rack is late, and what the exchange with it costs the callback.

    python -m tests.bench.bench_racks                          four chains, a minute each
    python -m tests.bench.bench_racks --realtime --seconds 600 --chain lv2

A thread calls back at a device's pace, compiled, as an audio server would. After each block it wakes two
processes: the rack's, and one that only keeps a core busy for as long as the rack's did in the mean, and
answers. What that one is late no rack could have done better: the machine had no core for it. And after each
exchange the callback counts up for as long as an exchange takes in the median: what that takes longer now and
then the machine adds to whatever runs. Both processes get the callback's kind of scheduling; ``--realtime``
asks for SCHED_FIFO, 20 for the callback and 10 for the processes. Needs Linux, and for ``--realtime`` the
right to it. It asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import numpy as np
from numba import float32, int64, njit, void

from struck.codec.events.errors import StruckError
from struck.realtime.engine.exchange import LATE_FRAMES, begin_racks, end_racks, process_place
from struck.realtime.engine.rings import KERNEL, load_acquire
from struck.realtime.engine.shared_memory import (
    DONE,
    HOST_WAITS,
    PROCESS_WAITS,
    WRITTEN,
    make_memory_file,
    map_memory,
)
from struck.realtime.engine.waking import Waiter, publish
from struck.realtime.inserts.rack.process import COMMAND
from struck.realtime.inserts.runner.parent import end_with_parent

from ..realtime.inserts.plugin_bench import open_named
from ..realtime.inserts.rack_host import (
    MASTER,
    NANOSECONDS,
    PRIORITY,
    RATE,
    RackHost,
    insert,
    now,
    sleep_until,
)

CHAINS: Final = {
    "lv2": (
        ("lv2", "urn:zamaudio:ZamEQ2"),
        ("lv2", "urn:zamaudio:ZamComp"),
        ("lv2", "http://drobilla.net/plugins/mda/Ambience"),
        ("lv2", "urn:dragonfly:plate"),
    ),
    "pyo": (("pyo", "Chorus"), ("pyo", "Freeverb")),
    "vst3": (("vst3", "ZaMaximX2"),),
}
#: What is not counted: first the process learns of the callback's scheduling, then its work is measured.
WARM_SECONDS: Final = (2.0, 4.0)
#: Of the other process's indices one that nobody uses: for how many ns it keeps its core.
BUSY: Final = 40
#: And one that keeps the compiler from leaving out a sum that nobody reads.
KEPT: Final = 41

# columns of what is written of a block, in ns and blocks
WOKEN, EXCHANGE, WAKING, RACK_LATE, IDLE_LATE, COUNTED = range(6)


@njit(int64(int64), **KERNEL)
def count_up(steps):
    """Keeps a core busy for as long as it takes: no memory is touched, no call made."""
    value = int64(88_172_645)
    for _ in range(steps):
        value ^= value << 13
        value ^= value >> 7
        value ^= value << 17
    return value


@njit(
    void(int64[:, ::1], int64[::1], int64[::1], float32[:, ::1], int64[:, ::1], int64, int64, int64), **KERNEL
)
def call_back(table, numbers, idle, block, found, position, period, steps):
    """One row of ``found`` a block; ``numbers`` are the rack's, ``idle`` the other process's indices."""
    kept = 0
    time = np.zeros(2, np.int64)
    frames = block.shape[0]
    out = np.empty_like(block)
    due = now(time)
    late = numbers[LATE_FRAMES]
    for row in range(found.shape[0]):
        due += period
        sleep_until(time, due)
        out[:] = block
        began = now(time)
        found[row, WOKEN] = began - due
        found[row, IDLE_LATE] = load_acquire(idle, DONE) < load_acquire(idle, WRITTEN)
        begin_racks(table, position)
        process_place(table, MASTER, out, position)
        position += frames
        exchanged = now(time)
        end_racks(table, position)
        ended = now(time)
        found[row, EXCHANGE], found[row, WAKING] = ended - began, ended - exchanged
        found[row, RACK_LATE] = numbers[LATE_FRAMES] > late
        late = numbers[LATE_FRAMES]
        counted = now(time)
        kept ^= count_up(steps)
        found[row, COUNTED] = now(time) - counted
        publish(idle, WRITTEN, position, PROCESS_WAITS)
        if began - due > period:  # the callback itself was late: a device would have lost these blocks
            due += (began - due) // period * period
    idle[KEPT] = kept


@njit(void(int64[::1], int64), **KERNEL)
def keep_busy(time, nanoseconds):
    end = now(time) + nanoseconds
    while now(time) < end:
        pass


def answer(descriptor: int, priority: int) -> None:
    """What the other process does."""
    if priority:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    indices = map_memory(descriptor).indices
    waiter = Waiter(indices, WRITTEN, PROCESS_WAITS)
    time = np.zeros(2, np.int64)
    keep_busy(time, 0)
    done = 0
    while True:
        written = waiter.wait(done, 1.0)
        if written > done:
            keep_busy(time, indices[BUSY])
            done = written
        publish(indices, DONE, done, HOST_WAITS)


def measure(chain: str, frames: int, seconds: float, realtime: bool, log: Path | None = None) -> np.ndarray:
    """Rows of :func:`call_back`, one a block.

    Raises:
        StruckError: a plug-in is not installed.
    """
    for host, name in CHAINS[chain]:
        open_named(host, name).close()
    descriptor = make_memory_file()
    idle = map_memory(descriptor).indices
    command = [sys.executable, "-m", "tests.bench.bench_racks", "--answer", str(descriptor)]
    if realtime:
        command += ["--realtime"]
    other = subprocess.Popen(command, pass_fds=(descriptor,))
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, (frames, 2)).astype(np.float32)
    period = NANOSECONDS * frames // RATE
    rows = [np.zeros((round(s * RATE / frames), 6), np.int64) for s in (*WARM_SECONDS, seconds)]
    try:
        with RackHost(frames, patient=False, command=COMMAND, log=log) as host:
            host.change(*(insert(name, host=kind, name=name) for kind, name in CHAINS[chain]))
            numbers = host.bay.state.slots[0].numbers

            def run() -> None:
                if realtime:
                    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
                position = steps = 0
                process = host.bay.rack._process
                for part in rows:
                    before = process.activity()[0]
                    call_back(host.table, numbers, idle, sound, part, position, period, steps)
                    idle[BUSY] = NANOSECONDS * (process.activity()[0] - before) / len(part)
                    position += len(part) * frames
                    steps = _steps_for(np.median(part[:, EXCHANGE]))

            thread = threading.Thread(target=run)
            thread.start()
            thread.join()
            for line in host.told:
                print(line)
    finally:
        other.kill()
        other.wait()
        os.close(descriptor)
    print(f"{chain}: the rack's process works for {idle[BUSY] / 1e3:.0f} us a block")
    return rows[-1]


def _steps_for(nanoseconds: float) -> int:
    """Steps of :func:`count_up` that take so long."""
    took = []
    for _ in range(9):
        began = perf_counter_ns()
        count_up(100_000)
        took.append(perf_counter_ns() - began)
    return round(100_000 * nanoseconds / min(took))


def report(rows: np.ndarray, frames: int) -> str:
    late, idle = rows[:, RACK_LATE] > 0, rows[:, IDLE_LATE] > 0
    own = late & ~idle & ~np.roll(idle, 1)
    exchange, waking, counted, woken = (
        " / ".join(f"{np.percentile(rows[:, column], p) / 1e3:.0f}" for p in (50, 99, 99.9))
        for column in (EXCHANGE, WAKING, COUNTED, WOKEN)
    )
    lost = 100.0 * np.mean(rows[:, WOKEN] > NANOSECONDS * frames // RATE)
    return (
        f"late {100 * late.mean():.3f} %, the process that only computes {100 * idle.mean():.3f} %, "
        f"the rack's without it {100 * own.mean():.3f} %\n"
        f"  50 / 99 / 99.9 %: exchange {exchange} us, of which waking {waking} us; mere counting, as long in "
        f"the median, {counted} us; the callback itself woke "
        f"{woken} us late, by more than a block {lost:.3f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--chain", choices=CHAINS, action="append")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--answer", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.answer is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with_parent(signal.SIGKILL)
        answer(options.answer, PRIORITY - 10 if options.realtime else 0)
    for chain in options.chain or CHAINS:
        try:
            rows = measure(chain, options.frames, options.seconds, options.realtime)
        except StruckError as error:
            print(f"{chain}: left out, {error}")
            continue
        load = os.getloadavg()[0]
        print(f"{chain}, {options.frames} frames, {len(rows)} blocks, load {load:.1f}:")
        print(f"  {report(rows, options.frames)}", flush=True)


if __name__ == "__main__":
    main()
