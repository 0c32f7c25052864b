"""Parts of a head that are compared with their like only: what is usual beside an air cell is not usual in the brain."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.units import Mask, Volume
from sanum.detectors.pair_expectation import BLOCK, Pair
from sanum.detectors.surprise import slice_table, surprise, tops_of_slices

BONE_HU = 250.0
CLOSED_MM = 10.0
"""Gaps in the skull of a slice up to twice this wide are closed before what it encloses is filled."""

BELOW_SCALP_MM = 14.0
"""Depth below the outline from which a place counts as within the skull, where no CT shows the skull."""

BASE = 0.3
"""Share of the head, from below, that is its base."""

FEWEST = 60
"""Voxels of a zone below which a slice says nothing about it."""

ZONES = ("vault", "base", "shell of vault", "shell of base")
"""Within the skull, and skull with scalp, each above and in the lowest part of the head."""

DISCOUNT = 1.0
"""Decades taken off a place of the shell: air cells and fat differ more from head to head than any training shows."""

Zones = NDArray[np.int8]


def zones_of(pair: Pair) -> Zones:
    """(I, J, K), number in `ZONES` of each voxel of the pair's coarse grid."""
    shell = ~_within(pair)
    shown = np.flatnonzero(pair.mask.any(axis=(0, 1)))
    height = (np.arange(pair.mask.shape[2]) - shown[0]) / max(1, shown[-1] - shown[0])
    low = (height < BASE) & (len(shown) > 1)
    return np.asarray(2 * shell + low, np.int8)


def fine(zones: Zones, shape: tuple[int, ...]) -> Zones:
    """The same on the case's own grid."""
    return np.asarray(zones.repeat(BLOCK, 0).repeat(BLOCK, 1)[: shape[0], : shape[1]])


def tops_by_zone(values: Volume, mask: Mask, zones: Zones) -> dict[str, NDArray[np.float64]]:
    """Most unusual places of each slice and zone, by the zone's name; zones that hardly show are left out."""
    tops = {}
    for number, name in enumerate(ZONES):
        here = mask & (zones == number)
        here &= here.sum(axis=(0, 1)) >= FEWEST
        if here.any():
            tops[name] = tops_of_slices(values, here)
    return tops or {ZONES[0]: tops_of_slices(values, mask)}


def tables_by_zone(tops: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float32]:
    """(4, 33) healthy values of each zone, see `surprise.slice_table`; a zone that no one showed has those of all."""
    everyone = slice_table(np.concatenate(list(tops.values())))
    return np.stack([slice_table(tops[name]) if name in tops else everyone for name in ZONES])


def surprise_by_zone(values: Volume, zones: Zones, tables: NDArray[np.floating]) -> NDArray[np.float32]:
    """Surprise of each voxel (I, J, K) beside its own zone's healthy values, that of the shell discounted."""
    found = np.zeros(values.shape, np.float32)
    for number, (name, table) in enumerate(zip(ZONES, tables, strict=True)):
        here = zones == number
        discount = DISCOUNT if name.startswith("shell") else 0.0
        found[here] = np.maximum(surprise(values[here], table) - discount, 0.0)
    return found


def _within(pair: Pair) -> Mask:
    """What the skull encloses, slice by slice, on CT; else what lies deep enough."""
    bone = next((views[1] * 500.0 > BONE_HU for views in pair.views if len(views) > 1), None)
    if bone is None:
        return np.asarray(pair.depth > BELOW_SCALP_MM)
    reach = max(1, round(CLOSED_MM / pair.spacing[0]))
    i, j = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = (i**2 + j**2 <= reach**2)[..., None]
    wide = np.pad(bone & pair.mask, ((reach, reach), (reach, reach), (0, 0)))
    closed = ndimage.binary_closing(wide, disc)[reach:-reach, reach:-reach]
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(closed, 2, 0)], axis=2)
    return np.asarray(filled & ~ndimage.binary_dilation(bone, np.ones((3, 3, 1), np.bool_)) & pair.mask)
