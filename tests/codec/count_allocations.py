"""Prints the allocations of 10,000 calls: of a control that allocates once per call, then of the block
function.

The loops are compiled too: a call from Python wraps each array anew, and that is not what is asked here.
"""

import numpy as np
from numba import njit
from numba.core.runtime import rtsys

from struck.codec.block import process_block
from struck.codec.controls import make_initial_timbre_weights
from struck.codec.decoder import Decoder
from struck.codec.event_spec import VECTOR_SIZE
from struck.codec.events import Event
from struck.codec.weights import CodecWeights


@njit
def run_control(count):
    total = 0.0
    for i in range(count):
        total += np.zeros(4 + i % 2)[0]
    return total


@njit
def run_blocks(state, out, count):
    for _ in range(count):
        process_block(state, out)


def count_allocations(function, *arguments):
    """What 10,000 turns of ``function`` allocate more than one turn."""
    counts = []
    for turns in (1, 1, 10_001):
        before = rtsys.get_allocation_stats().alloc
        function(*arguments, turns)
        counts.append(rtsys.get_allocation_stats().alloc - before)
    return counts[2] - counts[1]


rng = np.random.default_rng(1)
decoder = Decoder(CodecWeights("test", make_initial_timbre_weights(1), {}), 48_000, voice_count=8)
for _ in range(100):  # starts, steals, glides, rooms, noise, tails and their ends
    vector = rng.uniform(-1, 1, VECTOR_SIZE).astype(np.float32)
    decoder.schedule(Event(0.0, -10.0, vector), at_sample=int(rng.integers(0, 200_000)))
out = np.zeros(64, dtype=np.float32)
print(count_allocations(run_control), count_allocations(run_blocks, decoder.state, out))
assert decoder.counters()["stolen"] > 0
