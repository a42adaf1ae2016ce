"""What a failing insert costs, fault by fault: ``python -m tests.bench.bench_faults``.

A tone passes an insert at a device's pace; a process in reserve is warm. Then the insert's process crashes,
is killed, hangs, gives no number, or takes ten times as long as it may. Told are: how much of the sound was
dry, when the performer was told, when the insert sounded again, all after the first block that was late, and
the largest step between neighbouring samples beside the tone's own. ``--realtime`` asks for SCHED_FIFO. It
asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import numpy as np

from struck.realtime.engine.exchange import LATE_FRAMES, MODE

from ..realtime.inserts.rack_host import FAKE_COMMAND, RATE, RackHost, insert, largest_step, tone

FRAMES: Final = 128
MASTER: Final = 3
#: The spare is started a second after one was taken, and needs some to get warm.
WARM_SECONDS: Final = 5.0
SECONDS: Final = 4.0
#: By fault: what is inserted; the block in which it happens comes after the spare is warm.
FAULT_BLOCK: Final = round(WARM_SECONDS * RATE / FRAMES)
FAULTS: Final = {
    "crash": f"crash:{FAULT_BLOCK}",
    "kill -9 within a block": f"kill:{FAULT_BLOCK}",
    "kill -9 from outside": "gain",
    "endless loop": f"hang:{FAULT_BLOCK}",
    "NaN in one block": f"nan:{FAULT_BLOCK}",
    "10 times too slow": f"slow:{round(10e3 * FRAMES / RATE)}",
}


def measure(name: str, realtime: bool) -> str:
    sound = tone(WARM_SECONDS + SECONDS)
    with (
        tempfile.TemporaryDirectory() as folder,
        RackHost(FRAMES, patient=False, command=FAKE_COMMAND) as host,
    ):
        told: list[float] = []
        host.bay._tell = lambda line: (told.append(time.monotonic()), host.told.append(line))
        host.change(insert(FAULTS[name], state=str(Path(folder) / "once"), name="it"))
        numbers, lanes = host.bay.state.slots[0].numbers, host.bay.state.slots[0].lanes
        process = host.bay.rack._process
        rows: list[tuple[float, int, int]] = []
        out: list[np.ndarray] = []

        def play() -> None:
            if realtime:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
            began = time.monotonic()
            while host.position + FRAMES <= len(sound):
                if name == "kill -9 from outside" and host.position // FRAMES == FAULT_BLOCK:
                    os.kill(process.pid, 9)
                out.append(host.step(sound[host.position : host.position + FRAMES]))
                rows.append((time.monotonic(), int(numbers[LATE_FRAMES]), int(lanes[MASTER, MODE])))
                time.sleep(max(0.0, began + host.position / RATE - time.monotonic()))

        thread = threading.Thread(target=play)
        thread.start()
        thread.join()
        lines = list(host.told)
    times, late, mode = (np.array(column) for column in zip(*rows, strict=True))
    own = largest_step(sound[: FRAMES * 100])
    step = largest_step(np.concatenate(out)[4 * FRAMES :]) / own
    # before that the process may have been late once, as the machine has it
    meant = np.arange(len(late)) >= (0 if name.endswith("slow") else FAULT_BLOCK - 1)
    fresh = np.flatnonzero((np.diff(late, prepend=0) > 0) & meant)
    if not len(fresh):
        return f"never late; told {lines or 'nothing'}; step {step:.2f} of the tone's own"
    first = int(fresh[0])
    sounding = np.flatnonzero((mode == 0) & (np.arange(len(mode)) > first))
    again = f"{1e3 * (times[sounding[0]] - times[first]):.0f} ms" if len(sounding) else "never"
    when = f"{1e3 * (told[-1] - times[first]):.0f} ms" if told else "never"
    before = int(late[first - 1]) if first else 0
    return (
        f"dry from block {first - FAULT_BLOCK:+d}, {late[-1] - before} frames late ({before} before); "
        f"told after {when}; whole again after {again}; step {step:.2f} of the tone's own\n  {lines}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--fault", choices=FAULTS, action="append")
    parser.add_argument("--realtime", action="store_true")
    options = parser.parse_args()
    for name in options.fault or FAULTS:
        print(f"{name}: {measure(name, options.realtime)}", flush=True)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
