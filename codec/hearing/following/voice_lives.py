"""How long the voice of an event lives: what has faded by itself cannot be amended any more."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...events.controls import compute_controls, make_tables
from ...events.event_spec import ANALYSIS_RATE
from ...events.events import Event
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

    def until_seconds(self, event: Event) -> float:
        """Stream time up to which ``event``, as it is now, can be amended."""
        gain_db, vector = np.array([event.gain_db], np.float32), event.vector[None]
        controls = compute_controls(self._weights, gain_db, vector, self._tables, np)
        tone = float(mode_life_chunks(controls, ANALYSIS_RATE).max()) * CHUNK
        noise = float(noise_life_samples(controls, ANALYSIS_RATE)[0])
        return event.onset_seconds + max(tone, noise) / ANALYSIS_RATE - _MARGIN_SECONDS
