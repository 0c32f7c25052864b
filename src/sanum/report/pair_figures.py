"""Figures about registered pairs: how far apart two sides lie, cross predictions."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sanum.report.curves import DASHES, OKABE_ITO, svg
from sanum.report.figures import DPI, chart


def distributions(values: Mapping[str, Sequence[float]], label: str) -> bytes:
    """Histograms of one score in several groups, over one set of bins, as SVG."""
    figure, axes = chart(label, "share of cases", (6.4, 3.6))
    every = np.concatenate([np.asarray(group, float) for group in values.values()])
    low, high = float(every.min()), float(every.max())
    bins = np.linspace(low, high if high > low else low + 1.0, 31)
    for (name, group), colour, dash in zip(values.items(), cycle(OKABE_ITO), cycle(DASHES), strict=False):
        share = np.full(len(group), 1.0 / len(group))
        axes.hist(
            group,
            bins=list(bins),
            weights=share,
            histtype="step",
            color=colour,
            linestyle=dash,
            linewidth=1.8,
            label=f"{name} (n = {len(group)})",
        )
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def panels(rows: Sequence[Sequence[tuple[str, NDArray[np.floating], str]]]) -> bytes:
    """Rows of slices (I, J) under their captions, as PNG.

    Args:
        rows: caption, slice, and how it is drawn: "grey" in [0, 1], "heat" from 0, or "spread" about 0.
    """
    height, width = len(rows), max(len(row) for row in rows)
    figure = Figure(figsize=(1.9 * width, 2.1 * height), dpi=DPI, facecolor="white", layout="constrained")
    grid = figure.subplots(height, width, squeeze=False)
    for row, places in zip(rows, grid, strict=True):
        for axes in places:
            axes.set_axis_off()
        for (caption, values, kind), axes in zip(row, places, strict=False):
            style = {
                "grey": ("gray", 0.0, 1.0),
                "heat": ("inferno", 0.0, 4.0),
                "spread": ("RdBu_r", -4.0, 4.0),
            }[kind]
            axes.imshow(
                np.rot90(values), cmap=style[0], vmin=style[1], vmax=style[2], interpolation="nearest"
            )
            axes.set_title(caption, fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()
