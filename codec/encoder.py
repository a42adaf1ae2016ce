"""The encoder as a Python program meets it: chosen by its profile's name, with the weights shipped."""

from __future__ import annotations

from typing import Final

import numpy as np
import soxr

from .events.event_spec import ANALYSIS_RATE
from .events.events import Event
from .events.profiles import PROFILES, Profile
from .events.settle import settle
from .files.samples import as_mono
from .hearing.joint.profile_encoder import make_encoder
from .weights.codec_weights import CodecWeights, shipped_codec_weights


class Encoder:
    """Sound in, events out: all at once (:meth:`encode`), or as the sound comes (:meth:`process`).

    Args:
        profile: how far it listens ahead before it decides: ``studio`` 3 s, for files; ``live`` 0.19 s;
            ``tight`` 0.05 s; ``instant`` 0.01 s. What :meth:`process` gives are events as they are first
            heard; :func:`struck.codec.hearing.following.hearing.make_hearing` also ends and amends them.
        weights: trained weights, see :func:`struck.codec.load_codec_weights`; None takes those shipped.
        refine_steps: gradient steps that bring events nearer to what is heard, in each round of ``studio``,
            or for each hop; None takes the profile's: 8 for ``studio`` and ``live``, 4 for the others.

    Raises:
        ValueError: there is no such profile, or fewer than 0 steps.
        StruckError: the weights cannot encode.

    Example, a tone of A3 that dies away:
        >>> import numpy as np
        >>> from struck.codec import Encoder, describe
        >>> seconds = np.arange(22_050) / 22_050
        >>> tone = 0.3 * np.exp(-4 * seconds) * np.sin(2 * np.pi * 220 * seconds)
        >>> loudest = max(Encoder("studio").encode(tone, 22_050), key=lambda event: event.gain_db)
        >>> abs(describe(loudest).pitch_hz - 220) < 3
        True
    """

    #: Samples per second that :meth:`process` takes.
    rate: Final = ANALYSIS_RATE

    def __init__(
        self,
        profile: str = "studio",
        weights: CodecWeights | None = None,
        refine_steps: int | None = None,
    ) -> None:
        if profile not in PROFILES:
            raise ValueError(f"there is no profile {profile!r}; there are {', '.join(PROFILES)}")
        if refine_steps is not None and refine_steps < 0:
            raise ValueError(f"refine_steps is {refine_steps}; it must not be negative")
        weights = weights or shipped_codec_weights()
        self._encoder = make_encoder(weights, PROFILES[profile], refine_steps)

    @property
    def profile(self) -> Profile:
        """Its lookahead and hop."""
        return self._encoder.profile

    @property
    def latency_samples(self) -> int:
        """Samples between an onset and the latest moment at which its event is given."""
        return self._encoder.latency_samples

    @property
    def nonfinite_samples(self) -> int:
        """How many samples were not numbers, and counted as 0."""
        return self._encoder.nonfinite_samples

    def process(self, samples: np.ndarray, rate: int = ANALYSIS_RATE) -> list[Event]:
        """Events that are decided once ``samples`` are heard.

        Args, raises: as :meth:`struck.codec.hearing.encoder.StreamingEncoder.process`.
        """
        return self._encoder.process(samples, rate)

    def flush(self) -> list[Event]:
        """The rest: what is left is encoded up to the last sample, as if silence followed."""
        return self._encoder.flush()

    def reset(self) -> None:
        """Forget everything heard; the next sample is sample 0."""
        self._encoder.reset()

    def encode(self, samples: np.ndarray, rate: int = ANALYSIS_RATE) -> list[Event]:
        """The events of a whole sound, in order of onset, each as long as it sounds. What was heard before is
        forgotten.

        Args:
            samples: mono, ``[N]``: floats with full scale at 1, int16 or int32.
            rate: their rate in Hz; :func:`struck.codec.read_audio` gives both.

        Raises:
            TypeError: whole numbers of another size.
            ValueError: the samples are not mono, or the rate is not positive.
        """
        if rate <= 0:
            raise ValueError(f"rate is {rate}; it must be positive")
        samples = as_mono(samples)
        if rate != self.rate:
            samples = soxr.resample(samples, rate, self.rate, quality="HQ")
        self.reset()
        events = self.process(samples) + self.flush()
        return settle([*events, *self._encoder.take_changes()])
