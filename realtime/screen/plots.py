"""One picture of a take: what was heard, where, in which colours, and what each event was worth.

Four panels: the spectrogram with the events on it, the events over time by the one number that tells most of
them apart, all vectors as a heat map, and the energy that each step removed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...codec.events.amendments import StreamItem
from ...codec.events.errors import StruckError
from ...codec.events.event_spec import BANDWIDTH_HZ, FIELDS, VECTOR_SIZE
from ...codec.events.events import stack_gains, stack_vectors
from ...codec.events.lives import EventLife, collect_lives
from ...codec.files.samples import as_mono
from .plot_data import (
    COLUMNS_MAX,
    Projection,
    audible_end,
    log_frequency_levels_db,
    physical,
    project_vectors,
)

_DYNAMIC_RANGE_DB: Final = 70.0

#: The frequency axis is in MIDI notes, so that octaves are equally high: C1 to the codec's bandwidth.
_NOTE_LOW: Final = 24.0
_NOTE_HIGH: Final = 69.0 + 12.0 * float(np.log2(BANDWIDTH_HZ / 440.0))
_NOTE_STEP: Final = 1 / 3
_TICKS_HZ: Final = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)

#: Quieter events than this under the loudest are drawn equally small.
_MARKER_RANGE_DB: Final = 48.0

_SUFFIXES: Final = (".png", ".svg", ".pdf")
_PITCH_COLOURS: Final = "viridis"
_PROJECTION_COLOURS: Final = "turbo"


def plot_take(
    path: str | Path,
    items: Iterable[StreamItem],
    signal: ArrayLike,
    rate: int,
    *,
    name: str,
    signal_name: str = "sound of the events",
    removed_db: Sequence[float] | None = None,
    overview: bool = False,
) -> None:
    """Draw a take into the file ``path``.

    Args:
        path: the file to write; a ``.png``, ``.svg`` or ``.pdf``. Drawn in memory before it is touched.
        items: events, and their amendments and ends if they have any, in any order; none is fine.
        signal: mono samples ``[N]`` at ``rate`` Hz whose spectrogram lies under the events.
        name: of the take, for the title.
        signal_name: what the signal is, for the first panel's title.
        removed_db: energy removed in dB after 1, 2, 3 ... events, in the order in which they were found.
            None: the last panel shows the events' share of power, loudest first.
        overview: only the first panel, and smaller: a picture for a page of text.

    Raises:
        ValueError: the signal is not one-dimensional, ``rate`` is not positive, or the extension is another.
        StruckError: the file cannot be written.
    """
    # Matplotlib takes long to import and nothing but this function needs it. No pyplot: it keeps global
    # state and looks for a screen.
    from matplotlib.figure import Figure

    samples = as_mono(signal)
    if rate <= 0:
        raise ValueError(f"rate is {rate}; it must be positive")
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"the extension of {path.name} is not one of {', '.join(_SUFFIXES)}")

    lives = collect_lives(items)
    events = [life.event for life in lives]
    vectors, gains_db = stack_vectors(events), stack_gains(events)
    projection = project_vectors(vectors)
    onsets = np.asarray([event.onset_seconds for event in events])
    seconds = max(samples.size / rate, float(onsets[-1]) if events else 0.0, 1e-3)

    size, dpi = ((11.0, 4.8), 80) if overview else ((14.0, 15.0), 110)
    figure = Figure(figsize=size, dpi=dpi, layout="constrained")
    panels = (5.0,) if overview else (5.0, 2.6, 5.2, 2.2)
    top, *others = figure.subplots(len(panels), 1, height_ratios=panels, squeeze=False)[:, 0]
    figure.suptitle(
        f"{_drawable(name)}: {len(events)} event{'' if len(events) == 1 else 's'} in {seconds:.2f} s "
        f"({len(events) / seconds:.1f} events/s)",
        fontsize=12 if overview else 15,
        parse_math=False,  # a name may hold two dollar signs
    )
    _draw_spectrogram(figure, top, samples, rate, seconds, signal_name)
    _draw_events(figure, top, lives, onsets, gains_db, vectors, projection)
    if not overview:
        middle, heat, bottom = others
        _draw_projection(figure, middle, onsets, gains_db, vectors, projection, seconds)
        _draw_vectors(figure, heat, vectors)
        _draw_energy(bottom, gains_db, removed_db)

    picture = BytesIO()
    with warnings.catch_warnings():
        # No font has every character of a name; a box stands in its place.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(picture, format=path.suffix.lower().lstrip("."))
    try:
        path.write_bytes(picture.getvalue())
    except OSError as error:
        raise StruckError(f"cannot write {path}: {error.strerror}") from error


def _drawable(name: str) -> str:
    """``name`` with a mark for each byte that is no text (PEP 383), which no font can draw."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _draw_spectrogram(
    figure: Any, axes: Any, samples: NDArray[np.float32], rate: int, seconds: float, signal_name: str
) -> None:
    notes = np.arange(_NOTE_LOW, _NOTE_HIGH, _NOTE_STEP)
    level_db, column_seconds = log_frequency_levels_db(samples, rate, 440.0 * 2.0 ** ((notes - 69.0) / 12.0))
    image = axes.imshow(
        level_db.T,
        origin="lower",
        aspect="auto",
        extent=(0.0, len(level_db) * column_seconds, _NOTE_LOW, _NOTE_HIGH),
        cmap="Greys",
        # White up to -70 dB; the darkest grey stays light enough for markers to stand out.
        vmin=-_DYNAMIC_RANGE_DB,
        vmax=12.0,
        interpolation="nearest",
    )
    figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, label="level (dB re loudest)").ax.set_ylim(
        -_DYNAMIC_RANGE_DB, 0.0
    )
    axes.set(xlim=(0.0, seconds), ylim=(_NOTE_LOW, _NOTE_HIGH), xlabel="time (s)", ylabel="frequency (Hz)")
    axes.set_yticks([69.0 + 12.0 * np.log2(hz / 440.0) for hz in _TICKS_HZ], [f"{hz:,}" for hz in _TICKS_HZ])
    axes.set_title(
        f"events on the spectrogram of the {_drawable(signal_name)}",
        loc="left",
        fontsize=11,
        parse_math=False,
    )


def _draw_events(
    figure: Any,
    axes: Any,
    lives: Sequence[EventLife],
    onsets: NDArray[np.float64],
    gains_db: NDArray[np.float32],
    vectors: NDArray[np.float32],
    projection: Projection,
) -> None:
    from matplotlib.collections import LineCollection

    if len(onsets) == 0:
        _say_nothing_here(axes)
        return
    pitches = _shown_pitches(vectors)
    noisy = physical(vectors, "noisiness") > 0.5
    sizes = _marker_areas(gains_db)
    low, high = -1.0, 1.0
    if projection.variance_share > 0.0:  # a few outliers must not wash out the colours of all others
        low, high = np.percentile(projection.positions, (1.0, 99.0))
    edge = 0.5 * _crowding(len(onsets))
    paths = [_path(life) for life in lives]
    lines = LineCollection(
        paths,
        array=projection.positions,
        linewidths=np.sqrt(sizes) / 4.0,
        alpha=0.75,
        cmap=_PROJECTION_COLOURS,
        clim=(low, high),
    )
    axes.add_collection(lines, autolim=False)
    for chosen, marker, label in ((~noisy, "o", "tone at its pitch"), (noisy, "s", "mostly noise")):
        if not chosen.any():
            continue
        dots = axes.scatter(
            onsets[chosen],
            pitches[chosen],
            s=sizes[chosen],
            c=projection.positions[chosen],
            marker=marker,
            edgecolors="black",
            linewidths=edge,
            vmin=low,
            vmax=high,
            cmap=_PROJECTION_COLOURS,
            label=f"{label} ({int(chosen.sum())})",
            zorder=3,
        )
    # every point of a path between its ends is an amendment, told twice: before and after
    amended = np.concatenate([path[2:-1:2] for path in paths])
    if len(amended):
        label = f"amended ({len(amended)})"
        axes.scatter(*amended.T, marker="|", s=30.0, c="black", linewidths=0.8, label=label, zorder=4)
    figure.colorbar(dots, ax=axes, pad=0.01, fraction=0.03, label="first principal component")
    legend = axes.legend(
        loc="upper right",
        fontsize=9,
        title="marker: onset, larger = louder; line: until its end or -20 dB",
        title_fontsize=9,
    )
    for handle in legend.legend_handles:
        handle.set_sizes([40.0])


def _path(life: EventLife) -> NDArray[np.float64]:
    """Where the line of an event goes, ``[2 + 2 * amendments, 2]`` of time and pitch: step by step."""
    states = life.states
    vectors = stack_vectors([event for _, event in states])
    begins = np.array([at_seconds for at_seconds, _ in states])
    end = audible_end(life)
    times = np.minimum(np.append(np.repeat(begins, 2)[1:], end), end)
    return np.stack([times, np.repeat(_shown_pitches(vectors), 2)], axis=1)


def _shown_pitches(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Pitches ``[E]`` of ``vectors [E, 32]``, moved into the picture."""
    return np.clip(physical(vectors, "pitch"), _NOTE_LOW + 0.5, _NOTE_HIGH - 0.5).astype(np.float64)


def _draw_projection(
    figure: Any,
    axes: Any,
    onsets: NDArray[np.float64],
    gains_db: NDArray[np.float32],
    vectors: NDArray[np.float32],
    projection: Projection,
    seconds: float,
) -> None:
    axes.set(xlim=(0.0, seconds), xlabel="time (s)", ylabel="first principal\ncomponent of the vectors")
    axes.grid(alpha=0.3)
    if len(onsets) == 0:
        _say_nothing_here(axes)
        return
    dots = axes.scatter(
        onsets,
        projection.positions,
        s=_marker_areas(gains_db),
        c=np.clip(physical(vectors, "pitch"), _NOTE_LOW, _NOTE_HIGH),
        cmap=_PITCH_COLOURS,
        edgecolors="black",
        linewidths=0.5 * _crowding(len(onsets)),
    )
    figure.colorbar(dots, ax=axes, pad=0.01, fraction=0.03, label="pitch (MIDI note)")
    if projection.variance_share == 0.0:
        title = "events by their vectors, which do not differ"
        axes.set_ylim(-1.0, 1.0)
    else:
        strongest = np.argsort(-np.abs(projection.loadings))[:4]
        signs = ", ".join(f"{'+' if projection.loadings[i] > 0 else '-'}{FIELDS[i].name}" for i in strongest)
        share = f"{100 * projection.variance_share:.0f} % of the variance"
        title = f"events by their vectors: {share}; mostly {signs}"
    axes.set_title(title, loc="left", fontsize=11)


def _draw_vectors(figure: Any, axes: Any, vectors: NDArray[np.float32]) -> None:
    axes.set_yticks(range(VECTOR_SIZE), [field.name for field in FIELDS], fontsize=8)
    axes.set(xlabel="event, by onset", ylim=(VECTOR_SIZE - 0.5, -0.5))
    axes.set_title("vectors", loc="left", fontsize=11)
    if len(vectors) == 0:
        _say_nothing_here(axes)
        return
    image = axes.imshow(
        vectors.T,
        aspect="auto",
        cmap="RdBu_r",
        vmin=-1.0,
        vmax=1.0,
        interpolation="nearest" if len(vectors) <= COLUMNS_MAX else "antialiased",
        extent=(0.5, len(vectors) + 0.5, VECTOR_SIZE - 0.5, -0.5),
    )
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    figure.colorbar(image, ax=axes, pad=0.01, fraction=0.03, label="position in the field's range")


def _draw_energy(axes: Any, gains_db: NDArray[np.float32], removed_db: Sequence[float] | None) -> None:
    axes.grid(alpha=0.3)
    if removed_db is not None:
        steps, heights = np.arange(len(removed_db) + 1), np.asarray([0.0, *removed_db])
        axes.set(xlabel="events found", ylabel="energy removed (dB)")
        axes.set_title("energy removed step by step", loc="left", fontsize=11)
    else:
        power = np.sort(10.0 ** (gains_db.astype(np.float64) / 10.0))[::-1]
        steps = np.arange(len(power) + 1)
        heights = 100.0 * np.concatenate([[0.0], np.cumsum(power) / max(power.sum(), 1e-30)])
        axes.set(xlabel="events, loudest first", ylabel="share of power (%)", ylim=(0.0, 103.0))
        axes.set_title(
            "power of the events at their attacks, summed from the loudest", loc="left", fontsize=11
        )
    if len(steps) == 1:
        _say_nothing_here(axes)
        return
    axes.set_xlim(0, len(steps) - 1)
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    axes.step(steps, heights, where="post", color="tab:blue")
    axes.fill_between(steps, heights, step="post", alpha=0.2, color="tab:blue")
    # The last step has no width of its own.
    axes.plot(steps[-1], heights[-1], "o", color="tab:blue", clip_on=False)
    unit = "dB" if removed_db is not None else "%"
    axes.annotate(
        f"{heights[-1]:.1f} {unit}",
        (steps[-1], heights[-1]),
        (-8, -14),
        textcoords="offset points",
        ha="right",
    )


def _say_nothing_here(axes: Any) -> None:
    axes.text(0.5, 0.5, "no events", transform=axes.transAxes, ha="center", va="center", color="grey")


def _marker_areas(gains_db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Marker areas ``[E]`` in points squared; smaller where there are many events."""
    loudness = np.clip(1.0 + (gains_db - gains_db.max()) / _MARKER_RANGE_DB, 0.0, 1.0)
    return (6.0 + 110.0 * loudness**2) * _crowding(len(gains_db))


def _crowding(event_count: int) -> float:
    """Factor by which markers shrink so that many events still let the spectrogram through."""
    return min(1.0, (300.0 / event_count) ** 0.5)
