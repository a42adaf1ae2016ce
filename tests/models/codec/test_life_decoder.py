"""The torch twin of amended events against the Numba decoder."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from struck.codec.events.amendments import Amendment, End, in_stream_order  # noqa: E402
from struck.codec.events.event_spec import INDEX, VECTOR_SIZE  # noqa: E402
from struck.codec.events.events import Event  # noqa: E402
from struck.codec.events.lives import collect_lives  # noqa: E402
from struck.codec.playing.decoder import Decoder  # noqa: E402
from struck.models.codec.life_decoder import LifeDecoder  # noqa: E402

from .test_event_decoder import WEIGHTS, error_db, one_thread  # noqa: E402, F401

#: The shortest that these may be set to: the decoder ignores what is said of an event that is over.
LASTING = {"hold": 0.2, "decay": 0.6, "release": 0.5, "noise_decay": 0.5}


def random_vector(rng):
    vector = rng.uniform(-1, 1, VECTOR_SIZE).astype(np.float32)
    for name, least in LASTING.items():
        vector[INDEX[name]] = max(vector[INDEX[name]], least)
    return vector


def random_stream(count, seed, rate, samples):
    """Lasting events, amended in half of their fields and ended at the last."""
    rng = np.random.default_rng(seed)
    items = []
    for id in range(count):
        onset = 0.0 if id == 0 else float(rng.uniform(0.0, 0.4 * samples / rate))
        items.append(Event(onset, float(rng.uniform(-15, 0)), random_vector(rng), id))
        times = np.sort(rng.uniform(onset, samples / rate, 5))
        for at in times[: rng.integers(2, 5)]:
            vector = np.where(rng.random(VECTOR_SIZE) < 0.5, random_vector(rng), np.float32(np.nan))
            gain_db = float(rng.uniform(-15, 0)) if rng.random() < 0.5 else None
            items.append(Amendment(id, float(at), gain_db, vector))
        if rng.random() < 0.5:
            items.append(End(id, float(times[-1])))
    return in_stream_order(items)


def law(items, rate, length):
    decoder = Decoder(WEIGHTS, rate)
    for item in items:
        decoder.schedule(item)
    sound = decoder.process(length).astype(np.float64)
    counters = decoder.counters()
    assert counters["amendments_unknown"] == 0
    changes = sum(not isinstance(item, Event) for item in items)
    assert counters["amended"] + counters["ended"] >= changes // 2  # some may fall into the last chunk
    return sound


@pytest.mark.parametrize(
    ("rate", "length"), [(22_050, 6000), (44_100, 12_000), (48_000, 9000), (96_000, 12_000)]
)
def test_amended_events_agree_one_by_one(rate, length):
    """Rates of all kinds of slides, two to thirty chunks; -60 dB is promised."""
    twin = LifeDecoder(WEIGHTS.decoder, rate, torch.float64)
    worst = -np.inf
    for seed in range(10):
        items = random_stream(1, seed + rate, rate, length)
        with torch.no_grad():
            got = twin.mix_lives(collect_lives(items), length).numpy()
        worst = max(worst, error_db(law(items, rate, length), got))
    print(f"worst of 10 lives at {rate} Hz: {worst:.1f} dB")
    assert worst <= -60.0


def test_mixtures_of_lives_agree():
    for rate in (22_050, 48_000):
        items = random_stream(8, 3, rate, 9000)
        twin = LifeDecoder(WEIGHTS.decoder, rate, torch.float64)
        with torch.no_grad():
            got = twin.mix_lives(collect_lives(items), 9000).numpy()
        assert error_db(law(items, rate, 9000), got) <= -60.0


def test_a_life_without_amendments_is_the_event():
    items = [item for item in random_stream(4, 5, 22_050, 6000) if isinstance(item, Event)]
    twin = LifeDecoder(WEIGHTS.decoder, 22_050, torch.float64)
    arguments = (
        torch.tensor([e.gain_db for e in items]),
        torch.from_numpy(np.stack([e.vector for e in items])),
        torch.tensor([e.onset_sample(22_050) for e in items]),
    )
    with torch.no_grad():
        lives = twin.mix_lives(collect_lives(items), 6000).numpy()
        assert error_db(lives, twin.mix(*arguments, 6000).numpy()) < -120.0
