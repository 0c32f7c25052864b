"""The outline of a whole head, from what its modalities show: for pairs whose skull and scalp count too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.errors import PreparationError
from sanum.core.records import Scan
from sanum.core.units import Mask
from sanum.prepare.steps.brain_mask import filled, largest_piece

DARK_SHARE = 0.5
"""Share of the level that parts background from tissue best at which the outline is drawn: fluid is dark too."""

CLOSED_PX = 3
"""Gaps in the outline up to twice so many pixels are closed: ears, sinuses that open."""

GROWN = 0.035
"""The outline is widened by this share of the field's longer side, about 8 mm: air next to the skin belongs to it."""

LEAST, MOST = 0.05, 0.98
"""Share of the field that a head fills."""


def head_outline(scans: Sequence[Scan]) -> Mask:
    """Voxels within the head, on the grid of the first scan: what any scan on that grid shows, filled.

    Each scan is cut at half of Otsu's level (1979); the largest piece is closed within its
    slices, filled and widened.

    Args:
        scans: of one head; those on other grids are not asked.

    Raises:
        PreparationError: what is shown fills too little or too much of the field to be a head.
    """
    first = scans[0]
    shown = np.zeros(first.grid.shape, np.bool_)
    for scan in scans:
        if scan.grid.same_as(first.grid):
            shown |= _tissue(scan.voxels)
    if shown.any():
        shown, _ = largest_piece(ndimage.binary_opening(shown, _disc(1)) if shown.sum() > 1000 else shown)
        outline = ndimage.binary_dilation(_closed(shown), _disc(round(GROWN * max(shown.shape[:2]))))
    share = float(outline.mean()) if shown.any() else 0.0
    if not LEAST <= share <= MOST:
        raise PreparationError(
            f"{first.source.path}: no outline of a head found (it would fill {share:.0%} of the field); give "
            "a mask of what counts in the place of the brain mask"
        )
    return outline


def _tissue(voxels: NDArray[np.float32]) -> Mask:
    low, high = (float(x) for x in np.percentile(voxels, (0.5, 99.5)))
    if not high > low:
        return np.zeros(voxels.shape, np.bool_)
    scaled = np.clip((voxels - low) / (high - low), 0.0, 1.0)
    return np.asarray(scaled > DARK_SHARE * _otsu(scaled))


def _otsu(scaled: NDArray[np.floating]) -> float:
    """Level in [0, 1] with the greatest variance between what lies below and above (Otsu 1979)."""
    counts, edges = np.histogram(scaled, 256, (0.0, 1.0))
    centres = 0.5 * (edges[1:] + edges[:-1])
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(centres[np.nanargmax(between)])


def _closed(mask: Mask) -> Mask:
    padded = np.pad(mask, ((CLOSED_PX + 1,) * 2, (CLOSED_PX + 1,) * 2, (0, 0)))
    closed = ndimage.binary_closing(padded, _disc(CLOSED_PX))
    inner = slice(CLOSED_PX + 1, -CLOSED_PX - 1)
    solid = np.stack(
        [filled(each[..., None])[..., 0] if each.any() else each for each in np.moveaxis(closed, 2, 0)]
    )
    return np.ascontiguousarray(np.moveaxis(solid, 0, 2)[inner, inner])


def _disc(radius: int) -> Mask:
    i, j = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray((i**2 + j**2 <= radius**2)[..., None])
