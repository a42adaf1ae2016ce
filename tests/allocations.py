"""Counts what compiled loops allocate; for programs started with ``NUMBA_NRT_STATS=1``.

The loops are compiled too: a call from Python wraps each array anew, and that is not what is asked here.
"""

import os
import subprocess
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None

import numpy as np
from numba import njit
from numba.core.runtime import rtsys

ROOT = Path(__file__).parents[1]
#: What counting may take of the processor, compiling included, and by the clock, which runs for others too.
PROCESSOR_SECONDS, CLOCK_SECONDS = 120, 900


@njit
def run_control(count):
    """Allocates once per turn."""
    total = 0.0
    for i in range(count):
        total += np.zeros(4 + i % 2)[0]
    return total


def count_allocations(function, *arguments):
    """What 10,000 turns of ``function`` allocate more than one turn."""
    counts = []
    for turns in (1, 1, 10_001):
        before = rtsys.get_allocation_stats().alloc
        function(*arguments, turns)
        counts.append(rtsys.get_allocation_stats().alloc - before)
    return counts[2] - counts[1]


def limit_processor_time():
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))


def run_counting(module):
    """The numbers that a module of the tests prints, run in a process that counts allocations."""
    environment = {"NUMBA_NRT_STATS": "1", "PATH": "", "HOME": str(Path.home())}
    # what Windows needs to start at all, and where a test run may have been told to keep compiled code
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "NUMBA_CACHE_DIR") if name in os.environ}
    run = subprocess.run(
        [sys.executable, "-m", module], cwd=ROOT, env=environment | kept,
        capture_output=True, text=True, check=True, timeout=CLOCK_SECONDS,
        preexec_fn=limit_processor_time if resource else None,
    )  # fmt: skip
    return [int(word) for word in run.stdout.split()]
