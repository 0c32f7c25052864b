"""Which axial slices are kept, and the square that is cut from each."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.units import Channels, Mask


@dataclass(frozen=True)
class Field:
    """What one model slice shows of a slice in RAS+ order.

    Attributes:
        centre: its middle along I and J, in source voxels.
        extent: its width along I and J, in mm (pixels of an image).
    """

    centre: tuple[float, float]
    extent: tuple[float, float]


def middle_slices(count: int, trim: float) -> range:
    """Axial slices that stay when the share `trim` is dropped at each end; at least one does."""
    dropped = min(int(count * trim), (count - 1) // 2)
    return range(dropped, count - dropped)


def brain_square(brain: Mask, grid: Grid, margin: float) -> Field:
    """The square around a brain mask (I, J, K) in RAS+ order, with `margin` of its longer side all round.

    Raises:
        PreparationError: the mask is empty.
    """
    if not brain.any():
        raise PreparationError("the kept slices hold no brain; check the brain mask, or lower `trim`")
    i, j = np.flatnonzero(brain.any(axis=(1, 2))), np.flatnonzero(brain.any(axis=(0, 2)))
    widths = ((i[-1] - i[0] + 1) * grid.spacing[0], (j[-1] - j[0] + 1) * grid.spacing[1])
    side = float(max(widths) * (1.0 + 2.0 * margin))
    return Field((float(i[0] + i[-1]) / 2, float(j[0] + j[-1]) / 2), (side, side))


def whole_slice(grid: Grid) -> Field:
    """The full field of view, stretched to a square as the classic rule does."""
    (i, j, _), (spacing_i, spacing_j, _) = grid.shape, grid.spacing
    return Field(((i - 1) / 2, (j - 1) / 2), (i * spacing_i, j * spacing_j))


@functools.lru_cache(maxsize=32)
def slice_grid(grid: Grid, field: Field, size: int, slices: range) -> Grid:
    """Grid of size x size pixels over `field` in each of `slices`; slice positions are the source's own."""
    to_source = np.eye(4)
    for axis in range(2):
        pixel = field.extent[axis] / size / grid.spacing[axis]
        to_source[axis, axis] = pixel
        to_source[axis, 3] = field.centre[axis] - pixel * (size - 1) / 2
    to_source[2, 3] = slices.start
    return Grid((size, size, len(slices)), grid.affine @ to_source)


def filled_slices(voxels: Channels, empty: float, near_zero: float) -> NDArray[np.bool_]:
    """Per slice (K,): whether at most the share `empty` of its pixels is near zero in every channel."""
    near = (voxels <= near_zero).all(axis=0)
    filled: NDArray[np.bool_] = near.mean(axis=(0, 1)) <= empty
    return filled
