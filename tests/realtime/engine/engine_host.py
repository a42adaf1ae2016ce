"""An engine as its driver and the threads around it use it: commands in, blocks through, rings out."""

from itertools import cycle

import numpy as np

from struck.codec.playing.decoder import Decoder
from struck.realtime.engine.commands import (
    AMEND,
    COMMAND_SIZE,
    CONTROL,
    END,
    OUTCOME,
    OUTCOMES,
    PLAY,
    RECORD,
    RESULT_ID,
    RESULT_SAMPLE,
    RESULT_SIZE,
    Head,
)
from struck.realtime.engine.engine import process_engine
from struck.realtime.engine.parameters import ENGINE_PARAMETERS, gain_from_db
from struck.realtime.engine.rings import pop_row, push_row, read_frames
from struck.realtime.engine.state import POSITION, make_engine_state

from ...codec.playing.decoder_events import RANDOM_WEIGHTS

RATE = 48_000


def noise(frames, channels, seed=1, most=0.5):
    """Uniform noise, float32 ``[frames, channels]``."""
    return np.random.default_rng(seed).uniform(-most, most, (frames, channels)).astype(np.float32)


def slices(frames, slicing):
    """``range`` objects of the lengths in ``slicing``, in turn, over ``frames``."""
    done = 0
    for length in cycle(slicing):
        if done == frames:
            return
        end = min(frames, done + length)
        yield slice(done, end)
        done = end


class EngineHost:
    """An engine, and a decoder that makes its records."""

    def __init__(self, rate=RATE, inputs=1, outputs=2, voice_count=64, **options):
        options = {"ring_seconds": 1.0, "phrase_seconds": 1.0, "pending_count": 512, **options}
        self.state = make_engine_state(rate, inputs, outputs, voice_count, **options)
        self.inputs, self.outputs = inputs, outputs
        self._maker = Decoder(RANDOM_WEIGHTS, rate, voice_count=1, pending_count=1)

    @property
    def position(self):
        return int(self.state.numbers[POSITION])

    def send(self, kind, at_sample=0, key=0, value=0.0, record=None, event_id=0, flags=0):
        """Push one command; False if its ring is full."""
        row = np.zeros(COMMAND_SIZE)
        row[:RECORD][: len(Head._fields)] = Head(kind, at_sample, key, value, event_id, flags)
        if record is not None:
            row[RECORD:] = record
        return bool(push_row(self.state.commands, row))

    def play(self, event, at_sample, event_id=0):
        return self.send(PLAY, at_sample, record=self._maker.make_records([event])[0], event_id=event_id)

    def amend(self, event_id, event, at_sample):
        return self.send(AMEND, at_sample, record=self._maker.make_records([event])[0], event_id=event_id)

    def end(self, event_id, at_sample):
        return self.send(END, at_sample, event_id=event_id)

    def results(self):
        """What has become of events since the last time: outcome, id, stream sample."""
        found, row = [], np.zeros(RESULT_SIZE)
        while pop_row(self.state.results, row):
            found.append((OUTCOMES[int(row[OUTCOME])], int(row[RESULT_ID]), int(row[RESULT_SAMPLE])))
        return found

    def control(self, name, value_db):
        return self.send(CONTROL, 0, ENGINE_PARAMETERS.index(name), gain_from_db(value_db))

    def settle(self, **values_db):
        """Set gains as if they had been so from the start; the ceiling only before the first block."""
        for name, value_db in values_db.items():
            place = ENGINE_PARAMETERS.index(name)
            self.state.targets[place] = gain_from_db(value_db)
            if place < len(self.state.gains):
                self.state.gains[place] = gain_from_db(value_db)

    def run(self, source, slicing=(64,)):
        """What goes out, ``[F, C_out]``, for ``source [F, C_in]``, or for so many frames of silence."""
        if isinstance(source, int):
            source = np.zeros((source, self.inputs), dtype=np.float32)
        out = np.full((len(source), self.outputs), np.nan, dtype=np.float32)
        for part in slices(len(source), slicing):
            process_engine(self.state, source[part], out[part])
        return out


def take(ring):
    """All that can be read from a ring of samples, ``[F, C]``."""
    out = np.full((10 * len(ring.frames), ring.frames.shape[1]), np.nan, dtype=np.float32)
    return out[: read_frames(ring, out)]
