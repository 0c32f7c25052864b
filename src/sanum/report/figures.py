"""Drawings as PNG bytes. No pyplot and no global state, so the service may draw in several threads."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator

from sanum.core.errors import CalibrationError, TrainingError
from sanum.report.display import View

DPI = 110
WIDTH_INCHES = 9.0
COLOUR_BAR_INCHES = 1.0
GAP_INCHES = 0.08
MAX_PANEL_INCHES = 4.2
MARK = "#7fdbff"
INK = "#e8e8e8"
HEALTHY, LESION = "#0072b2", "#d55e00"
"""Two of Okabe and Ito's colours (2008), told apart by colour-blind readers."""


@cache
def heat_colours() -> Colormap:
    """One-sided scores: inferno without its black end, from thin to nearly opaque."""
    share = np.linspace(0.0, 1.0, 256)
    colours = colormaps["inferno"](0.3 + 0.7 * share)
    colours[:, 3] = 0.35 + 0.55 * share
    heat = ListedColormap(colours)
    return heat.with_extremes(bad=(0, 0, 0, 0), under=(0, 0, 0, 0))


def heat_scale(map_scale: tuple[float, float]) -> tuple[float, float]:
    """Map values where the colours start and end, fixed by healthy scans so that pictures can be compared.

    Ends that coincide (a flat healthy map) are set apart by a hair.

    Raises:
        CalibrationError: the scale is not two finite numbers.
    """
    low, high = map_scale
    if not np.isfinite(map_scale).all():
        raise CalibrationError(
            f"colour scale: expected two finite map values, got {low} to {high}; calibrate again"
        )
    return low, max(high, low + 1e-6 * max(1.0, abs(low)))


def overlay(views: Sequence[View], window: tuple[float, float], map_scale: tuple[float, float]) -> bytes:
    """Draw slices to one scale: the bare scan, the same with the map in colour over it, and its healthy reconstruction.

    Args:
        views: one or more slices, all with a map or all without, all with a reconstruction or all without.
        window: scan values shown black and white.
        map_scale: map values where colour starts (transparent below) and is fullest.

    Returns:
        PNG bytes. One slice is drawn side by side, several in a row each.
    """
    coloured = views[0].heat is not None
    rows = _panels(views, coloured)
    widths, heights = _panel_sizes(rows, coloured)
    size = (
        sum(widths) + GAP_INCHES * (len(widths) + 1) + (COLOUR_BAR_INCHES if coloured else 0.0),
        sum(heights) + GAP_INCHES * (len(heights) + 1),
    )
    figure = Figure(figsize=size, dpi=DPI, facecolor="black")
    for row, panels in enumerate(rows):
        bottom = size[1] - sum(heights[: row + 1]) - GAP_INCHES * (row + 1)
        for column, (view, with_heat) in enumerate(panels):
            left = sum(widths[:column]) + GAP_INCHES * (column + 1)
            box = (left / size[0], bottom / size[1], widths[column] / size[0], heights[row] / size[1])
            draw_view(figure.add_axes(box), view, window, map_scale if with_heat else None)
    if coloured:
        _draw_colour_bar(figure, map_scale, size)
    return png(figure)


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


def _panels(views: Sequence[View], coloured: bool) -> list[list[tuple[View, bool]]]:
    rows = [[(view, False) for view in views]]
    if coloured:
        rows.append([(view, True) for view in views])
    reconstructions = [
        replace(view, scan=view.reconstruction) for view in views if view.reconstruction is not None
    ]
    if reconstructions:
        rows.append([(reconstruction, False) for reconstruction in reconstructions])
    return [[panel for row in rows for panel in row]] if len(views) == 1 else rows


def _panel_sizes(rows: list[list[tuple[View, bool]]], coloured: bool) -> tuple[list[float], list[float]]:
    """Widths of the columns and heights of the rows in inches, all panels at one scale."""
    extents = [
        (view.scan.shape[0] * view.pixel_mm[0], view.scan.shape[1] * view.pixel_mm[1]) for view, _ in rows[0]
    ]
    room = WIDTH_INCHES - GAP_INCHES * (len(extents) + 1) - (COLOUR_BAR_INCHES if coloured else 0.0)
    tallest = max(height for height, _ in extents)
    scale = min(room / sum(width for _, width in extents), MAX_PANEL_INCHES / tallest)
    return [max(width * scale, 0.5) for _, width in extents], [max(tallest * scale, 0.5)] * len(rows)


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
            cmap=heat_colours(),
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


def _draw_colour_bar(figure: Figure, map_scale: tuple[float, float], size: tuple[float, float]) -> None:
    height = min(2.6, 0.8 * size[1])
    left = 1.0 - (COLOUR_BAR_INCHES - 0.1) / size[0]
    axes = figure.add_axes((left, 0.5 - height / size[1] / 2, 0.14 / size[0], height / size[1]))
    low, high = heat_scale(map_scale)
    ramp = np.linspace(low, high, 256)[:, None]
    axes.set_facecolor("#555555")
    axes.imshow(
        ramp,
        cmap=heat_colours(),
        vmin=low,
        vmax=high,
        origin="lower",
        aspect="auto",
        extent=(0, 1, low, high),
    )
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.tick_params(colors=INK, labelsize=8)
    axes.set_ylabel("anomaly score", color=INK, fontsize=8)
