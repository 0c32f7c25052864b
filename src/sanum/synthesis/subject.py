"""Subjects made from a template: another shape, contrast, bias field, noise and pose each time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.grid import Grid
from sanum.core.units import Mask, Volume


@dataclass(frozen=True)
class Variation:
    """How far made subjects differ, about one standard deviation or the half range each.

    Attributes:
        warp_mm: displacement of anatomy.
        warp_scale_mm: distance over which the displacement changes.
        gamma: exponent range of the monotone contrast change, around 1.
        bias: relative depth of the smooth bias field.
        noise: standard deviation of the noise, relative to the brightest tissue.
        turn_deg: rotation of the head in the scanner.
        shift_mm: translation of the head in the scanner.
    """

    warp_mm: float = 1.5
    warp_scale_mm: float = 16.0
    gamma: float = 0.1
    bias: float = 0.08
    noise: float = 0.02
    turn_deg: float = 6.0
    shift_mm: float = 8.0


@dataclass(frozen=True, eq=False)
class MadeSubject:
    """A made scan: voxels (I, J, K), 0 outside the brain; its grid; and the planted lesion."""

    voxels: Volume
    grid: Grid
    lesion: Mask


def make_subject(
    template: Volume,
    brain: Mask,
    grid: Grid,
    *,
    seed: int,
    lesion_ml: float | None = None,
    variation: Variation | None = None,
) -> MadeSubject:
    """Make one subject from a template.

    Args:
        template: (I, J, K) intensities, 0 or more.
        brain: brain mask on the same grid.
        grid: of the template.
        seed: of everything random.
        lesion_ml: size of a planted lesion; None makes a healthy subject.
        variation: how far subjects differ.

    Returns:
        The subject with the template's shape, in a pose of its own.
    """
    how = variation or Variation()
    rng = np.random.default_rng(seed)
    coordinates = _warped_coordinates(grid, how, rng)
    voxels: NDArray[np.floating] = ndimage.map_coordinates(template * brain, coordinates, order=1)
    inside = ndimage.map_coordinates(brain.astype(np.float32), coordinates, order=1) > 0.5
    voxels = (voxels / voxels.max()) ** rng.uniform(1 - how.gamma, 1 + how.gamma)
    lesion = np.zeros(grid.shape, bool)
    if lesion_ml is not None:
        lesion = lesion_shape(inside, grid, lesion_ml, rng)
        voxels = _painted(voxels, lesion, rng)
    voxels *= 1 + how.bias * _smooth_noise(grid.shape, 40.0 / np.array(grid.spacing), rng)
    voxels += how.noise * rng.standard_normal(grid.shape)
    scaled = 1000.0 * np.where(inside, voxels.clip(0.001), 0.0)
    return MadeSubject(scaled.astype(np.float32), _posed(grid, how, rng), lesion)


def lesion_shape(brain: Mask, grid: Grid, size_ml: float, rng: np.random.Generator) -> Mask:
    """An irregular blob of about `size_ml` well inside the brain."""
    depth = ndimage.distance_transform_edt(brain, sampling=grid.spacing)
    radius_mm = (3.0 * size_ml * 1000.0 / (4.0 * np.pi)) ** (1 / 3)
    deep = np.argwhere(depth > min(1.2 * radius_mm, 0.7 * depth.max()))
    centre = deep[rng.integers(len(deep))]
    index = np.indices(grid.shape, dtype=np.float32)
    spacing = np.array(grid.spacing)[:, None, None, None]
    distance = np.sqrt((((index - centre[:, None, None, None]) * spacing) ** 2).sum(axis=0))
    rough = distance + 0.25 * radius_mm * _smooth_noise(grid.shape, 6.0 / np.array(grid.spacing), rng)
    rough[~brain] = np.inf
    count = max(1, round(size_ml / grid.voxel_ml))
    limit = np.partition(rough.ravel(), count)[count]
    shape: Mask = rough < limit
    return shape


def _painted(voxels: NDArray[np.floating], lesion: Mask, rng: np.random.Generator) -> NDArray[np.floating]:
    """Darker or brighter than any healthy tissue around, with a soft edge."""
    edge: NDArray[np.floating] = ndimage.gaussian_filter(lesion.astype(np.float64), 0.7)
    level = float(rng.choice([0.25, 1.25]))
    painted: NDArray[np.floating] = voxels * (1 - edge) + level * edge
    return painted


def _warped_coordinates(grid: Grid, how: Variation, rng: np.random.Generator) -> NDArray[np.float64]:
    spacing = np.array(grid.spacing)
    moved = [
        axis + how.warp_mm / spacing[number] * _smooth_noise(grid.shape, how.warp_scale_mm / spacing, rng)
        for number, axis in enumerate(np.indices(grid.shape, dtype=np.float64))
    ]
    return np.stack(moved)


def _smooth_noise(
    shape: tuple[int, ...], sigma: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Gaussian random field of unit standard deviation, made coarse and enlarged for speed."""
    step = np.maximum(1, np.floor(sigma / 2)).astype(int)
    coarse = tuple(int(np.ceil(size / s)) + 2 for size, s in zip(shape, step, strict=True))
    field = ndimage.gaussian_filter(rng.standard_normal(coarse), sigma / step)
    enlarged = ndimage.zoom(
        field, [(size + 2 * s) / c for size, s, c in zip(shape, step, coarse, strict=True)], order=1
    )
    cut = enlarged[tuple(slice(0, size) for size in shape)]
    unit: NDArray[np.float64] = (cut - cut.mean()) / cut.std()
    return unit


def _posed(grid: Grid, how: Variation, rng: np.random.Generator) -> Grid:
    """The same voxels with the head turned and shifted in the scanner."""
    x, y, z = np.deg2rad(rng.uniform(-how.turn_deg, how.turn_deg, 3))
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    pose = np.eye(4)
    pose[:3, :3] = about_z @ about_y @ about_x
    pose[:3, 3] = rng.uniform(-how.shift_mm, how.shift_mm, 3)
    return Grid(grid.shape, pose @ grid.affine)
