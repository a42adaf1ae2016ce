"""How fast a chain of four goes from file to file: ``python -m tests.bench.bench_inserts``."""

import resource
import time

import numpy as np

from struck.realtime.inserts.rack.offline import OfflineInserts

from ..realtime.inserts.rack_host import RATE, insert

CHAIN = (
    "urn:zamaudio:ZamEQ2",
    "urn:zamaudio:ZamComp",
    "http://drobilla.net/plugins/mda/Ambience",
    "urn:dragonfly:plate",
)
SECONDS = 20
BLOCK_FRAMES = 4_096


def main():
    sound = np.random.default_rng(0).uniform(-0.3, 0.3, (SECONDS * RATE, 2)).astype(np.float32)
    blocks = (sound[start : start + BLOCK_FRAMES] for start in range(0, len(sound), BLOCK_FRAMES))
    chain = tuple(insert(uri, name=uri.split(":")[-1].split("/")[-1]) for uri in CHAIN)
    began = time.perf_counter()
    out = OfflineInserts(chain, ("master",), RATE, print).play(blocks)
    count = len(next(out))
    loaded = time.perf_counter()
    count += sum(len(block) for block in out)
    seconds = time.perf_counter() - loaded
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"loaded in {loaded - began:.1f} s, then {count / RATE / seconds:.0f} x real time")
    print(f"the rack's process used {used.ru_utime + used.ru_stime:.2f} s, loading included")


if __name__ == "__main__":
    main()
