"""What a failing insert costs, fault by fault: ``python -m tests.bench.bench_faults``.

A tone passes an insert that halves it, at a device's pace; a process in reserve is warm. Then the insert's
process crashes, is killed, hangs, gives no number, or takes ten times as long as it may. Told are: from which
block on the sound was dry, when the performer was told and when the insert sounded alone again, both after
that block, and the largest step between neighbouring samples beside the dry tone's own. What is dry is seen
in what comes out: it is twice as loud. ``--realtime`` asks for SCHED_FIFO. It asserts nothing.
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

from struck.realtime.engine.exchange import LATE_FRAMES

from ..realtime.inserts.rack_host import FAKE_COMMAND, RATE, RackHost, insert, largest_step, tone

FRAMES: Final = 128
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
    "10 times too slow": f"slows:{FAULT_BLOCK}",
}
GAIN: Final = 0.5
#: More than this share of a block is more than the insert's own; it sounds again after so many without.
_DRY_SHARE: Final = 0.505
_BLOCKS: Final = 8


def measure(name: str, realtime: bool) -> str:
    sound = tone(WARM_SECONDS + SECONDS)
    with (
        tempfile.TemporaryDirectory() as folder,
        RackHost(FRAMES, patient=False, command=FAKE_COMMAND) as host,
    ):
        told: list[float] = []
        host.bay._tell = lambda line: (told.append(time.monotonic()), host.told.append(line))
        state = str(Path(folder) / "once")
        host.change(insert(FAULTS[name], state=state, name="it", parameters={"gain": GAIN}))
        numbers = host.bay.state.slots[0].numbers
        process, delay = host.bay.rack._process, host.bay.rack.delay_frames
        times: list[float] = []
        late: list[int] = []
        out: list[np.ndarray] = []

        def play() -> None:
            if realtime:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(20))
            began = time.monotonic()
            while host.position + FRAMES <= len(sound):
                if name == "kill -9 from outside" and host.position // FRAMES == FAULT_BLOCK:
                    os.kill(process.pid, 9)
                out.append(host.step(sound[host.position : host.position + FRAMES]))
                times.append(time.monotonic())
                late.append(int(numbers[LATE_FRAMES]))
                time.sleep(max(0.0, began + host.position / RATE - time.monotonic()))

        thread = threading.Thread(target=play)
        thread.start()
        thread.join()
        lines = list(host.told)
    heard = np.concatenate(out)
    step = largest_step(heard[4 * FRAMES :]) / largest_step(sound[: FRAMES * 100])
    shares = share_of(heard, np.concatenate([np.zeros_like(sound[:delay]), sound]))
    # before that the process may have been late once, as the machine has it
    dry = np.flatnonzero((shares > _DRY_SHARE) & (np.arange(len(shares)) >= FAULT_BLOCK - 1))
    if not len(dry):
        return f"never dry; told {lines or 'nothing'}; step {step:.2f} of the tone's own"
    first = int(dry[0])
    back = dry[np.flatnonzero(np.diff(dry, append=len(shares) + _BLOCKS) > _BLOCKS)[0]] + 1
    again = f"{1e3 * (times[back] - times[first]):.0f} ms" if back < len(shares) else "never"
    when = [1e3 * (at - times[first]) for at in told if at > times[FAULT_BLOCK - 2]]
    after = f"{when[0]:.0f} ms" if when else "never"
    before = late[first - 1]
    return (
        f"dry from block {first - FAULT_BLOCK:+d}, {late[-1] - before} frames late ({before} before); told "
        f"after {after}; whole again after {again}; step {step:.2f} of the tone's own\n  {lines}"
    )


def share_of(heard: np.ndarray, dry: np.ndarray) -> np.ndarray:
    """How loud each block of ``heard [N, C]`` is beside the same frames of ``dry``."""
    count = len(heard) // FRAMES
    parts = (sound[: count * FRAMES].reshape(count, -1).astype(np.float64) for sound in (heard, dry))
    of_heard, of_dry = (np.sqrt(np.square(part).sum(1)) for part in parts)
    return of_heard / np.maximum(of_dry, 1e-9)


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
