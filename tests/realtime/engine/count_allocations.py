"""Prints the allocations of 10,000 calls: of a control that allocates once per call, then of the
callback, through its C pointer: 200 voices, two rooms, commands of every kind, and all rings in use."""

import numpy as np
from numba import njit

from struck.codec.playing.changes import AMENDED, ENDED, UNKNOWN
from struck.codec.playing.decoder import Decoder
from struck.codec.playing.decoder_state import ACTIVE, LATE, STARTED, STOLEN
from struck.realtime.bench.decoder import plain_weights, sustained_events
from struck.realtime.bench.loaded_callback import CALL
from struck.realtime.engine.address_tables import make_address_table
from struck.realtime.engine.callback import BLOCKS, make_callback_state
from struck.realtime.engine.commands import (
    AMEND,
    AT_SAMPLE,
    COMMAND_SIZE,
    CONTROL,
    END,
    EVENT_ID,
    KEY,
    KIND,
    PANIC,
    PLAY,
    RECORD,
    START_PHRASE,
    STOP_PHRASE,
    VALUE,
)
from struck.realtime.engine.rings import LOST, push_row, read_frames, write_frames
from struck.realtime.engine.slots import fill_slot
from struck.realtime.engine.state import (
    EVENTS,
    FEEDING,
    POSITION,
    RECORDING,
    REFUSED_PHRASES,
    STARVED,
    make_engine_state,
)

from ...allocations import count_allocations, run_control

RATE = 48_000
FRAMES = 32
VOICES = 200
#: In how many of its turns the loop sends each kind of command; panic empties all, so it is rare.
EVERY = {
    PLAY: 5, CONTROL: 17, START_PHRASE: 301, STOP_PHRASE: 401, PANIC: 5_003,
    AMEND: 3, END: 19,
}  # fmt: skip
KINDS = np.array(list(EVERY.items()))


@njit
def run_blocks(rings, numbers, kinds, records, row, source, buffers, pointers, flags, count):
    """Blocks with commands between them; the other threads' ends of the rings are in here as well."""
    commands, feed, capture, recording = rings
    heard, played = buffers
    for i in range(count):
        position = numbers[POSITION]
        for k in range(kinds.shape[0]):
            if i % kinds[k, 1] == kinds[k, 1] - 1:
                kind = kinds[k, 0]
                row[KIND] = kind
                row[AT_SAMPLE] = position + 37 * (i % 5) - 20
                row[KEY] = 1 + i % 100
                row[VALUE] = 1.0 + 0.001 * (i % 7)
                row[EVENT_ID] = 1 + i // 5 % 40
                if kind in (PLAY, AMEND):
                    row[RECORD:] = records[i % records.shape[0]]
                elif kind == CONTROL:
                    row[KEY] = EVENTS
                elif kind in (START_PHRASE, STOP_PHRASE):
                    row[KEY] = 0
                push_row(commands, row)
        if i % 3 != 0:  # a feed that starves now and then
            write_frames(feed, source)
        CALL(pointers[0], pointers[1], FRAMES, 0, flags[i % 2], pointers[2])
        if i % 200 == 0:  # readers that lag so that frames are lost
            read_frames(capture, heard)
            read_frames(recording, played)


engine = make_engine_state(RATE, 2, 2, voice_count=VOICES, ring_seconds=0.1, phrase_seconds=1.0)
engine.numbers[RECORDING] = 1
engine.numbers[FEEDING] = 1
assert fill_slot(engine.phrases, 0, np.full(RATE // 2, 0.1, dtype=np.float32))
state = make_callback_state(engine, RATE, 1e9)
decoder = Decoder(plain_weights(), RATE, 1, 1)
records = decoder.make_records(sustained_events(64, seed=1, rooms=(2.5, 2.5)))
row = np.zeros(COMMAND_SIZE)
for i in range(VOICES):  # all sound from the start
    row[[KIND, AT_SAMPLE, KEY, VALUE]] = PLAY, 64 + i % 64, 1 + i % 100, 1.0
    row[RECORD:] = records[i % 64]
    assert push_row(engine.commands, row)
source = np.random.default_rng(1).uniform(-1, 1, (FRAMES, 2)).astype(np.float32)
source[5, 0] = np.nan
out = np.zeros((FRAMES, 2), dtype=np.float32)
flags = np.array([0, 4])
buffers = np.zeros((6_400, 1), dtype=np.float32), np.zeros((6_400, 2), dtype=np.float32)
table = make_address_table(state)
pointers = np.array([source.ctypes.data, out.ctypes.data, table.ctypes.data])
rings = (engine.commands, engine.feed, engine.capture, engine.recording)
arguments = (rings, engine.numbers, KINDS, records, row, source, buffers, pointers, flags)
run_blocks(*arguments, 40)
assert engine.decoder.numbers[ACTIVE] == VOICES
print(count_allocations(run_control), count_allocations(run_blocks, *arguments))
numbers = engine.decoder.numbers
assert numbers[STARTED] > 1_900
assert numbers[STOLEN] > 500
assert numbers[LATE] > 0
changes = engine.decoder.changes.numbers
assert changes[AMENDED] > 1_000
assert changes[ENDED] > 100
assert changes[UNKNOWN] > 100
assert engine.capture.index[LOST] > 0
assert engine.feed.index[LOST] == 0
assert engine.numbers[STARVED] > 0
assert engine.numbers[REFUSED_PHRASES] > 0
assert np.all(np.isfinite(out))
assert state.stamps[BLOCKS] > 10_000
