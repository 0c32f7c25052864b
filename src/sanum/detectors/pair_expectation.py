"""What one modality leads one to expect of the other, learned within the very pair that is judged.

Two scans of one head follow some rule: what is bright here is dark there. The rule differs from scanner to scanner, so it
is read off each pair anew, as a table: of all places where the partner shows this value, in surroundings like these, so
deep below the scalp, the mean and the spread. A fault of a few ml hardly moves the table and stands out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.modalities import modality_of_channel
from sanum.core.records import Prepared
from sanum.core.units import Channels, Mask, Volume
from sanum.synthesis.cross_modal import ct_scale

BLOCK = 2
"""Pixels of a slice, along each side, that are averaged before anything is asked."""

NARROW, WIDE = (0.0, 80.0), (-200.0, 1500.0)
"""Windows of CT in Hounsfield units: brain, and all of the head."""

HU_EDGES = (
    -200.0,
    -60.0,
    0.0,
    8.0,
    14.0,
    19.0,
    24.0,
    28.0,
    32.0,
    36.0,
    40.0,
    45.0,
    52.0,
    65.0,
    90.0,
    250.0,
    700.0,
)
LEVELS, SURROUNDINGS = 20, 6
"""Bins of the partner's value on MRI, and of its surroundings."""

DEPTHS_MM = (4.0, 8.0, 12.0, 17.0, 25.0, 40.0)
AROUND_MM = 6.0

TRUSTED = 25.0
"""Voxels in a cell of the table that weigh as much as what a coarser table says."""

LEAST_SPREAD = 0.05
FAR = 8.0
"""Departures, in standard deviations, are cut off here."""

STEPS = ((2, 0, 0), (-2, 0, 0), (0, 2, 0), (0, -2, 0), (0, 0, 1), (0, 0, -1))
"""Displacements, in coarse voxels, that are tried to see whether a pair would fit better elsewhere."""


@dataclass(frozen=True, eq=False)
class Pair:
    """A case made coarse: what is asked of it is asked here.

    Attributes:
        modalities: channels.
        views: of each modality its views (V, I, J, K): of CT the brain's window and the whole, of MRI one.
        mask: (I, J, K).
        spacing: mm.
        depth: (I, J, K) below the outline, mm.
    """

    modalities: tuple[str, ...]
    views: tuple[Channels, ...]
    mask: Mask
    spacing: tuple[float, float, float]
    depth: Volume

    @staticmethod
    def of(case: Prepared) -> Pair:
        """Read a prepared case of one or more modalities."""
        mask = coarse(case.mask.astype(np.float32)) > 0.5
        if not mask.any():
            mask = coarse(case.mask.astype(np.float32)) > 0.0
        i, j, k = case.grid.spacing
        spacing = (i * BLOCK, j * BLOCK, k)
        views = tuple(
            _views(name, np.asarray(values, np.float32), case.mask, mask)
            for name, values in zip(case.modalities, case.voxels, strict=True)
        )
        padded = np.pad(mask, ((1, 1), (1, 1), (0, 0)))
        depth = np.stack(
            [
                ndimage.distance_transform_edt(plane, sampling=spacing[:2])
                for plane in np.moveaxis(padded, 2, 0)
            ],
            axis=2,
        )[1:-1, 1:-1]
        return Pair(case.modalities, views, mask, spacing, depth.astype(np.float32))

    def smoothed(self, values: Volume, mm: float) -> Volume:
        """Gaussian mean within the mask, 0 outside."""
        sigma = [mm / step for step in self.spacing]
        weight = ndimage.gaussian_filter(self.mask.astype(np.float32), sigma, truncate=3.0)
        total = ndimage.gaussian_filter(np.where(self.mask, values, np.float32(0.0)), sigma, truncate=3.0)
        return np.divide(total, weight, out=np.zeros_like(total), where=self.mask)


@dataclass(frozen=True, eq=False)
class Expectation:
    """What a partner says of one view, within the mask.

    Attributes:
        residual: (I, J, K) view minus what is expected, in the view's unit.
        departure: (I, J, K) the same in standard deviations.
        explained: share of the view's variance that the partner explains.
    """

    residual: Volume
    departure: Volume
    explained: float


def expectation(pair: Pair, view: Volume, partner: Channels) -> Expectation:
    """A view of one modality (I, J, K) by the views (V, I, J, K) of its partner."""
    codes, parents = _codes(pair, partner)
    inside = view[pair.mask].astype(np.float64)
    mean, variance = _table(inside, codes[pair.mask], parents[pair.mask])
    away = inside - mean
    spread = np.sqrt(np.maximum(variance, LEAST_SPREAD**2 * max(float(inside.var()), 1e-6)))
    residual, departure = (np.zeros(view.shape, np.float32) for _ in range(2))
    residual[pair.mask] = away
    departure[pair.mask] = np.clip(away / spread, -FAR, FAR)
    total = float(((inside - inside.mean()) ** 2).sum())
    return Expectation(residual, departure, 1.0 - float((away**2).sum()) / max(total, 1e-9))


def belonging(pair: Pair) -> NDArray[np.float64]:
    """(3,) how little a pair belongs together: unexplained, and gained by mirroring or by moving the partner."""
    first, second = pair.views
    own = _explained(pair, first, second)
    mirrored = _explained(pair, first, np.stack([mirror(view, pair.mask) for view in second]))
    steps = [step for step in STEPS if step[2] == 0 or pair.mask.shape[2] > 1]  # a picture has no other slice
    moved = max(_explained(pair, first, np.roll(second, step, axis=(1, 2, 3))) for step in steps)
    return np.array([1.0 - own, mirrored - own, moved - own])


def mirror(values: Volume, mask: Mask) -> Volume:
    """Left and right exchanged about the middle of the mask."""
    shown = np.flatnonzero(mask.any(axis=(1, 2)))
    return np.roll(values[::-1], int(shown[0] + shown[-1]) - (values.shape[0] - 1), axis=0)


def coarse(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means over blocks of each slice (I, J, K); a border block is filled up by its last row."""
    i, j, k = values.shape
    padded = np.pad(values, ((0, -i % BLOCK), (0, -j % BLOCK), (0, 0)), mode="edge")
    blocks = padded.reshape(padded.shape[0] // BLOCK, BLOCK, padded.shape[1] // BLOCK, BLOCK, k)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)


def enlarged(values: Volume, shape: Sequence[int]) -> Volume:
    """Inverse of `coarse`, linear between the middles of the blocks."""
    fine = ndimage.zoom(values, (BLOCK, BLOCK, 1), order=1, mode="nearest", grid_mode=True)
    return np.ascontiguousarray(fine[: shape[0], : shape[1]])


def _views(name: str, values: Volume, mask: Mask, small: Mask) -> Channels:
    if modality_of_channel(name) != "CT":
        fine = coarse(values)
        low, middle, high = np.quantile(fine[small], (0.1, 0.5, 0.9))
        return np.asarray((fine - middle)[None] / max(high - low, 1e-3), np.float32)
    hu = ct_scale(values, mask, name).hounsfield(values)
    brain, whole = (coarse(np.asarray(np.clip(hu, *ends), np.float32)) for ends in (NARROW, WIDE))
    return np.stack([brain / 40.0, whole / 500.0]).astype(np.float32)


def _codes(pair: Pair, partner: Channels) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cell of each voxel (I, J, K) in the table, and in the coarser one that knows no surroundings."""
    if len(partner) == 2:
        value, near = partner[0] * 40.0, partner[0]
        value = np.where((value <= NARROW[0]) | (value >= NARROW[1]), partner[1] * 500.0, value)
        level = np.searchsorted(HU_EDGES, value)
    else:
        value = near = partner[0]
        level = np.searchsorted(_quantiles(value[pair.mask], LEVELS), value)
    around = pair.smoothed(near, AROUND_MM)
    wide = np.searchsorted(_quantiles(around[pair.mask], SURROUNDINGS), around)
    deep = np.searchsorted(DEPTHS_MM, pair.depth)
    parents = level * (len(DEPTHS_MM) + 1) + deep
    return parents * SURROUNDINGS + wide, parents


def _table(
    inside: NDArray[np.float64], codes: NDArray[np.int64], parents: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance at each voxel (n,), those of its cell shrunk towards its parent's and the whole's."""
    mean, square = np.full(inside.shape, inside.mean()), np.full(inside.shape, (inside**2).mean())
    for code in (parents, codes):
        count = np.bincount(code)[code]
        first, second = (np.bincount(code, weights=part)[code] for part in (inside, inside**2))
        mean = (first + TRUSTED * mean) / (count + TRUSTED)
        square = (second + TRUSTED * square) / (count + TRUSTED)
    return mean, np.maximum(square - mean**2, 0.0)


def _explained(pair: Pair, first: Channels, second: Channels) -> float:
    """Mean share of the variance that each side's views explain of the other's, both ways."""
    there = [expectation(pair, view, second).explained for view in first]
    back = [expectation(pair, view, first).explained for view in second]
    return 0.5 * (float(np.mean(there)) + float(np.mean(back)))


def _quantiles(values: NDArray[np.floating], bins: int) -> NDArray[np.float64]:
    return np.asarray(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1]), np.float64)
