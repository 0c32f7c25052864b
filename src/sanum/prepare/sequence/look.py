"""A few axial slices of any scan, alike in place, size and scale: what is shown to the eye for sequences."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.records import Scan
from sanum.core.units import Volume
from sanum.prepare.measures.lattice import every, steps_of

Slices: TypeAlias = NDArray[np.float32]
"""(S, *SIZE) in the scan's own units; x to the right and y to the front of the head."""

PIXEL_MM = 4.0
SIZE = (48, 54)
"""Pixels along x and y: 192 by 216 mm hold any brain and most of a head."""

TOP_MM, GAP_MM, SLICES = 18.0, 15.0, 6
"""The first slice lies so far below the top of the head, the others so far below each other, down to the pons."""

LATTICE_MM = 4.0
SHOWN = 0.12
"""Share of the way from the darkest to the brightest values above which a voxel shows something."""

LEAST_AREA_MM2 = 1500.0
"""A plane that shows less holds no head yet."""

BINS, CONSTANT, HIGHEST_BACKGROUND = 400, 0.2, 0.4
"""A background is constant where so great a share of the values fills one of so many bins, in the lower part."""

AROUND_MM = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1, 1) for z in (-1, 1)])
"""Each pixel is the mean of so many places around it, so that fine voxels bring no noise."""

PICTURE_FILL = 0.9
"""Share of the field that what a picture shows takes along the axis that it fills most."""

LEAST_PIXELS = 110
"""A picture of twice as many pixels a side is halved, and so on."""

AROUND = np.array([-0.25, 0.25])
"""Each pixel is the mean of so many places around it along either axis, in pixels."""


def slices_of(scan: Scan) -> Slices:
    """Axial slices of a volume from the top of the head down, or the one of a picture.

    Args:
        scan: of any orientation and spacing, whole head or extracted brain.

    Returns:
        6 slices of a volume, fewer of a thin one, 1 of a picture.
    """
    if scan.is_image:
        return slice_of(scan.voxels[..., 0])
    (x, y), heights = _place(scan.voxels, scan.grid)
    shape = (len(heights), *SIZE)
    places = np.empty((*shape, 3))
    places[..., 0] = (x + PIXEL_MM * _centred(SIZE[0]))[None, :, None]
    places[..., 1] = (y + PIXEL_MM * _centred(SIZE[1]))[None, None, :]
    places[..., 2] = heights[:, None, None]
    looked_up = [_at(scan, places + around) for around in AROUND_MM]
    mean: Slices = np.mean(looked_up, axis=0, dtype=np.float32)
    return mean


def _centred(count: int) -> NDArray[np.float64]:
    return np.arange(count, dtype=np.float64) - (count - 1) / 2


def _place(voxels: Volume, grid: Grid) -> tuple[tuple[float, float], NDArray[np.float64]]:
    """Middle (x, y) in mm of what is shown, and the heights (S,) at which to look."""
    steps = steps_of(grid, LATTICE_MM)
    world = grid.to_world(np.argwhere(_shown(voxels[every(steps)])) * steps)
    cell_mm3 = float(np.prod(steps)) * grid.voxel_ml * 1000.0
    layer = np.floor(world[:, 2] / LATTICE_MM).astype(int)
    lowest = int(layer.min())
    area = np.bincount(layer - lowest) * cell_mm3 / LATTICE_MM
    filled = lowest + np.flatnonzero(area >= min(LEAST_AREA_MM2, 0.5 * float(area.max())))
    top, bottom = (filled[-1] + 1) * LATTICE_MM, filled[0] * LATTICE_MM
    heights = top - TOP_MM - GAP_MM * np.arange(SLICES)
    heights = heights[heights >= bottom] if top - TOP_MM >= bottom else np.array([(top + bottom) / 2])
    near = world[world[:, 2] > heights[-1] - GAP_MM, :2]
    x, y = (float(middle) for middle in np.percentile(near, (2.0, 98.0), axis=0).mean(axis=0))
    return (x, y), heights


def _shown(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    low, high = _ends(values)
    shown: NDArray[np.bool_] = values > low + SHOWN * (high - low)
    return shown if shown.any() else np.ones_like(shown)


def _ends(values: NDArray[np.float32]) -> tuple[float, float]:
    """Robust lowest and highest value; a constant background is the lowest, whatever strays below it."""
    levels = _grey_levels(values)
    low, high = _percentiles(values, (0.5, 99.0), levels)
    if high <= low:
        return low, high
    counts, edges = _histogram(values, low, high, levels)
    fullest = int(counts.argmax())
    if counts[fullest] >= CONSTANT * values.size and fullest < HIGHEST_BACKGROUND * BINS:
        low = float(edges[fullest + 1]) if fullest else low
    return low, high


GREYS = np.arange(256, dtype=np.float32)


def _grey_levels(values: NDArray[np.float32]) -> NDArray[np.int64] | None:
    """How many values there are of each of `GREYS`, which tells all of an 8-bit picture; None of other values."""
    with np.errstate(invalid="ignore"):
        levels = values.astype(np.uint8)
    return np.bincount(levels.ravel(), minlength=len(GREYS)) if np.array_equal(levels, values) else None


def _percentiles(
    values: NDArray[np.float32], percents: tuple[float, ...], levels: NDArray[np.int64] | None
) -> list[float]:
    """As `np.percentile`, which takes twice as long for a picture."""
    places = [percent / 100 * (values.size - 1) for percent in percents]
    around = [min(int(place) + next_to, values.size - 1) for place in places for next_to in (0, 1)]
    if levels is None:
        found = np.partition(values, around, axis=None)[around]
    else:
        found = GREYS[np.searchsorted(np.cumsum(levels), around, "right")]
    return [
        _between(low, high, place - int(place))
        for place, low, high in zip(places, found[::2], found[1::2], strict=True)
    ]


def _between(low: np.floating, high: np.floating, share: float) -> float:
    """Linear, from the nearer of the two."""
    way = float(high - low)
    return float(low) + way * share if share < 0.5 else float(high) - way * (1 - share)


def _histogram(
    values: NDArray[np.float32], low: float, high: float, levels: NDArray[np.int64] | None
) -> tuple[NDArray[np.integer] | NDArray[np.float64], NDArray[np.float32]]:
    """As `np.histogram` of `BINS`, which takes twice as long for a picture: the last bin holds its upper edge too."""
    places = np.arange(BINS + 1) * ((high - low) / BINS) + low
    places[-1] = high
    edges = places.astype(values.dtype)
    flat = values.ravel() if levels is None else GREYS
    which = ((flat - low) * (BINS / (high - low))).clip(0, BINS - 1).astype(np.int32)
    which += (flat >= edges[1:][which]).astype(np.int32) - (flat < edges[which])
    counts = np.bincount(which + 1, levels, BINS + 2)  # the first and the last lie outside
    counts[BINS] += (flat == high).sum() if levels is None else levels[flat == high].sum()
    return counts[1:-1], edges


def slice_of(picture: NDArray[np.float32]) -> Slices:
    """A picture (I, J), its content scaled to the field: nothing tells its millimetres."""
    small = _shrunk(picture)
    shown = _shown(small)
    ends = np.array(
        [_middle_part(np.count_nonzero(shown, axis=1)), _middle_part(np.count_nonzero(shown, axis=0))]
    )
    low, high = ends.T
    pixel = float(((high - low + 1) / (PICTURE_FILL * np.array(SIZE))).max())
    middle = (low + high) / 2
    darkest = float(small.min())  # lies beyond the edges
    rows, columns = (
        _line_weights(middle[axis] + pixel * _centred(SIZE[axis]), pixel * AROUND, small.shape[axis])
        for axis in (0, 1)
    )
    found = rows @ (small.astype(np.float64) - darkest) @ columns.T + darkest
    return found[None].astype(np.float32)


def _middle_part(counts: NDArray[np.int64]) -> tuple[float, float]:
    """The places below and above which 1 % of all lie; `counts` says how many lie at each place."""
    before = np.cumsum(counts)
    last = int(before[-1]) - 1
    ranks = [percent / 100 * last for percent in (1.0, 99.0)]
    places = np.searchsorted(
        before, [min(int(rank) + next_to, last) for rank in ranks for next_to in (0, 1)], "right"
    )
    low, high = (
        _between(one, other, rank - int(rank))
        for one, other, rank in zip(places[::2], places[1::2], ranks, strict=True)
    )
    return low, high


def _line_weights(
    places: NDArray[np.float64], around: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """(places, count): weights of the pixels of a line in the mean of the places around each, by linear interpolation."""
    at = (places[:, None] + around).clip(-2, count + 1)
    floor = np.floor(at)
    to_next = at - floor
    line, first = np.arange(len(places))[:, None], floor.astype(np.intp) + 2
    weights = np.zeros(
        (len(places), count + 5)
    )  # two more pixels before the line and three behind, which don't count
    np.add.at(weights, (line, first), (1 - to_next) / len(around))
    np.add.at(weights, (line, first + 1), to_next / len(around))
    return weights[:, 2 : count + 2]


def _shrunk(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean over square blocks, so that a large picture costs no more than one of some 100 pixels a side."""
    block = max(1, min(picture.shape) // LEAST_PIXELS)
    if block == 1:
        return picture
    i, j = (side // block * block for side in picture.shape)
    means: NDArray[np.float32] = (
        picture[:i, :j].reshape(i // block, block, j // block, block).mean(axis=(1, 3), dtype=np.float32)
    )
    return means


def _at(scan: Scan, places: NDArray[np.float64]) -> Slices:
    return _interpolated(scan.voxels, scan.grid.to_voxel(places))


def _interpolated(voxels: Volume, index: NDArray[np.float64]) -> Slices:
    from scipy import ndimage

    found: Slices = ndimage.map_coordinates(
        voxels, np.moveaxis(index, -1, 0), order=1, mode="grid-constant", cval=float(voxels.min())
    )
    return found


BRIGHTEST = 1.2
"""Where the scale ends: vessels and fat may lie above the level that stands for bright."""


SHARES, RANKS = np.linspace(0, 1, 65), np.linspace(0.1, 1.0, 65)
"""Shares of what is shown at which its levels are looked up, and the rank that each level is given."""


def shown_to_eye(slices: Slices) -> NDArray[np.float32]:
    """Slices on two scales: between a robust lowest and highest value, and by rank among what is shown.

    Args:
        slices: (S, *SIZE), any units.

    Returns:
        (S, 2, *SIZE), 0 to about 1.
    """
    low, high = _ends(slices)
    scaled = ((slices - low) / max(high - low, 1e-9)).clip(0.0, BRIGHTEST)
    shown = scaled > 0.05
    ranked = np.zeros_like(scaled)
    values = scaled[shown]
    if values.size:
        ranked[shown] = np.interp(values, _quantiles(values), RANKS)
    return np.stack([scaled, ranked], axis=1).astype(np.float32)


def _quantiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Levels of `SHARES`, as `np.quantile`, which takes twice as long for a picture."""
    ordered = np.sort(values)
    places = SHARES * (len(ordered) - 1)
    below = places.astype(np.intp)
    share = places - below
    low, high = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    way = high - low
    found: NDArray[np.float64] = np.where(share < 0.5, low + way * share, high - way * (1 - share))
    return found
