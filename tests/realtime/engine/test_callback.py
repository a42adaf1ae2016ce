"""The callback through its C pointer, as a device calls it: the engine's bytes, its times, what was lost."""

import threading

import numpy as np
import pytest
from numba import config, int64, njit, void

from struck.codec.playing.decoder import Decoder
from struck.realtime.bench.loaded_callback import CALL
from struck.realtime.engine.address_tables import make_address_table
from struck.realtime.engine.callback import (
    BLOCKS,
    BUSY,
    INPUT_OVERFLOWS,
    INPUT_UNDERFLOWS,
    INTERVAL,
    OUTPUT_OVERFLOWS,
    OUTPUT_UNDERFLOWS,
    PRIMINGS,
    REPORT_BUSY,
    REPORT_FLAGS,
    REPORT_INTERVAL,
    REPORT_POSITION,
    STAMP_CYCLES,
    STAMP_POSITION,
    make_callback_state,
    read_stamp,
    run_block,
)
from struck.realtime.engine.cycles import read_cycles
from struck.realtime.engine.rings import LOST, pop_row
from struck.realtime.engine.state import RECORDING, SLICE_FRAMES, publish_number

from ...codec.playing.decoder_events import RANDOM_WEIGHTS, random_events
from .engine_host import RATE, EngineHost, noise, take

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="without the compiler there is no C pointer")

#: A block's time is then so long that no test machine is ever late.
PATIENT = 1e15


class Device:
    """Calls the C pointer."""

    def __init__(self, inputs=1, outputs=2, cycles_per_second=PATIENT, **options):
        self.host = EngineHost(RATE, inputs, outputs, **options)
        self.state = make_callback_state(self.host.state, RATE, cycles_per_second)
        self.table = make_address_table(self.state)

    def call(self, source, out, frames, flags=0):
        pointers = [0 if array is None else array.ctypes.data for array in (source, out)]
        assert CALL(*pointers, frames, 0, flags, self.table.ctypes.data) == 0

    def block(self, frames, flags=0, source=None):
        """One block of output, ``[frames, C_out]``."""
        if source is None:
            source = np.zeros((frames, self.host.inputs), dtype=np.float32)
        out = np.full((frames, self.host.outputs), np.nan, dtype=np.float32)
        self.call(source, out, frames, flags)
        return out

    def reports(self):
        rows = []
        row = np.zeros(4)
        while pop_row(self.state.reports, row):
            rows.append(row.copy())
        return rows


BLOCKS_TO_PLAY = [64] * 100 + [1, 63, 480, 32, 32, 1000, 5000]


@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_the_c_pointer_plays_what_run_block_plays(inputs, outputs):
    devices = [Device(inputs, outputs) for _ in range(2)]
    for device in devices:
        device.host.settle(dry_db=-6.0)
        publish_number(device.host.state.numbers, RECORDING, 1)
        for i, event in enumerate(random_events(12, seed=4)):
            device.host.play(event, 500 * i)
    for i, frames in enumerate(BLOCKS_TO_PLAY):
        source = noise(frames, inputs, seed=i)
        out = np.full((frames, outputs), np.nan, dtype=np.float32)
        run_block(devices[1].state, source.copy(), out, i % 32)
        assert devices[0].block(frames, i % 32, source).tobytes() == out.tobytes()
        assert out.any()
    for name in ("capture", "recording"):
        sounds = [take(getattr(device.host.state, name)) for device in devices]
        assert len(sounds[0]) == sum(BLOCKS_TO_PLAY)
        assert sounds[0].tobytes() == sounds[1].tobytes()
    assert np.array_equal(devices[0].host.state.decoder.numbers, devices[1].host.state.decoder.numbers)
    counters = slice(INPUT_UNDERFLOWS, PRIMINGS + 1)
    assert np.array_equal(devices[0].state.stamps[counters], devices[1].state.stamps[counters])


def test_the_c_pointer_plays_what_the_decoder_plays():
    """Including the stealing of voices."""
    device = Device(outputs=1, voice_count=8)
    decoder = Decoder(RANDOM_WEIGHTS, RATE, voice_count=8)
    for event in random_events(24, seed=4, longest_onset_seconds=0.1):
        quiet = type(event)(event.onset_seconds, -40.0, event.vector)
        device.host.play(quiet, quiet.onset_sample(RATE))
        decoder.schedule(quiet)
    for frames in BLOCKS_TO_PLAY:
        assert device.block(frames).tobytes() == decoder.process(frames).tobytes()
    assert decoder.counters()["stolen"] == 16


@pytest.mark.parametrize("frames", [64, 2048, 2049, 8192])
def test_a_stream_without_input_hears_silence(frames):
    device, other = Device(), Device()
    for each in (device, other):
        each.host.settle(dry_db=0.0)
        each.host.play(random_events(1, seed=2)[0], 10)
    out = np.full((frames, 2), np.nan, dtype=np.float32)
    device.call(None, out, frames, flags=0x4)
    assert out.tobytes() == other.block(frames).tobytes()
    assert out.any()
    assert not take(device.host.state.capture).any()
    assert device.host.position == frames
    assert device.state.stamps[OUTPUT_UNDERFLOWS] == 1
    assert not device.state.silence.any()


@pytest.mark.parametrize("frames", [64, 2048, 2049, 8192])
def test_a_stream_without_output_still_hears(frames):
    device = Device()
    sound = noise(frames, 1)
    kept = sound.copy()
    device.call(sound, None, frames)
    assert take(device.host.state.capture).tobytes() == kept.tobytes()
    assert sound.tobytes() == kept.tobytes()  # the device's memory is read only
    assert device.host.position == frames


def test_without_any_buffer_or_frame_nothing_happens():
    device = Device()
    device.call(None, None, 64)
    assert device.host.position == 0
    assert device.state.stamps[BLOCKS] == 0
    for _ in range(3):  # no PortAudio does this; a share of no time must not break the histogram
        device.block(0)
    assert device.block(64).shape == (64, 2)
    assert device.host.position == 64


def test_the_devices_flags_are_counted_and_losses_reported():
    device = Device()
    places = (INPUT_UNDERFLOWS, INPUT_OVERFLOWS, OUTPUT_UNDERFLOWS, OUTPUT_OVERFLOWS, PRIMINGS)
    for bit, place in enumerate(places):
        for _ in range(bit + 1):
            device.block(64, flags=1 << bit)
        assert device.state.stamps[place] == bit + 1
    device.block(64, flags=0x1F | 0x100)  # what is unknown changes nothing
    assert [device.state.stamps[place] for place in places] == [2, 3, 4, 5, 6]
    reports = device.reports()
    assert [int(row[REPORT_FLAGS]) for row in reports] == [1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 0x11F]
    assert [int(row[REPORT_POSITION]) for row in reports] == [*range(0, 640, 64), 15 * 64]
    assert all(0.0 <= row[REPORT_BUSY] < 1.0 for row in reports)


def test_reports_that_nobody_reads_are_counted_and_stop_nothing():
    device = Device()
    for _ in range(300):
        device.block(64, flags=0x4)
    assert len(device.reports()) == 256
    assert device.state.reports.index[LOST] == 44
    assert device.state.stamps[OUTPUT_UNDERFLOWS] == 300


def test_every_block_is_in_the_histograms():
    device = Device()
    for _ in range(50):
        device.block(64)
    assert device.state.histogram[BUSY].sum() == device.state.stamps[BLOCKS] == 50
    assert device.state.histogram[INTERVAL].sum() == 49  # between blocks
    assert device.state.histogram[:, 0].sum() == 99  # of so much time, each takes next to nothing
    assert np.all(device.state.worst > 0.0)
    assert np.all(device.state.worst < 0.005)
    assert device.reports() == []


def test_a_block_that_takes_too_long_or_comes_too_late_is_reported():
    device = Device(cycles_per_second=1.0)  # a block is over before it begins
    for _ in range(3):
        device.block(64)
    reports = device.reports()
    assert len(reports) == 3
    assert all(row[REPORT_BUSY] > 1.0 for row in reports)
    assert all(row[REPORT_INTERVAL] > 2.0 for row in reports[1:])
    assert reports[0][REPORT_INTERVAL] == 1.0  # nothing came before it
    assert device.state.histogram[BUSY, -1] == 3
    assert device.state.histogram[INTERVAL, -1] == 2


def test_a_share_is_counted_in_its_place():
    """With blocks made to last about as long as they take, shares lie well inside the histogram."""
    device = Device()
    before = read_cycles()
    device.block(64)
    took = read_cycles() - before
    assert 0.0 < device.state.worst[BUSY] * PATIENT * 64 / RATE <= took
    device.state.cycles_per_frame[0] = took / 64
    device.state.histogram[:] = 0
    device.state.worst[:] = 0.0
    device.block(64)
    (place,) = np.flatnonzero(device.state.histogram[BUSY])
    assert place == min(1_999, int(device.state.worst[BUSY] / 0.005))
    assert place > 0


def test_counters_that_run_backward_are_no_time_at_all():
    """Two cores may differ; an index below zero would write anywhere."""
    device = Device(cycles_per_second=-1e3)
    for _ in range(3):
        device.block(64)
    assert device.state.histogram[BUSY, 0] == 3
    assert device.state.histogram.sum() == 5


def test_the_stamp_tells_where_the_latest_block_began():
    device = Device()
    out = np.zeros(2)
    assert read_stamp(device.state.stamps, out) == 0
    for i, frames in enumerate((64, 480, 32)):
        before = read_cycles()
        device.block(frames)
        assert read_stamp(device.state.stamps, out) == i + 1
        assert out[0] == (0, 64, 544)[i]
        assert before <= out[1] <= read_cycles()


@njit(void(int64, int64[::1], int64[::1]), nogil=True)
def run_many(table, stamps, began):
    """Blocks of eight frames; when each began."""
    source = np.zeros((8, 1), dtype=np.float32)
    out = np.zeros((8, 2), dtype=np.float32)
    for i in range(began.shape[0]):
        CALL(source.ctypes.data, out.ctypes.data, 8, 0, 0, table)
        began[i] = stamps[STAMP_CYCLES]


@njit(int64(int64[::1], int64, int64[:, ::1]), nogil=True)
def read_many(stamps, last_block, seen):
    """Stamps of different blocks, at most one per row of ``seen``; how many."""
    stamp = np.zeros(2)
    count = 0
    while read_stamp(stamps, stamp) < last_block:
        position = int(stamp[0])
        if count < seen.shape[0] and (count == 0 or seen[count - 1, 0] != position):
            seen[count, 0] = position
            seen[count, 1] = int(stamp[1])
            count += 1
    return count


def read_while_blocks_run(count=40_000):
    """How many stamps were read while ``count`` blocks ran; each is one block's, in order."""
    device = Device()
    stamps = device.state.stamps
    stamps[STAMP_CYCLES] = -1  # before the first block: seen or not
    began = np.zeros(count, dtype=np.int64)
    seen = np.zeros((count, 2), dtype=np.int64)
    writer = threading.Thread(target=run_many, args=(device.table.ctypes.data, stamps, began))
    writer.start()
    seen = seen[: read_many(stamps, count, seen)]
    writer.join()
    seen = seen[seen[:, 1] >= 0]
    # stamps are read as float64: exact up to 2^53 cycles, some weeks
    assert np.array_equal(seen[:, 1].astype(float), began[seen[:, 0] // 8].astype(float))
    assert np.all(np.diff(seen[:, 0]) > 0)
    assert stamps[STAMP_POSITION] == 8 * (count - 1)
    return len(seen)


def test_a_stamp_read_while_blocks_run_is_never_torn():
    seen = 0
    for _ in range(50):  # where both threads share a core, each has it for thousands of blocks
        seen += read_while_blocks_run()
        if seen > 1_000:
            break
    assert seen > 100


def test_the_table_has_a_row_per_array_and_its_address():
    device = Device()
    table = make_address_table(device.state)
    assert table.dtype == np.int64
    assert table.flags.c_contiguous
    assert table[-1].tolist() == [device.state.sink.ctypes.data, SLICE_FRAMES, 2, 0]
    assert len(set(table[:, 0])) == len(table)
