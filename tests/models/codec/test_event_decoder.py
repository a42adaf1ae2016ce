"""The torch twin against the Numba decoder."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from struck.codec.events.controls import make_initial_timbre_weights  # noqa: E402
from struck.codec.events.event_spec import VECTOR_SIZE  # noqa: E402
from struck.codec.events.events import Event  # noqa: E402
from struck.codec.playing.decoder import Decoder  # noqa: E402
from struck.codec.weights.codec_weights import CodecWeights  # noqa: E402
from struck.models.codec.event_decoder import EventDecoder  # noqa: E402

WEIGHTS = CodecWeights("random", make_initial_timbre_weights(3), {})


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def random_programme(count, seed, latest_onset):
    rng = np.random.default_rng(seed)
    return (
        rng.uniform(-40, 0, count).astype(np.float32),
        rng.uniform(-1, 1, (count, VECTOR_SIZE)).astype(np.float32),
        rng.integers(0, latest_onset, count),
    )


def play(decoder, gains, vectors, onsets, length):
    decoder.reset()
    for gain, vector, onset in zip(gains, vectors, onsets, strict=True):
        decoder.schedule(Event(0.0, float(gain), vector), at_sample=int(onset))
    return decoder.process(length).astype(np.float64)


def error_db(got, wanted):
    return 10 * np.log10(np.sum((got - wanted) ** 2) / np.sum(wanted**2))


@pytest.mark.parametrize(
    ("rate", "count", "length"), [(22_050, 170, 4096), (48_000, 25, 4096), (44_100, 5, 44_100)]
)
def test_single_events_agree(rate, count, length):
    """200 random events in all; at worst -60 dB relative to the event, measured near -100."""
    gains, vectors, onsets = random_programme(count, rate, 300)
    decoder = Decoder(WEIGHTS, rate)
    twin = EventDecoder(WEIGHTS.decoder, rate, torch.float64)
    worst = -np.inf
    with torch.no_grad():
        for e in range(count):
            one = slice(e, e + 1)
            law = play(decoder, gains[one], vectors[one], onsets[one], length)
            arguments = (torch.from_numpy(a[one]) for a in (gains, vectors, onsets))
            worst = max(worst, error_db(law, twin(*arguments, length)[0].numpy()))
    print(f"worst of {count} events at {rate} Hz: {worst:.1f} dB")
    assert worst <= -60.0


def test_mixtures_agree():
    """Shared noise adds in power; onsets at cell edges, twice at one sample, and in one cell."""
    gains, vectors, onsets = random_programme(16, 4, 6000)
    onsets[:6] = (0, 64, 127, 1000, 1000, 1010)
    for rate in (22_050, 48_000):
        twin = EventDecoder(WEIGHTS.decoder, rate, torch.float64)
        with torch.no_grad():
            mixture = twin.mix(*(torch.from_numpy(a) for a in (gains, vectors, onsets)), 9000).numpy()
        assert error_db(play(Decoder(WEIGHTS, rate), gains, vectors, onsets, 9000), mixture) <= -60.0


def test_single_precision_is_close():
    """Training runs in float32."""
    gains, vectors, onsets = (torch.from_numpy(a) for a in random_programme(4, 9, 300))
    with torch.no_grad():
        single = EventDecoder(WEIGHTS.decoder, 22_050)(gains, vectors, onsets, 4096).double()
        double = EventDecoder(WEIGHTS.decoder, 22_050, torch.float64)(gains, vectors, onsets, 4096)
    assert single.shape == (4, 4096)
    assert error_db(single.numpy(), double.numpy()) <= -40.0


def test_gradients_reach_vectors_gains_and_weights():
    gains, vectors, onsets = (torch.from_numpy(a) for a in random_programme(3, 10, 100))
    vectors.requires_grad_()
    gains.requires_grad_()
    twin = EventDecoder(WEIGHTS.decoder, 22_050)
    for render in (
        lambda: twin(gains, vectors, onsets, 2048),
        lambda: twin.mix(gains, vectors, onsets, 2048),
    ):
        twin.zero_grad()
        vectors.grad = gains.grad = None
        render().square().sum().backward()
        for gradient in (vectors.grad, gains.grad, *(p.grad for p in twin.parameters())):
            assert torch.all(torch.isfinite(gradient))
            assert torch.any(gradient != 0)


def test_gradient_is_the_slope():
    """Central differences of the energy in double precision, where the vector acts smoothly."""
    gains, vectors, onsets = (torch.from_numpy(a) for a in random_programme(1, 12, 10))
    twin = EventDecoder(WEIGHTS.decoder, 22_050, torch.float64)
    vectors = vectors.double().requires_grad_()

    def energy(v):
        return twin(gains, v, onsets, 1500).square().sum()

    energy(vectors).backward()
    for i in (6, 9, 13, 15, 24, 25):
        step = torch.zeros_like(vectors)
        step[0, i] = 1e-6
        with torch.no_grad():
            slope = (energy(vectors + step) - energy(vectors - step)) / 2e-6
        assert vectors.grad[0, i].item() == pytest.approx(slope.item(), rel=1e-3, abs=1e-9)
