"""Events to voice records: what a thread other than the audio thread does to make an event sound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..events.controls import compute_controls, make_tables
from ..events.events import Event, stack_gains, stack_vectors
from ..weights.codec_weights import CodecWeights
from .noise import check_rate
from .voice_records import make_voice_records


class RecordMaker:
    """Makes the rows that :func:`~struck.codec.playing.block.insert_event` takes.

    Args:
        weights: the codec's weights; only the decoder's part is used.
        rate: device rate in Hz, a multiple of 150 from 22,050 to 192,000.

    Raises:
        ValueError: the rate is out of range.
    """

    def __init__(self, weights: CodecWeights, rate: int) -> None:
        self.rate = check_rate(rate)
        # double precision: pitch is then exact to 1e-9 cent, and both decoders agree over minutes
        self._weights = {name: array.astype(np.float64) for name, array in weights.decoder.items()}
        self._tables = make_tables(lambda array: np.asarray(array, dtype=np.float64))

    def make(self, events: Sequence[Event]) -> np.ndarray:
        """Voice records, float64 ``[E, RECORD_SIZE]``; the onsets are not in them."""
        gains = stack_gains(events).astype(np.float64)
        vectors = stack_vectors(events).astype(np.float64)
        controls = compute_controls(self._weights, gains, vectors, self._tables, np)
        return make_voice_records(controls, self.rate)
