"""Events in windows, as the tests of refitting need them."""

import numpy as np

from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.hearing.refit.records import make_heard, make_renderer, make_scratch
from struck.codec.hearing.refit.window import add_events
from struck.codec.weights.codec_weights import default_codec_weights_path, load_codec_weights

WEIGHTS = load_codec_weights(default_codec_weights_path()).decoder
NAMES = ("gain_db", *(field.name for field in FIELDS), "shift")


def vector(**values):
    """A vector with these physical values, zeros otherwise, ``[32]``."""
    out = np.zeros(VECTOR_SIZE, np.float32)
    for name, value in values.items():
        out[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return out


def random_parameters(rng, count, dtype=np.float32):
    """``[count, 34]``: events of all kinds."""
    parameters = np.empty((count, 2 + VECTOR_SIZE), dtype)
    parameters[:, 0] = rng.uniform(-40.0, -10.0, count)
    parameters[:, 1:-1] = rng.uniform(-0.9, 0.9, (count, VECTOR_SIZE))
    parameters[:, -1] = rng.uniform(-0.004, 0.004, count)
    return parameters


def sums_of(renderer, parameters, onset_rows, rows):
    """Sums of powers and fourth powers of the rows looked at."""
    shape = (-(-rows // int(renderer.stride[0])), renderer.noise.values.shape[1])
    power, fourth = np.zeros((2, *shape), np.float32)
    ends = np.full(len(parameters), rows)
    scratch = make_scratch(renderer, len(parameters), rows)
    add_events(renderer, parameters, np.asarray(onset_rows), ends, rows, scratch, power, fourth)
    return power, fourth


def make_scene(seed, n_fft, rows, count, stride=1):
    """A renderer, events, their onset rows, and what is heard: events like them, other events, some noise."""
    rng = np.random.default_rng(seed)
    renderer = make_renderer(WEIGHTS, n_fft, stride)
    parameters = random_parameters(rng, count)
    onset_rows = rng.integers(2, rows // 3, count)
    every = make_renderer(WEIGHTS, n_fft, 1)
    like = parameters.copy()
    like[:, :-1] += rng.normal(0.0, 0.05, like[:, :-1].shape).astype(np.float32)
    power, _ = sums_of(every, like, onset_rows, rows)
    others = random_parameters(rng, 2)
    others[:, 0] -= 20.0
    modelled = sums_of(every, others, [3, 5], rows)
    observed = np.sqrt(power + modelled[0])
    observed += 1e-3 * observed.max() * np.abs(rng.standard_normal(observed.shape)).astype(np.float32)
    return renderer, parameters, onset_rows, make_heard(renderer, observed, *modelled)
