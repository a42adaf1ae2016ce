"""Whether a rack is as late as it says, by host and block: ``python -m tests.bench.bench_delays``.

For each number of frames that a device may call for at once, from 32 to 2,048, an impulse goes through a
plug-in that reports a latency of its own, in a process of its own; where it comes out most is compared with
what the ledger is told. ``--every 16`` takes each sixteenth number, and the powers of two.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final

import numpy as np

from struck.codec.events.errors import StruckError
from struck.realtime.inserts.rack.process import COMMAND

from ..realtime.inserts.plugin_bench import open_named
from ..realtime.inserts.rack_host import MASTER, RATE, RackHost, insert

#: By host: a plug-in with a latency.
PLUGINS: Final = {
    "lv2": "http://lsp-plug.in/plugins/lv2/limiter_stereo",
    "pyo": "Compress",
    "vst3": "ZaMaximX2",
}
LEAST, MOST = 32, 2_048
#: Before the impulse: some plug-ins fade in.
QUIET: Final = RATE // 4


def look(host: str, frames: int) -> tuple[int, int, int]:
    """How much later an impulse is, how much later it is said to be, and the plug-in's part of that."""
    sound = np.zeros((QUIET + 3 * MOST + 2_000, 2), np.float32)
    sound[QUIET] = 0.5
    with RackHost(frames, command=COMMAND) as rack_host:
        rack_host.change(insert(PLUGINS[host], host=host))
        out = rack_host.play(sound)
        rack = rack_host.bay.rack
        stated, latency = rack.slot.delay_frames(MASTER), rack.latency_samples[MASTER]
    return int(np.abs(out[QUIET:, 0]).argmax()), stated, latency


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--host", choices=PLUGINS, action="append")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    failed = False
    for host in options.host or PLUGINS:
        try:
            open_named(host, PLUGINS[host]).close()
        except StruckError as error:
            print(f"{host}: left out, {error}")
            continue
        wrong = latency = 0
        numbers = sorted({*range(LEAST, MOST + 1, options.every), *(2**power for power in range(5, 12))})
        for done, frames in enumerate(numbers, 1):
            measured, stated, latency = look(host, frames)
            if measured != stated:
                wrong += 1
                print(f"{host}, {frames} frames: {measured} samples, stated {stated}", flush=True)
            if done % 200 == 0:
                print(f"{host}: {done} of {len(numbers)}", flush=True)
        failed = failed or wrong > 0
        print(
            f"{host}, {PLUGINS[host]}, of whose own {latency} samples are: {len(numbers)} numbers of frames, "
            f"{wrong} wrong",
            flush=True,
        )
    print(f"load {os.getloadavg()[0]:.1f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
