"""Charts as PNG bytes, and a slice on axes. No pyplot and no global state, so the service may draw in several threads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from sanum.core.errors import TrainingError
from sanum.report.display import View
from sanum.report.heat import COLOURS, heat_scale

DPI = 110
MARK = "#7fdbff"
INK = "#e8e8e8"
HEALTHY, LESION = "#0072b2", "#d55e00"
"""Two of Okabe and Ito's colours (2008), told apart by colour-blind readers."""


@cache
def _heat_colours() -> Colormap:
    """The colours of scores; nothing below them and outside the mask."""
    return ListedColormap(COLOURS).with_extremes(bad=(0, 0, 0, 0), under=(0, 0, 0, 0))


def loss_curve(train: Sequence[float], validation: Sequence[float] | None) -> bytes:
    """Loss by epoch, from 1, as PNG bytes.

    Raises:
        TrainingError: no epoch to draw.
    """
    if not len(train):
        raise TrainingError("loss curve: no finished epoch to draw")
    figure, axes = chart("epoch", "loss")
    epochs = np.arange(1, len(train) + 1)
    axes.plot(epochs, train, color=HEALTHY, marker="o", markersize=3, label="training")
    if validation is not None and len(validation):
        axes.plot(
            np.arange(1, len(validation) + 1),
            validation,
            color=LESION,
            marker="s",
            markersize=3,
            label="validation",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False)
    return png(figure)


def chart(x_label: str, y_label: str, size: tuple[float, float] = (6.4, 4.0)) -> tuple[Figure, Axes]:
    """An empty chart with labelled axes on white."""
    figure = Figure(figsize=size, dpi=DPI, facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def draw_view(
    axes: Axes, view: View, window: tuple[float, float], map_scale: tuple[float, float] | None
) -> None:
    """Draw one slice onto axes: grey from black to white over `window`, the map in colour unless its scale is None."""
    height, width = view.pixel_mm
    axes.set_facecolor("black")
    axes.imshow(view.scan, cmap="gray", vmin=window[0], vmax=window[1], aspect=height / width)
    if map_scale is not None and view.heat is not None:
        axes.imshow(
            view.heat,
            cmap=_heat_colours(),
            norm=Normalize(*heat_scale(map_scale)),
            aspect=height / width,
            interpolation="nearest",
        )
        _draw_judged_edge(axes, view)
        _draw_peaks(axes, view)
    axes.set_axis_off()
    _draw_letters(axes, view.letters)


def _draw_judged_edge(axes: Axes, view: View) -> None:
    judged = ~np.isnan(view.heat) if view.heat is not None else np.zeros(view.scan.shape, bool)
    if judged.any() and not judged.all() and min(judged.shape) > 1:
        axes.contour(judged, levels=[0.5], colors=MARK, linewidths=0.5, alpha=0.6)


def _draw_peaks(axes: Axes, view: View) -> None:
    edge = [withStroke(linewidth=2.5, foreground="black")]
    for row, column, rank in view.peaks:
        axes.plot(column, row, "+", color=MARK, markersize=9, markeredgewidth=1.2, path_effects=edge)
        towards_centre = -5 if column > view.scan.shape[1] / 2 else 5
        axes.annotate(
            str(rank),
            (column, row),
            xytext=(towards_centre, 4),
            textcoords="offset points",
            ha="right" if towards_centre < 0 else "left",
            color=MARK,
            fontsize=9,
            weight="bold",
            path_effects=edge,
        )


def _draw_letters(axes: Axes, letters: str) -> None:
    places = ((0.01, 0.5), (0.99, 0.5), (0.5, 0.99), (0.5, 0.01))
    sides = (("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom"))
    for letter, (x, y), (across, along) in zip(letters, places, sides, strict=False):
        axes.text(x, y, letter, transform=axes.transAxes, color=INK, fontsize=9, ha=across, va=along)
