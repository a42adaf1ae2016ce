"""Plots: the numbers behind them are right, and a picture comes out for few, many and no events."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from struck.codec.events.amendments import Amendment, End
from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import FIELDS, INDEX, VECTOR_SIZE, from_physical
from struck.codec.events.events import Event
from struck.codec.events.lives import collect_lives
from struck.realtime.screen.plot_data import (
    COLUMNS_MAX,
    audible_end,
    audible_seconds,
    log_frequency_levels_db,
    physical,
    project_vectors,
)
from struck.realtime.screen.plots import plot_take

RATE = 8000


def make_vector(**values: float) -> np.ndarray:
    vector = np.zeros(VECTOR_SIZE, dtype=np.float32)
    for name, value in values.items():
        vector[INDEX[name]] = from_physical(FIELDS[INDEX[name]], value)
    return vector


def make_events(count: int, seconds: float, seed: int = 0) -> list[Event]:
    rng = np.random.default_rng(seed)
    return [
        Event(rng.uniform(0.0, seconds), rng.uniform(-60.0, 0.0), rng.uniform(-1.0, 1.0, VECTOR_SIZE))
        for _ in range(count)
    ]


def make_tone(seconds: float, frequency_hz: float = 440.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def read_grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("L"), dtype=np.float64)


@pytest.mark.parametrize(
    ("count", "seconds", "removed"), [(0, 1.0, None), (1, 1.0, [3.0]), (40, 2.0, None), (5000, 60.0, None)]
)
def test_a_picture_comes_out(tmp_path: Path, count: int, seconds: float, removed: list[float] | None) -> None:
    path = tmp_path / "take.png"
    plot_take(path, make_events(count, seconds), make_tone(seconds), RATE, name="take", removed_db=removed)
    pixels = read_grey(path)
    assert min(pixels.shape) > 1000
    assert pixels.std() > 10.0
    assert [file.name for file in tmp_path.iterdir()] == ["take.png"]


def test_an_overview_is_small(tmp_path: Path) -> None:
    path = tmp_path / "take.png"
    plot_take(path, make_events(40, 2.0), make_tone(2.0), RATE, name="take", overview=True)
    pixels = read_grey(path)
    assert 300 < pixels.shape[0] < 500
    assert pixels.std() > 10.0
    plot_take(path, [], make_tone(2.0), RATE, name="take", overview=True)
    assert not np.array_equal(read_grey(path), pixels)


def test_events_are_drawn_where_and_as_loud_as_they_are(tmp_path: Path) -> None:
    """Two pictures that differ in the place of one event differ; without sound or events little is dark."""
    silence = np.zeros(RATE, dtype=np.float32)
    dark = {}
    for name, events in {
        "none": [],
        "early": [Event(0.2, 0.0, make_vector(pitch=60.0))],
        "late": [Event(0.8, 0.0, make_vector(pitch=60.0))],
    }.items():
        plot_take(tmp_path / f"{name}.png", events, silence, RATE, name="x")
        dark[name] = read_grey(tmp_path / f"{name}.png")
    assert dark["none"].mean() > dark["early"].mean()
    assert not np.array_equal(dark["early"], dark["late"])


def test_the_energy_curve_is_that_of_the_caller(tmp_path: Path) -> None:
    events, tone = make_events(5, 1.0), make_tone(1.0)
    pictures = []
    for number, removed in enumerate(([1, 2, 3, 4, 5], [1, 2, 3, 4, 9], None)):
        plot_take(tmp_path / f"{number}.png", events, tone, RATE, name="x", removed_db=removed)
        pictures.append(read_grey(tmp_path / f"{number}.png"))
    above = slice(0, round(0.8 * len(pictures[0])))
    np.testing.assert_array_equal(pictures[0][above], pictures[1][above])
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_events_without_sound_and_equal_events(tmp_path: Path) -> None:
    events = [Event(0.5 * i, -20.0, make_vector()) for i in range(3)]
    plot_take(tmp_path / "x.png", events, np.zeros(0), RATE, name="x")
    assert read_grey(tmp_path / "x.png").std() > 10.0


@pytest.mark.parametrize(("suffix", "start"), [(".svg", b"<?xml"), (".PDF", b"%PDF")])
def test_other_formats(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"x{suffix}"
    plot_take(path, make_events(2, 1.0), make_tone(1.0), RATE, name="x")
    assert path.read_bytes().startswith(start)


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shape"):
        plot_take(tmp_path / "x.png", [], np.zeros((2, 5)), RATE, name="x")
    with pytest.raises(ValueError, match="rate is 0"):
        plot_take(tmp_path / "x.png", [], np.zeros(5), 0, name="x")
    with pytest.raises(ValueError, match=r"x\.gif"):
        plot_take(tmp_path / "x.gif", [], np.zeros(5), RATE, name="x")
    with pytest.raises(StruckError, match="cannot write"):
        plot_take(tmp_path / "missing" / "x.png", [], np.zeros(5), RATE, name="x")


def test_projection_finds_the_direction_in_which_vectors_differ() -> None:
    vectors = np.stack([make_vector(pitch=pitch, noisiness=0.3) for pitch in (40.0, 60.0, 100.0)])
    projection = project_vectors(vectors)
    assert projection.variance_share == pytest.approx(1.0)
    assert projection.loadings[INDEX["pitch"]] == pytest.approx(1.0)
    expected = vectors[:, INDEX["pitch"]] - vectors[:, INDEX["pitch"]].mean()
    np.testing.assert_allclose(projection.positions, expected, atol=1e-6)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_projection_of_equal_vectors_is_zero(count: int) -> None:
    projection = project_vectors(np.full((count, VECTOR_SIZE), 0.3, dtype=np.float32))
    assert projection.variance_share == 0.0
    np.testing.assert_array_equal(projection.positions, np.zeros(count))


def test_an_event_is_audible_until_its_own_decay_or_the_end_of_its_force() -> None:
    vectors = np.stack(
        [
            make_vector(decay=0.9, attack=0.01, hold=5.0, release=3.0),
            make_vector(decay=30.0, attack=0.1, hold=1.0, release=0.3),
            make_vector(decay=30.0, noise_decay=0.6, attack=0.1, hold=5.0),
        ]
    )
    seconds = audible_seconds(vectors, np.array([False, False, True]))
    np.testing.assert_allclose(seconds, [0.3, 1.2, 0.2], rtol=1e-4)
    np.testing.assert_allclose(physical(vectors, "decay"), [0.9, 30.0, 30.0], rtol=1e-4)


def test_an_ended_or_amended_event_is_audible_as_long_as_it_really_is() -> None:
    event = Event(1.0, -20.0, make_vector(decay=30.0, attack=0.1, hold=2.0, release=0.3), 7)
    longer = Amendment.of_fields(7, 2.0, {"hold": 4.0})
    too_late = Amendment.of_fields(7, 5.0, {"hold": 6.0})
    for items, end in (
        ([event], 3.2),
        ([event, End(7, 1.5)], 1.6),
        ([event, End(7, 9.0)], 3.2),
        ([event, longer], 5.2),
        ([event, too_late], 3.2),
        ([event, longer, End(7, 4.0)], 4.1),
    ):
        (life,) = collect_lives(items)
        assert audible_end(life) == pytest.approx(end, rel=1e-4)


def test_amended_events_are_drawn_where_they_went(tmp_path: Path) -> None:
    events = [Event(0.2 * id, -20.0, make_vector(pitch=60.0, decay=30.0, hold=6.0), id) for id in range(4)]
    bends = [Amendment.of_fields(id, 0.9, {"pitch": 72.0}) for id in range(4)]
    ends = [End(id, 1.5) for id in range(4)]
    pictures = []
    for name, items in (("events", events), ("ended", [*events, *ends]), ("bent", [*events, *bends, *ends])):
        plot_take(tmp_path / f"{name}.png", items, make_tone(2.0), RATE, name="x")
        pictures.append(read_grey(tmp_path / f"{name}.png"))
    before, ended, bent = pictures
    panel = slice(0, before.shape[0] // 3)
    assert np.any(before[panel] != ended[panel])
    assert np.any(ended[panel] != bent[panel])


@pytest.mark.parametrize("seconds", [0.0, 0.01, 1.0, 90.0])
def test_spectrogram_levels(seconds: float) -> None:
    frequencies = np.array([110.0, 440.0, 1760.0, 5000.0])
    levels, column_seconds = log_frequency_levels_db(make_tone(seconds), RATE, frequencies)
    assert levels.shape[0] <= COLUMNS_MAX
    assert levels.shape[0] * column_seconds == pytest.approx(seconds, abs=2 * column_seconds)
    if seconds >= 1.0:
        middle = levels[len(levels) // 2]
        assert middle[1] == pytest.approx(0.0, abs=0.5)
        assert (middle[[0, 2]] < -50.0).all()
        assert middle[3] == pytest.approx(-200.0)  # above half the rate
