"""The audio callback with all that it may have to do, called through its C pointer as a device calls it."""

from __future__ import annotations

from collections.abc import Callable
from ctypes import CFUNCTYPE, c_int32, c_int64, c_ulong
from typing import Final, NamedTuple

import numpy as np

from ...codec.playing.convolver import PARTITIONS, QUIET
from ...codec.playing.decoder import Decoder
from ...codec.playing.decoder_state import ACTIVE
from ..engine.address_tables import make_address_table
from ..engine.callback import BUSY, make_callback_state, portaudio_callback
from ..engine.commands import AMEND, COMMAND_SIZE, PLAY, RECORD, Head
from ..engine.cycles import CycleClock
from ..engine.rings import push_row, read_frames
from ..engine.state import POSITION, RECORDING, make_engine_state, publish_number
from .decoder import plain_weights, sustained_events
from .usage import interruption_count

RATE: Final = 48_000
BLOCK_FRAMES: Final = 64
VOICE_COUNT: Final = 200
#: Place of all events: halfway between the two largest rooms, so that these two work and no other.
ROOM: Final = 2.5
#: A new event each this many samples: each takes the place of the quietest, so that all voices sound always.
_EVENT_SAMPLES: Final = 1_600

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


class LoadedCallback:
    """A callback with all its voices sounding, and the threads around it.

    Args:
        clock: measures the blocks.
        rate: in Hz.
        voice_count: voices that sound.
        named: whether their events have ids, 1 and on, to be amended by.
    """

    def __init__(
        self, clock: CycleClock, rate: int = RATE, voice_count: int = VOICE_COUNT, named: bool = False
    ) -> None:
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
            self.play(int(engine.numbers[POSITION]) + 256 + i * 37 % 64, event_id=1 + i if named else 0)
            if i % 128 == 127:  # the ring holds twice that
                self.block(2048)
        # starts, attack, and the rooms' whole length, so that every partition of theirs has something in it
        for _ in range(-(-2 * rate // 2048)):
            self.block(2048)

    def send(
        self, kind: int, at_sample: int = 0, key: int = 1, value: float = 1.0, event_id: int = 0
    ) -> None:
        """Push one command."""
        head = Head(kind, at_sample, key, value, event_id)
        self._row[: len(head)] = head
        push_row(self.engine.commands, self._row)

    def play(self, at_sample: int, event_id: int = 0) -> None:
        """Send an event that sounds at stream sample ``at_sample``."""
        self._send_record(PLAY, at_sample, event_id)

    def amend(self, at_sample: int, event_id: int) -> None:
        """Let one of the events, numbered from 1, become another at stream sample ``at_sample``."""
        self._send_record(AMEND, at_sample, event_id)

    def _send_record(self, kind: int, at_sample: int, event_id: int) -> None:
        self._row[RECORD:] = self._records[self._sent % len(self._records)]
        self._sent += 1
        self.send(kind, at_sample, event_id=event_id)

    def block(self, frames: int) -> float:
        """Share of its own time that the next block takes; the rings are emptied after it."""
        source = np.full((frames, 1), 0.01, dtype=np.float32)
        out = np.empty((frames, 2), dtype=np.float32)
        self.callback.worst[BUSY] = 0.0
        CALL(source.ctypes.data, out.ctypes.data, frames, 0, 0, self._table.ctypes.data)
        for ring, read in zip((self.engine.capture, self.engine.recording), self._read, strict=True):
            read_frames(ring, read)
        return float(self.callback.worst[BUSY])

    def measure(self, block_count: int, frames: int, before: Callable[[int], None]) -> BlockShares:
        """Blocks, and ``before`` each of them what others send; it is given the block's number."""
        busy = np.empty(block_count)
        interrupted = np.empty(block_count, dtype=bool)
        for i in range(block_count):
            before(i)
            interruptions = interruption_count()
            busy[i] = self.block(frames)
            interrupted[i] = interruption_count() != interruptions
        return BlockShares(busy, interrupted)

    def run(self, block_count: int, frames: int) -> BlockShares:
        """Blocks with an event coming now and then."""
        next_event = 0

        def play_one(block: int) -> None:
            nonlocal next_event
            position = int(self.engine.numbers[POSITION])
            if position >= next_event:
                self.play(position + frames + 17)
                next_event = position + _EVENT_SAMPLES

        return self.measure(block_count, frames, play_one)

    @property
    def voice_count(self) -> int:
        """Voices sounding now."""
        return int(self.engine.decoder.numbers[ACTIVE])

    @property
    def room_count(self) -> int:
        """Rooms that work now."""
        place = self.engine.decoder.rooms.place
        return int(np.sum(place[:, QUIET] <= place[:, PARTITIONS] + 1))
