"""Prints the allocations of 10,000 calls: of a control that allocates once per call, then of the block
function."""

import numpy as np
from numba import njit

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.controls import make_initial_timbre_weights
from struck.codec.events.event_spec import VECTOR_SIZE
from struck.codec.events.events import Event
from struck.codec.playing.block import process_block
from struck.codec.playing.decoder import Decoder
from struck.codec.weights.codec_weights import CodecWeights

from ...allocations import count_allocations, run_control


@njit
def run_blocks(state, out, count):
    for _ in range(count):
        process_block(state, out)


rng = np.random.default_rng(1)
decoder = Decoder(CodecWeights("test", make_initial_timbre_weights(1), {}), 48_000, voice_count=8)
for id in range(100):  # starts, steals, glides, rooms, noise, amendments, tails and their ends
    vector = rng.uniform(-1, 1, VECTOR_SIZE).astype(np.float32)
    onset = int(rng.integers(0, 200_000))
    decoder.schedule(Event(0.0, -10.0, vector, id), at_sample=onset)
    for after in range(0, 4_000, 1_000):
        amendment = Amendment(id, 0.0, vector=-vector if after % 2_000 else vector)
        decoder.schedule(amendment, at_sample=onset + after)
    decoder.schedule(End(id, 0.0), at_sample=onset + 5_000)
out = np.zeros(64, dtype=np.float32)
print(count_allocations(run_control), count_allocations(run_blocks, decoder.state, out))
assert decoder.counters()["stolen"] > 0
assert decoder.counters()["amended"] > 100
assert decoder.counters()["ended"] > 10
