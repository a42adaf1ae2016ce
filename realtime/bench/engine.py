"""How much of each block's time the audio callback takes, with everything it may have to do at once.

The callback is called through its C pointer, as a device calls it, and timed by itself: that is what it
reports on stage too. The blocks follow one another at once and not in real time, so processors and caches
are warm; a device leaves pauses.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int32, c_int64, c_ulong
from typing import Final, NamedTuple

import numpy as np

from ...codec.playing.block import ACTIVE
from ...codec.playing.convolver import PARTITIONS, QUIET
from ...codec.playing.decoder import Decoder
from ..engine.address_tables import make_address_table
from ..engine.callback import BUSY, make_callback_state, portaudio_callback
from ..engine.commands import AT_SAMPLE, COMMAND_SIZE, KEY, KIND, PANIC, PLAY, RECORD, VALUE
from ..engine.cycles import CycleClock
from ..engine.engine import POSITION, RECORDING, make_engine_state, publish_number
from ..engine.rings import push_row, read_frames
from .decoder import interruption_count, plain_weights, sustained_events
from .jobs import describe_load

RATE: Final = 48_000
BLOCK_FRAMES: Final = 64
VOICE_COUNT: Final = 200
#: Place of all events: halfway between the two largest rooms, so that these two work and no other.
ROOM: Final = 2.5
#: A new event each this many samples: each takes the place of the quietest, so that all voices sound always.
_EVENT_SAMPLES: Final = 1_600
#: Rates in Hz and block sizes that are measured shortly.
_OTHERS: Final = (*((RATE, 2**power) for power in range(5, 12)), (44_100, 64), (96_000, 64), (96_000, 128))
_OTHER_SECONDS: Final = 2.0

#: ``PaStreamCallback`` as a function; its pointers are numbers here, 0 for none.
CALL: Final = CFUNCTYPE(c_int32, c_int64, c_int64, c_ulong, c_int64, c_ulong, c_int64)(
    portaudio_callback.address
)


class BlockShares(NamedTuple):
    """What N blocks took of the time that each lasts."""

    busy: np.ndarray  # float64 [N], 1 is a whole block
    interrupted: np.ndarray  # bool [N] another thread ran on our core; all False where that is not known

    def percent(self, quantile: float) -> float:
        """A quantile in percent of a block, 1 for the worst."""
        return 100.0 * float(np.quantile(self.busy, quantile))

    @property
    def own_p999_percent(self) -> float:
        """The quantile 0.999 of the blocks that nothing interrupted."""
        own = self.busy[~self.interrupted]
        return 100.0 * float(np.quantile(own, 0.999)) if own.size else 0.0


class Stage:
    """A callback with all its voices sounding, and the threads around it."""

    def __init__(self, clock: CycleClock, rate: int = RATE, voice_count: int = VOICE_COUNT) -> None:
        engine = make_engine_state(rate, 1, 2, voice_count)
        publish_number(engine.numbers, RECORDING, 1)
        self.engine = engine
        self.callback = make_callback_state(engine, rate, clock.cycles_per_second)
        self._table = make_address_table(self.callback)
        maker = Decoder(plain_weights(), rate, 1, 1)
        self._records = maker.make_records(sustained_events(64, seed=1, rooms=(ROOM, ROOM)))
        self._row = np.zeros(COMMAND_SIZE)
        self._sent = 0
        self._read = [np.zeros((4096, channels), dtype=np.float32) for channels in (1, 2)]
        # onsets spread over a grid cell: voices then reach their chunk boundaries at different samples
        for i in range(voice_count):
            self.play(256 + i * 37 % 64)
        # starts, attack, and the rooms' whole length, so that every partition of theirs has something in it
        for _ in range(-(-2 * rate // 2048)):
            self.block(2048)

    def send(self, kind: int, at_sample: int = 0) -> None:
        """Push one command."""
        self._row[[KIND, AT_SAMPLE, KEY, VALUE]] = kind, at_sample, 1, 1.0
        push_row(self.engine.commands, self._row)

    def play(self, at_sample: int) -> None:
        """Send an event that sounds at stream sample ``at_sample``."""
        self._row[RECORD:] = self._records[self._sent % len(self._records)]
        self._sent += 1
        self.send(PLAY, at_sample)

    def block(self, frames: int) -> float:
        """Share of its own time that the next block takes; the rings are emptied after it."""
        source = np.full((frames, 1), 0.01, dtype=np.float32)
        out = np.empty((frames, 2), dtype=np.float32)
        self.callback.worst[BUSY] = 0.0
        CALL(source.ctypes.data, out.ctypes.data, frames, 0, 0, self._table.ctypes.data)
        for ring, read in zip((self.engine.capture, self.engine.recording), self._read, strict=True):
            read_frames(ring, read)
        return float(self.callback.worst[BUSY])

    def run(self, block_count: int, frames: int) -> BlockShares:
        """Blocks with an event coming now and then."""
        busy = np.empty(block_count)
        interrupted = np.empty(block_count, dtype=bool)
        next_event = 0
        for i in range(block_count):
            position = int(self.engine.numbers[POSITION])
            if position >= next_event:
                self.play(position + frames + 17)
                next_event = position + _EVENT_SAMPLES
            before = interruption_count()
            busy[i] = self.block(frames)
            interrupted[i] = interruption_count() != before
        return BlockShares(busy, interrupted)

    @property
    def voice_count(self) -> int:
        """Voices sounding now."""
        return int(self.engine.decoder.numbers[ACTIVE])

    @property
    def room_count(self) -> int:
        """Rooms that work now."""
        place = self.engine.decoder.rooms.place
        return int(np.sum(place[:, QUIET] <= place[:, PARTITIONS] + 1))


def time_flood(stage: Stage, turns: int = 20) -> float:
    """Median share of a block that obeys 16 events, as many as one of 64 frames may, and starts them."""
    shares = []
    for _ in range(turns):
        for _ in range(16):
            stage.play(int(stage.engine.numbers[POSITION]) + 5)
        shares.append(stage.block(BLOCK_FRAMES))
        stage.run(20, BLOCK_FRAMES)
    return float(np.median(shares))


def time_panic(stage: Stage, turns: int = 9) -> float:
    """Median share of a block that silences all; afterwards the stage is empty."""
    shares = []
    for _ in range(turns):
        stage.send(PANIC)
        shares.append(stage.block(BLOCK_FRAMES))
    return float(np.median(shares))


def run(report: Callable[[str], None], block_count: int = 20_000) -> dict[str, float]:
    """Measure, tell ``report`` line by line, return the figures; all shares in percent of a block."""
    report(f"audio callback, one thread: {describe_load()}")
    clock = CycleClock(0.2)
    stage = Stage(clock)
    shares = stage.run(block_count, BLOCK_FRAMES)
    figures = {
        "voices": float(stage.voice_count),
        "rooms": float(stage.room_count),
        "blocks": float(block_count),
        "block_us": 1e6 * BLOCK_FRAMES / RATE,
        "median_percent": shares.percent(0.5),
        "p99_percent": shares.percent(0.99),
        "p999_percent": shares.percent(0.999),
        "worst_percent": shares.percent(1.0),
        "own_p999_percent": shares.own_p999_percent,
        "own_worst_percent": 100.0 * float(np.max(shares.busy[~shares.interrupted], initial=0.0)),
        "interrupted_share": float(np.mean(shares.interrupted)),
    }
    report(
        f"{RATE} Hz, {block_count} blocks of {BLOCK_FRAMES} frames, {stage.voice_count} voices, "
        f"{stage.room_count} rooms; of a block's {figures['block_us']:.0f} us:"
    )
    report(
        f"  median {figures['median_percent']:.1f} %, p99 {figures['p99_percent']:.1f} %, "
        f"p99.9 {figures['p999_percent']:.1f} %, worst {figures['worst_percent']:.1f} %"
    )
    report(
        f"  of the blocks that nothing interrupted ({1 - figures['interrupted_share']:.2%}): "
        f"p99.9 {figures['own_p999_percent']:.1f} %, worst {figures['own_worst_percent']:.1f} %"
    )
    figures["flood_percent"] = 100.0 * time_flood(stage)
    figures["panic_percent"] = 100.0 * time_panic(stage)
    report(
        f"  16 events sent and started in one block: {figures['flood_percent']:.1f} %; "
        f"panic: {figures['panic_percent']:.1f} %"
    )
    for rate, frames in (
        *((RATE, 2**power) for power in range(5, 12)),
        (44_100, 64),
        (96_000, 64),
        (96_000, 128),
    ):
        other = Stage(clock, rate).run(round(_OTHER_SECONDS * rate / frames), frames)
        name = f"rate_{rate}_frames_{frames}"
        figures[f"{name}_median_percent"] = other.percent(0.5)
        figures[f"{name}_p999_percent"] = other.percent(0.999)
        figures[f"{name}_worst_percent"] = other.percent(1.0)
        report(
            f"{rate} Hz, {frames} frames: median {other.percent(0.5):.1f} %, "
            f"p99.9 {other.percent(0.999):.1f} %, worst {other.percent(1.0):.1f} %"
        )
    return figures
