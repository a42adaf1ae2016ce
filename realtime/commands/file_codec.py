"""The codec as :func:`struck.codec.measures.evaluation.evaluate_folder` measures it: through a real take.

Of a profile that follows, what is rendered is what was played: every moment as it was known then.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ...codec.events.amendments import StreamItem
from ...codec.events.event_spec import read_field
from ...codec.events.profiles import Profile
from ...codec.events.settle import settle
from ...codec.hearing.following.hearing import make_hearing
from ...codec.measures.evaluation import CodecResult
from ...codec.pipeline import ANALYSIS_RATE, make_header, render_samples
from ...codec.takes.takes import TakeReader, TakeWriter
from ...codec.weights.codec_weights import CodecWeights


class FileCodec:
    """Callable that encodes and decodes one signal; what was quantised is what is judged."""

    def __init__(self, weights: CodecWeights, profile: Profile, refine_steps: int | None) -> None:
        self._weights, self._profile, self._refine_steps = weights, profile, refine_steps

    def hear(self, signal: NDArray[np.float32]) -> list[StreamItem]:
        """The stream of ``signal``, mono ``[T]`` at the analysis rate."""
        hearing = make_hearing(self._weights, self._profile, self._refine_steps)
        return [*hearing.process(signal), *hearing.flush()]

    def __call__(self, signal: NDArray[np.float32]) -> CodecResult:
        """Encode and decode ``signal``, mono ``[T]`` at the analysis rate."""
        started = perf_counter()
        found = self.hear(signal)
        encode_seconds = perf_counter() - started
        with TemporaryDirectory() as folder:
            path = Path(folder) / "take.mcap"
            with TakeWriter(path, make_header(self._weights, self._profile, "evaluation")) as take:
                for item in found:
                    take.write(item)
            reader = TakeReader(path)
            statistics = reader.statistics()
            items = list(reader.items())
        events = settle(items)
        return CodecResult(
            decoded=render_samples(self._weights, items, ANALYSIS_RATE),
            onset_seconds=[event.onset_seconds for event in events],
            event_count=len(events),
            payload_bits=statistics.payload_bits,
            encode_seconds=encode_seconds,
            pitches_midi=[float(read_field(event.vector, "pitch")) for event in events],
            amendment_count=statistics.amendments + statistics.ends,
            amendment_bits=statistics.amendment_bits + statistics.end_bits,
        )
