"""Pictures of an evaluation of MARS: how a phrase grows from coarse to fine, and notes side by side."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from struck.codec.events.errors import StruckError
from struck.codec.events.event_spec import ANALYSIS_RATE

from ...mars.sound.spectrum import FLOOR_DB, MARS_FRAMES

Float32Array = NDArray[np.float32]

_TICKS_HZ: Final = (100, 300, 1000, 3000, 10_000)
_COLOURS: Final = "magma"
_COLUMNS: Final = 5


def draw_scales(
    path: Path,
    scales: Sequence[Float32Array],
    shapes: Sequence[tuple[int, int]],
    title: str,
    hop_samples: float,
) -> None:
    """What each scale adds, coarse to fine: log-magnitudes ``[F, T]`` in dB side by side, as a ``.png``.

    Args:
        hop_samples: between two frames.
        shapes: rows and columns of each scale's tokens.

    Raises:
        StruckError: the file cannot be written.
    """
    titles = [f"{i + 1}: {h} x {w} tokens" for i, (h, w) in enumerate(shapes)]
    columns = min(_COLUMNS, len(scales))
    lines = -(-len(scales) // columns)
    figure, panels = _figure(columns, lines, title)
    for panel, level, name in zip(panels, scales, titles, strict=False):
        _draw(panel, level, name, hop_samples)
    for panel in panels[len(scales) :]:
        panel.set_axis_off()
    _write(path, figure)


def draw_rows(path: Path, rows: Sequence[tuple[str, Sequence[Float32Array]]], titles: Sequence[str]) -> None:
    """The same sounds by several sources: one line of spectrograms for each source, as a ``.png``.

    Args:
        rows: name of the source, its clips ``[N]``.
        titles: of the columns.

    Raises:
        StruckError: the file cannot be written.
    """
    figure, panels = _figure(len(titles), len(rows), "")
    for line, (name, clips) in enumerate(rows):
        for column, (clip, title) in enumerate(zip(clips, titles, strict=True)):
            panel = panels[line * len(titles) + column]
            _draw(panel, MARS_FRAMES.log_magnitude(clip), f"{name}\n{title}", MARS_FRAMES.hop_samples)
    _write(path, figure)


def _figure(columns: int, lines: int, title: str) -> tuple[Any, list[Any]]:
    # Matplotlib takes long to import and nothing but pictures needs it.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * columns, 2.9 * lines), dpi=80, layout="constrained")
    figure.suptitle(title)
    return figure, list(np.atleast_1d(figure.subplots(lines, columns, sharex=True, sharey=True)).ravel())


def _draw(panel: Any, level_db: Float32Array, title: str, hop_samples: float) -> None:
    bins, frames = level_db.shape
    # Rows of equal height in log frequency, the loudest bin in each: partials stay visible.
    edges = np.unique(np.round(np.geomspace(3, bins, 180)).astype(int))
    rows = np.stack([level_db[a:b].max(0) for a, b in itertools.pairwise(edges)])
    seconds = frames * hop_samples / ANALYSIS_RATE
    bin_hz = ANALYSIS_RATE / (2 * bins)
    mesh_x, mesh_y = np.linspace(0.0, seconds, frames + 1), edges * bin_hz
    panel.pcolormesh(mesh_x, mesh_y, rows, cmap=_COLOURS, vmin=FLOOR_DB, vmax=0.0, rasterized=True)
    panel.set_yscale("log")
    panel.set_yticks(_TICKS_HZ, [f"{hz:,}" for hz in _TICKS_HZ])
    panel.minorticks_off()
    panel.set_title(title, fontsize=8)
    panel.tick_params(labelsize=7)


def _write(path: Path, figure: Any) -> None:
    picture = BytesIO()
    figure.savefig(picture, format="png")
    try:
        path.write_bytes(picture.getvalue())
    except OSError as error:
        raise StruckError(f"cannot write {path}: {error.strerror}") from error
