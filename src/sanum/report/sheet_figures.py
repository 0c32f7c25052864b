"""Drawings of the contact sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sanum.report.display import Tile
from sanum.report.figures import DPI, HEALTHY, INK, chart, png
from sanum.report.unusual import BINS

SHEET_INCHES = 10.0
TILE_INCHES = 1.25
CAPTION_INCHES = 0.2
CAPTION_LETTERS = 22
UNUSUAL_COLOUR = "#ffb000"


def draw_tiles(tiles: Sequence[Tile]) -> bytes:
    """A grid of cases as PNG bytes, channels side by side, captions of unusual cases marked and coloured."""
    channels = max(len(tile.pictures) for tile in tiles)
    columns = max(1, int(SHEET_INCHES // (TILE_INCHES * channels)))
    rows = -(-len(tiles) // columns)
    width, height = SHEET_INCHES / columns, SHEET_INCHES / columns / channels + CAPTION_INCHES
    figure = Figure(figsize=(SHEET_INCHES, rows * height), dpi=DPI, facecolor="black")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        box = (column / columns, 1 - (row + 1) / rows, 1 / columns, (1 - CAPTION_INCHES / height) / rows)
        axes = figure.add_axes(box)
        axes.imshow(_strip(tile), cmap="gray", vmin=0.0, vmax=1.0)
        axes.set_axis_off()
        figure.text(
            (column + 0.5) / columns,
            1 - (row + 0.5 * CAPTION_INCHES / height) / rows,
            ("▲ " if tile.unusual else "")
            + _shorten(tile.caption, round(CAPTION_LETTERS * width / TILE_INCHES)),
            color=UNUSUAL_COLOUR if tile.unusual else INK,
            fontsize=7,
            ha="center",
            va="center",
            parse_math=False,
        )
    return png(figure)


def draw_histograms(histograms: Sequence[NDArray[np.float64]], modalities: Sequence[str]) -> bytes:
    """Intensity histograms (C, BINS) of all cases over each other, one chart a modality, as PNG bytes."""
    centres = (np.arange(BINS) + 0.5) / BINS
    size = (SHEET_INCHES / max(2, len(modalities)), 2.8)
    figure, axes = chart("prepared value", "share of voxels", (size[0] * len(modalities), size[1]))
    panels = [axes]
    if len(modalities) > 1:
        figure.clear()
        panels = list(figure.subplots(1, len(modalities), squeeze=False)[0])
    opacity = float(np.clip(12 / len(histograms), 0.04, 0.7))
    for channel, (panel, modality) in enumerate(zip(panels, modalities, strict=True)):
        shares = np.array([histogram[channel] for histogram in histograms])
        panel.plot(centres, shares.T, color=HEALTHY, linewidth=0.7, alpha=opacity)
        panel.plot(centres, np.median(shares, axis=0), color="black", linewidth=1.4)
        panel.set_title(modality, fontsize=10, parse_math=False)
        panel.set_xlabel("prepared value")
        panel.set_ylabel("share of voxels")
    return png(figure)


def _strip(tile: Tile) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(picture, dtype=np.float64) for picture in tile.pictures], axis=1)


def _shorten(text: str, letters: int) -> str:
    """Keep both ends: names of cases often differ only in their last letters."""
    half = letters // 2 - 1
    return text if len(text) <= letters else f"{text[:half]}…{text[-half:]}"
