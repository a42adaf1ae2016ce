"""How long the voice of an event lives: what has faded by itself cannot be amended any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...events.controls import compute_controls, make_tables
from ...events.event_spec import ANALYSIS_RATE
from ...events.events import Event, stack_vectors
from ...playing.voice_records import CHUNK, mode_life_chunks, noise_life_samples
from ...weights.codec_weights import CodecWeights

#: A voice is given up so long before it is over: clocks are rounded, and chunks of samples counted.
_MARGIN_SECONDS: Final = 0.02


class VoiceLives:
    """Knows until when whoever plays an event can amend it.

    Args:
        weights: the codec's weights; only the decoder's part is used.
    """

    def __init__(self, weights: CodecWeights) -> None:
        self._weights = weights.decoder
        self._tables = make_tables()

    def until_seconds(self, events: Sequence[Event]) -> NDArray[np.float64]:
        """Stream times up to which each of ``events``, as it is now, can be amended: ``[E]``."""
        if not events:
            return np.zeros(0)
        gain_db = np.array([event.gain_db for event in events], np.float32)
        controls = compute_controls(self._weights, gain_db, stack_vectors(events), self._tables, np)
        tone = mode_life_chunks(controls, ANALYSIS_RATE).max(1).astype(np.float64) * CHUNK
        noise = noise_life_samples(controls, ANALYSIS_RATE).astype(np.float64)
        onsets = np.array([event.onset_seconds for event in events])
        return onsets + np.maximum(tone, noise) / ANALYSIS_RATE - _MARGIN_SECONDS
