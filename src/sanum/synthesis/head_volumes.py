"""A label map as volumes of 1 mm: CT in Hounsfield units, and T1w, T2w or FLAIR of the same person.

No scanner yet, see `sanum.synthesis.head_scanner`: each volume is what the head is, at the levels of one person.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.errors import ScanError
from sanum.core.units import Mask, Volume
from sanum.synthesis.head_levels import (
    BONE,
    FAT_HU,
    FAT_MR,
    FAT_OR_MUSCLE,
    MUSCLE_HU,
    PLEXUS,
    THIRD_VENTRICLE,
    fat_share,
    hounsfield_levels,
    mr_levels,
)
from sanum.synthesis.tissues import KNOWN_LABELS

Labels = NDArray[np.int16]

SEQUENCES = ("T1w", "T2w", "FLAIR")

BELOW_MM, AROUND = 25, 6
"""How far the head is kept below the brain, and voxels of air kept around it."""

CALCIFIED = 0.65
"""Share of people whose pineal, and of those whose plexus, holds lime."""

LIME_HU = (90.0, 350.0)
TEXTURE_HU, TEXTURE_MR = 1.2, 0.025
"""Standard deviation of the unevenness within a tissue."""

WARP_MM, WARP_CELL_MM = 3.0, 32.0
"""How far one person's anatomy is moved from the label map's, and over what distance that changes."""


@dataclass(frozen=True, eq=False)
class Head:
    """One person, in voxels of 1 mm, axes right, anterior, superior.

    Attributes:
        labels: (I, J, K).
        fat: (I, J, K) share of fat.
        lime: (I, J, K) in [0, 1], calcified plexus and pineal.
    """

    labels: Labels
    fat: Volume
    lime: Volume

    @property
    def mask(self) -> Mask:
        """(I, J, K), all that is not air outside the head."""
        closed = ndimage.binary_closing(np.pad(self.labels > 0, 4), iterations=3)[4:-4, 4:-4, 4:-4]
        return np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(closed, 2, 0)], axis=2)


def make_head(labels: NDArray[np.integer], rng: np.random.Generator) -> Head:
    """A person of a label map: its anatomy a little moved, with fat and lime of its own.

    Args:
        labels: (I, J, K) at 1 mm, axes right, anterior, superior; whole head.
        rng: source of randomness.

    Raises:
        ScanError: numbers that no tissue has, or a map without skull.
    """
    strange = sorted(set(np.unique(labels).tolist()) - KNOWN_LABELS - {0})
    if strange:
        raise ScanError(f"label map: no tissue is known for {strange[:5]}; expected a whole-head map of 1 mm")
    if not np.isin(labels, BONE).any() or not np.isin(labels, (2, 41)).any():
        raise ScanError(
            "label map: shows no skull or no brain; a CT is rendered of whole heads only (labels 515, 516)"
        )
    moved = _warped(_cropped(labels), rng)
    return Head(moved, fat_share(moved, smooth_noise(moved.shape, 7.0, rng)), _lime(moved, rng))


def hounsfield(head: Head, rng: np.random.Generator) -> Volume:
    """(I, J, K) in Hounsfield units."""
    hu = hounsfield_levels(rng)[head.labels]
    soft = head.labels == FAT_OR_MUSCLE
    hu[soft] = MUSCLE_HU + head.fat[soft] * (FAT_HU - MUSCLE_HU)
    inside = (hu > -150.0) & (hu < 150.0)
    hu[inside] += TEXTURE_HU * smooth_noise(hu.shape, 3.0, rng)[inside]
    bone = np.isin(head.labels, BONE)
    hu[bone] *= 1.0 + 0.15 * smooth_noise(hu.shape, 4.0, rng)[bone]
    return np.asarray(hu + head.lime * (rng.uniform(*LIME_HU) - hu), np.float32)


def sequence_of(head: Head, sequence: str, rng: np.random.Generator) -> Volume:
    """(I, J, K) of T1w, T2w or FLAIR, brain about in [0, 1]."""
    fat = rng.uniform(*FAT_MR[sequence])
    values = mr_levels(sequence, fat, rng)[head.labels]
    soft = head.labels == FAT_OR_MUSCLE
    values[soft] += head.fat[soft] * (fat - values[soft])
    values += TEXTURE_MR * smooth_noise(values.shape, 2.0, rng) * (values > 0.1)
    return np.asarray((values * (1.0 - 0.8 * head.lime)).clip(0.0), np.float32)


def smooth_noise(shape: tuple[int, ...], sigma: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A random field of about unit variance that changes over `sigma` voxels: coarse, then enlarged."""
    step = max(1, int(sigma / 1.5))
    coarse = [side // step + 3 for side in shape]
    field = ndimage.gaussian_filter(rng.standard_normal(coarse).astype(np.float32), sigma / step)
    field /= max(float(field.std()), 1e-6)
    if step == 1:
        return field[tuple(slice(0, side) for side in shape)]
    large = ndimage.zoom(field, step, order=1, grid_mode=True, mode="nearest")
    return np.ascontiguousarray(large[tuple(slice(step, step + side) for side in shape)])


def _cropped(labels: NDArray[np.integer]) -> Labels:
    """The head down to a little below the brain."""
    brain = np.isin(labels, (2, 3, 41, 42, 7, 8, 46, 47))
    lowest = max(0, int(np.flatnonzero(brain.any(axis=(0, 1)))[0]) - BELOW_MM)
    kept = labels[:, :, lowest:]
    spans = [np.flatnonzero((kept > 0).any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    (i0, i1), (j0, j1), (_, k1) = ((int(span[0]), int(span[-1]) + 1) for span in spans)
    part = kept[i0:i1, j0:j1, :k1].astype(np.int16)
    return np.pad(part, ((AROUND, AROUND), (AROUND, AROUND), (0, AROUND)))


def _warped(labels: Labels, rng: np.random.Generator) -> Labels:
    at = np.indices(labels.shape, dtype=np.float32)
    for axis in range(3):
        at[axis] += WARP_MM * smooth_noise(labels.shape, WARP_CELL_MM, rng)
    return np.asarray(ndimage.map_coordinates(labels, at, order=0), np.int16)


def _lime(labels: Labels, rng: np.random.Generator) -> Volume:
    """Spots within the plexus, and a ball where the pineal lies: right behind the third ventricle."""
    lime = np.zeros(labels.shape, np.float32)
    if rng.random() < CALCIFIED:
        spots = smooth_noise(labels.shape, 1.5, rng) > 1.3
        lime[spots & np.isin(labels, PLEXUS)] = 1.0
    where = np.argwhere(labels == THIRD_VENTRICLE)
    if len(where) and rng.random() < CALCIFIED:
        back = where[where[:, 1] <= np.quantile(where[:, 1], 0.05)].mean(0) - (
            0.0,
            rng.uniform(3.0, 6.0),
            0.0,
        )
        box = tuple(slice(max(0, int(c) - 5), int(c) + 6) for c in back)
        away = np.indices(lime[box].shape).T + [part.start for part in box] - back
        radius = rng.uniform(1.2, 3.0)
        near = np.linalg.norm(away, axis=-1).T
        lime[box][near < radius] = 1.0
    return ndimage.gaussian_filter(lime, 0.6)
