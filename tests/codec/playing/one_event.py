"""Writes what the decoder makes of one event; with NUMBA_DISABLE_JIT=1, kernels are plain Python."""

import sys

import numpy as np

from struck.codec.playing.decoder import Decoder

from .decoder_events import RANDOM_WEIGHTS, random_events

FRAMES = 400


def sound() -> np.ndarray:
    """The first frames of an event that begins within them."""
    decoder = Decoder(RANDOM_WEIGHTS, 22_050)
    decoder.schedule(random_events(1, seed=2)[0], at_sample=30)
    return decoder.process(FRAMES)


if __name__ == "__main__":
    np.save(sys.argv[1], sound())
