"""Arrays of the voices: what each row and column holds, for the kernels that render, amend and end them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from ..events.event_spec import MODE_COUNT
from .kernel_options import LINKED
from .shared_noise import NOISE_COLUMNS
from .voice_records import BUS_COUNT, CHUNK, SCALARS

# rows of VoiceState.slow (float64 per mode); OMEGA is the settled rotation per sample in radians,
# LEFT how far from its new rotation a slide begins
(
    Z_RE, Z_IM, TURN_RE, TURN_IM, C_RE, C_IM, GLIDE_RE, GLIDE_IM, SETTLED_RE, SETTLED_IM, OMEGA, LEFT,
) = range(12)  # fmt: skip
# rows of VoiceState.fast (float32 per mode); a slide leaves the amplitude FROM, RATIO times the new one,
# and the old rotation by SHARE
(
    CURVE, SINE, AMPLITUDE, STAGE1, STAGE2, FACTOR1, FACTOR2, LIFE, FREQUENCY, FADE, NUMBER, FROM, RATIO,
    SHARE,
) = range(14)  # fmt: skip
# rows of VoiceState.scratch
Y, D_Y, K, A, D_A, BEGIN, AIM = range(7)
# columns of VoiceState.counts; SLIDE_FROM is the chunk with which the last slide began, ENDED the chunk with
# which an end released the voice, or NEVER_ENDED
(
    CHUNK_NUMBER, MODES, TONE_ON, NOISE_ON, ONSET, ARRIVAL, ASKED, EVENT_ID, SLIDING, SLIDE_FROM,
    NOISE_SLIDING, ENDED, FIRST_CHANGE, LAST_CHANGE,
) = range(14)  # fmt: skip
# columns of VoiceState.levels; RISEN is the force when it was released, NOISE_NOW the noise's envelope at the
# last grid point, NOISE_SHARE the weight there of the noise that a slide leaves, NOISE_BEGUN the new envelope
# where the slide began
(
    RELEASE, TONE_LEVEL, NOISE_LEVEL, NOISE_DECAY, NOISE_RELEASE, RISEN, NOISE_NOW, NOISE_SHARE, NOISE_BEGUN,
) = range(9)  # fmt: skip

#: As :data:`~struck.codec.playing.kernel_options.NOUGHT`.
ALL_MODES, WHOLE_CHUNK = np.array([MODE_COUNT, CHUNK])

NEVER_ENDED: Final = 2**62
#: No amendment or end waits for a voice.
NO_CHANGE: Final = -1
#: A voice that no amendment can name.
NO_ID: Final = 0

#: Whole chunks only: sums may be reordered by the compiler, the same way every time.
FAST: Final[dict[str, Any]] = {**LINKED, "fastmath": {"contract", "reassoc", "nsz"}}


class VoiceState(NamedTuple):
    """Arrays of V voices."""

    slow: np.ndarray  # float64 [V, 12, MODE_COUNT] phasors and rotations
    fast: np.ndarray  # float32 [V, 14, MODE_COUNT] amplitudes and decays
    scalars: np.ndarray  # float64 [V, S] copied from the record
    levels: np.ndarray  # float64 [V, 9] force in the release, powers for stealing, noise envelope
    counts: np.ndarray  # int64 [V, 14] next chunk, sounding modes, flags, onset, names, slides, changes
    noise: np.ndarray  # float32 [V, NOISE_COLUMNS] power in each band
    bus: np.ndarray  # float32 [V, BUS_COUNT] weights
    noise_from: np.ndarray  # float32 [V, BUS_COUNT, NOISE_COLUMNS] noise power that a slide leaves
    bus_from: np.ndarray  # float32 [V, BUS_COUNT] weights that a slide leaves
    chunk: np.ndarray  # float32 [CHUNK] the chunk just rendered
    scratch: np.ndarray  # float32 [7, MODE_COUNT] the kernel's working set
    order: np.ndarray  # float64 [4, MODE_COUNT] what a slide leaves, while modes change places


def make_voice_state(voice_count: int) -> VoiceState:
    """Silent voices."""
    return VoiceState(
        slow=np.zeros((voice_count, 12, MODE_COUNT)),
        fast=np.zeros((voice_count, 14, MODE_COUNT), dtype=np.float32),
        scalars=np.zeros((voice_count, len(SCALARS))),
        levels=np.zeros((voice_count, 9)),
        counts=np.zeros((voice_count, 14), dtype=np.int64),
        noise=np.zeros((voice_count, NOISE_COLUMNS), dtype=np.float32),
        bus=np.zeros((voice_count, BUS_COUNT), dtype=np.float32),
        noise_from=np.zeros((voice_count, BUS_COUNT, NOISE_COLUMNS), dtype=np.float32),
        bus_from=np.zeros((voice_count, BUS_COUNT), dtype=np.float32),
        chunk=np.zeros(CHUNK, dtype=np.float32),
        scratch=np.zeros((7, MODE_COUNT), dtype=np.float32),
        order=np.zeros((4, MODE_COUNT)),
    )
