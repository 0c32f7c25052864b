"""Drawings of slices as PNG bytes, by numpy and Pillow: a plotting library takes four times as long for them.

No global state, so the service may draw in several threads.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sanum.report.display import View
from sanum.report.heat import COLOURS, heat_scale, over_grey
from sanum.report.png import encode_png

WIDTH = 990
"""Pixels of a drawing, as of all lengths here."""

BAR_ROOM, BAR_WIDTH, MOST_BAR = 110, 15, 286
GAP = 9
MOST_PANEL, LEAST_PANEL = 462, 55
LETTERS, SMALL = 13.75, 12.2
"""Heights of the two sizes of text."""

MARK, INK = (127, 219, 255), (232, 232, 232)
EDGE_COVER = 0.45
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST_TICKS = 8
SHARP = 3.0
"""Voxels drawn larger than so many pixels stay squares; smaller ones are smoothed."""

Size = tuple[int, int]
"""Width and height in pixels."""


def overlay(views: Sequence[View], window: tuple[float, float], map_scale: tuple[float, float]) -> bytes:
    """Draw slices to one scale: the bare scan, the same with the map in colour over it, and its healthy reconstruction.

    Args:
        views: one or more slices, all with a map or all without, all with a reconstruction or all without.
        window: scan values shown black and white.
        map_scale: map values where colour starts (transparent below) and is fullest.

    Returns:
        PNG bytes. One slice is drawn side by side, several in a row each.

    Raises:
        CalibrationError: the scale is not two finite numbers.
    """
    coloured = views[0].heat is not None
    rows = _panels(views, coloured)
    sizes = _panel_sizes(rows, coloured)
    tallest = max(height for _, height in sizes)
    width = sum(width for width, _ in sizes) + GAP * (len(sizes) + 1) + (BAR_ROOM if coloured else 0)
    canvas = Image.new("RGB", (width, (tallest + GAP) * len(rows) + GAP))
    for row, panels in enumerate(rows):
        left, top = GAP, GAP + row * (tallest + GAP)
        for (view, with_heat), size in zip(panels, sizes, strict=True):
            drawn = _panel(view, size, window, map_scale if with_heat else None)
            canvas.paste(drawn, (left, top + (tallest - size[1]) // 2))
            left += size[0] + GAP
    if coloured:
        _draw_colour_bar(canvas, map_scale)
    return encode_png(np.asarray(canvas))


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


def _panel_sizes(rows: list[list[tuple[View, bool]]], coloured: bool) -> list[Size]:
    """Of each panel of a row, all at one scale."""
    extents = [
        (view.scan.shape[1] * view.pixel_mm[1], view.scan.shape[0] * view.pixel_mm[0]) for view, _ in rows[0]
    ]
    room = WIDTH - GAP * (len(extents) + 1) - (BAR_ROOM if coloured else 0)
    scale = min(room / sum(width for width, _ in extents), MOST_PANEL / max(height for _, height in extents))
    scale = max(scale, LEAST_PANEL / max(max(extent) for extent in extents))
    return [(max(round(width * scale), 1), max(round(height * scale), 1)) for width, height in extents]


def _panel(
    view: View, size: Size, window: tuple[float, float], map_scale: tuple[float, float] | None
) -> Image.Image:
    grey = np.asarray(_enlarged(_shades(view.scan, window), size))
    if map_scale is None or view.heat is None:
        panel = Image.fromarray(np.repeat(grey[..., None], 3, axis=2))
    else:
        mixed = over_grey(grey / np.float32(255.0), view.heat[_nearest(view.heat.shape, size)], map_scale)
        panel = Image.fromarray(_with_judged_edge(mixed, view, size))
        _draw_peaks(ImageDraw.Draw(panel), view, size)
    _draw_letters(ImageDraw.Draw(panel), view.letters, size)
    return panel


def _shades(values: NDArray[np.floating], window: tuple[float, float]) -> NDArray[np.uint8]:
    low, high = window
    share = (values - low) / max(high - low, 1e-12)
    return (share.clip(0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _enlarged(shades: NDArray[np.uint8], size: Size) -> Image.Image:
    rows, columns = shades.shape
    large = min(size[0] / columns, size[1] / rows) >= SHARP
    how = Image.Resampling.NEAREST if large else Image.Resampling.HAMMING
    return Image.fromarray(np.ascontiguousarray(shades)).resize(size, how)


def _nearest(shape: tuple[int, ...], size: Size) -> tuple[NDArray[np.intp], ...]:
    """Index of the voxel under each pixel."""
    width, height = size
    rows = ((np.arange(height) + 0.5) * shape[0] / height).astype(np.intp)
    columns = ((np.arange(width) + 0.5) * shape[1] / width).astype(np.intp)
    return np.ix_(rows, columns)


def _with_judged_edge(picture: NDArray[np.uint8], view: View, size: Size) -> NDArray[np.uint8]:
    """With a thin line around what was judged."""
    judged = ~np.isnan(view.heat) if view.heat is not None else np.zeros(view.scan.shape, np.bool_)
    if not judged.any() or judged.all():
        return picture
    shades = Image.fromarray(np.where(judged, np.uint8(255), np.uint8(0)))
    inside = np.asarray(shades.resize(size, Image.Resampling.BILINEAR)) > 127
    within = np.pad(inside, 1, mode="edge")
    core = within[:-2, 1:-1] & within[2:, 1:-1] & within[1:-1, :-2] & within[1:-1, 2:]
    edge = inside & ~core
    picture[edge] = ((1.0 - EDGE_COVER) * picture[edge] + EDGE_COVER * np.array(MARK)).astype(np.uint8)
    return picture


def _draw_peaks(draw: ImageDraw.ImageDraw, view: View, size: Size) -> None:
    rows, columns = view.scan.shape
    for row, column, rank in view.peaks:
        x, y = round((column + 0.5) * size[0] / columns), round((row + 0.5) * size[1] / rows)
        for colour, by in (((0, 0, 0), 1), (MARK, 0)):
            draw.rectangle((x - 7 - by, y - 1 - by, x + 6 + by, y + by), fill=colour)
            draw.rectangle((x - 1 - by, y - 7 - by, x + by, y + 6 + by), fill=colour)
        left = column > columns / 2  # towards the middle
        draw.text(
            (x - 8 if left else x + 8, y - 6),
            str(rank),
            MARK,
            _font(LETTERS, bold=True),
            anchor="rs" if left else "ls",
            stroke_width=2,
            stroke_fill=(0, 0, 0),
        )


def _draw_letters(draw: ImageDraw.ImageDraw, letters: str, size: Size) -> None:
    width, height = size
    places = (
        (0.01 * width, height / 2),
        (0.99 * width, height / 2),
        (width / 2, 0.01 * height),
        (width / 2, 0.99 * height),
    )
    for letter, place, anchor in zip(letters, places, ("lm", "rm", "mt", "mb"), strict=False):
        draw.text(place, letter, INK, _font(LETTERS), anchor=anchor)


def _draw_colour_bar(canvas: Image.Image, map_scale: tuple[float, float]) -> None:
    low, high = heat_scale(map_scale)
    height = min(MOST_BAR, round(0.8 * canvas.height))
    left, top = canvas.width - BAR_ROOM + GAP, (canvas.height - height) // 2
    shades = COLOURS[np.linspace(255, 0, height).astype(np.intp)]
    bar = (shades[:, 3:] * shades[:, :3] + (1.0 - shades[:, 3:]) / 3.0) * 255.0
    canvas.paste(Image.fromarray(np.repeat(bar[:, None].astype(np.uint8), BAR_WIDTH, axis=1)), (left, top))
    draw, font, right = ImageDraw.Draw(canvas), _font(SMALL), left + BAR_WIDTH
    widest = 0.0
    for value, label in _ticks(low, high):
        y = top + round((height - 1) * (high - value) / (high - low))
        draw.line((right, y, right + 4, y), INK)
        draw.text((right + 8, y), label, INK, font, anchor="lm")
        widest = max(widest, font.getlength(label))
    name = "anomaly score"
    room = Image.new("RGB", (math.ceil(font.getlength(name)) + 4, math.ceil(1.5 * SMALL)))
    ImageDraw.Draw(room).text((room.width / 2, room.height / 2), name, INK, font, anchor="mm")
    upright = room.rotate(90, expand=True)
    canvas.paste(upright, (round(right + 12 + widest), top + (height - upright.height) // 2))


def _ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round values within the scale and how they are written."""
    rough = (high - low) / MOST_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(one for one in STEPS if one * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = next((count for count in range(5) if math.isclose(round(step, count), step, rel_tol=1e-6)), None)
    values = [number * step for number in range(first, last + 1)]
    return [(one, f"{one:.3g}" if digits is None else f"{one:.{digits}f}") for one in values]


@cache
def _font(size: float, *, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans as matplotlib brings it, which the charts of the same reports are written in; else Pillow's own."""
    found = importlib.util.find_spec("matplotlib")
    package = Path(found.origin) if found is not None and found.origin is not None else Path()
    path = package.parent / f"mpl-data/fonts/ttf/DejaVuSans{'-Bold' if bold else ''}.ttf"
    return ImageFont.truetype(str(path), size) if path.exists() else ImageFont.load_default(size)
