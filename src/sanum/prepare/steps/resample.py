"""From one grid to another in a single interpolation; preparation and the way back both use it."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.units import Affine, Mask, Volume
from sanum.prepare.steps import itk, separable

INSIDE_SHARE = 0.5
"""A target voxel is inside when at least this share of its interpolation weight falls on known voxels."""

SAME_PLACE = 1e-9
"""Grids that differ by less than this share of a voxel are one grid, and nothing is interpolated."""

FWHM_PER_SIGMA = float(np.sqrt(8.0 * np.log(2.0)))


def resample(
    values: Volume, known: Mask, source: Grid, target: Grid, to_target: Affine
) -> tuple[Volume, Mask]:
    """Bring the known voxels of a volume onto another grid by linear interpolation.

    Values and mask are filtered and interpolated alike and then divided (normalised convolution, Knutsson &
    Westin 1993), so that nothing unknown leaks over the edge. Where the target is coarser along a source axis, a
    Gaussian first widens the source voxel to the target's (FWHM² = target² − source², Cardoso et al. 2015).

    Args:
        values: (I, J, K) on `source`; what lies outside `known` is never looked at.
        known: (I, J, K), voxels that count.
        source: where they lie.
        target: where they are wanted.
        to_target: (4, 4), source world mm to target world mm.

    Returns:
        Values on the target, 0 outside; and the mask of target voxels that are inside.
    """
    from scipy import ndimage

    if source.shape == target.shape and np.array_equal(to_target @ source.affine, target.affine):
        return np.where(known, values, np.float32(0)), known.copy()
    to_voxel = _voxel_map(source, target, to_target)
    if source.shape == target.shape and np.abs(to_voxel - np.eye(4)).max() < SAME_PLACE:
        return np.where(known, values, np.float32(0)), known.copy()
    out, inside = np.zeros(target.shape, np.float32), np.zeros(target.shape, np.bool_)
    sigmas = _widening(to_voxel)
    box = _box(known, 1 + np.ceil(3.0 * sigmas).astype(int))
    if box is None:
        return out, inside
    weights = known[box].astype(np.float32)
    weighted = np.where(known[box], values[box], np.float32(0))
    if sigmas.any():
        weights = ndimage.gaussian_filter(weights, sigmas, mode="nearest", truncate=3.0)
        weighted = ndimage.gaussian_filter(weighted, sigmas, mode="nearest", truncate=3.0)
    window = _touched(box, to_voxel, target.shape) if values.shape[2] > 1 else _whole(target.shape)
    weight = _interpolate(weights, to_voxel, box, window, order=1)
    value = _interpolate(weighted, to_voxel, box, window, order=1)
    inside[window] = weight >= INSIDE_SHARE
    np.divide(value, weight, out=out[window], where=inside[window])
    return out, inside


def resample_mask(mask: Mask, source: Grid, target: Grid, to_target: Affine) -> Mask:
    """Bring a mask onto another grid by the nearest voxel; arguments as in `resample`."""
    return resample_labels(mask.astype(np.uint8), source, target, to_target) > 0


def resample_labels(
    labels: NDArray[np.uint8], source: Grid, target: Grid, to_target: Affine
) -> NDArray[np.uint8]:
    """Bring numbered regions, 0 outside them, onto another grid by the nearest voxel; arguments as in `resample`."""
    out = np.zeros(target.shape, np.uint8)
    box = _box(labels > 0, np.ones(3, int))
    if box is None:
        return out
    to_voxel = _voxel_map(source, target, to_target)
    window = _touched(box, to_voxel, target.shape)
    out[window] = _interpolate(labels[box].astype(np.float32), to_voxel, box, window, order=0)
    return out


Box = tuple[slice, slice, slice]


def _voxel_map(source: Grid, target: Grid, to_target: Affine) -> Affine:
    """Target voxel to source voxel, (4, 4)."""
    inverse: Affine = np.linalg.inv(to_target @ source.affine).astype(np.float64)
    return inverse @ target.affine


def _widening(to_voxel: Affine) -> NDArray[np.float64]:
    """Sigma of the Gaussian along each source axis, in source voxels; 0 where the target is not coarser."""
    ratio = np.linalg.norm(to_voxel[:3, :3], axis=1)
    sigmas: NDArray[np.float64] = np.sqrt(np.maximum(ratio**2 - 1.0, 0.0)) / FWHM_PER_SIGMA
    return np.where(sigmas < 0.05, 0.0, sigmas)


def _box(mask: Mask, pad: NDArray[np.int_]) -> Box | None:
    """Smallest box that holds the mask, padded within the array; None for an empty mask."""
    slices = []
    for axis in range(3):
        filled = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        if filled.size == 0:
            return None
        start, stop = int(filled[0] - pad[axis]), int(filled[-1] + 1 + pad[axis])
        slices.append(slice(max(start, 0), min(stop, mask.shape[axis])))
    return slices[0], slices[1], slices[2]


def _touched(box: Box, to_voxel: Affine, shape: tuple[int, int, int]) -> Box:
    """Part of the target that the source box can reach, so that far background costs nothing."""
    ends = np.array([(part.start - 1.0, part.stop) for part in box])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3)
    to_target = np.linalg.inv(to_voxel)
    reached = corners @ to_target[:3, :3].T + to_target[:3, 3]
    low = np.clip(np.floor(reached.min(axis=0)).astype(int), 0, shape)
    high = np.clip(np.ceil(reached.max(axis=0)).astype(int) + 1, low, shape)
    i, j, k = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    return i, j, k


def _whole(shape: tuple[int, int, int]) -> Box:
    return slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2])


def _interpolate(values: Volume, to_voxel: Affine, box: Box, window: Box, order: Literal[0, 1]) -> Volume:
    from scipy import ndimage

    matrix = to_voxel[:3, :3]
    first = np.array([part.start for part in window])
    offset = to_voxel[:3, 3] + matrix @ first - np.array([part.start for part in box])
    shape = tuple(part.stop - part.start for part in window)
    found = np.empty(shape, np.float32)
    if found.size == 0:
        return found
    if order == 1 and separable.is_separable(to_voxel, values.shape, shape):
        return separable.interpolate(values, np.diag(matrix), offset, shape)
    if order == 1 and min(*values.shape, *shape) > 1:
        moved = np.eye(4)
        moved[:3, :3], moved[:3, 3] = matrix, offset
        return itk.interpolate(values, moved, shape)
    ndimage.affine_transform(
        values, matrix, offset, output=found, order=order, mode="grid-constant", prefilter=False
    )
    return found
