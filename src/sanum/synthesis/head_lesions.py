"""Diseases of a head that CT and MRI both show, each in its own way, painted in voxels of 1 mm before any scanner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError
from sanum.core.units import Mask, Volume
from sanum.synthesis.head_levels import BASAL, BONE, FLUID, GREY, VENTRICLES, WHITE
from sanum.synthesis.head_volumes import Head, smooth_noise

Range = tuple[float, float]
Shape = Callable[[Head, float, np.random.Generator], Volume]

ROUGH = 0.35
"""Depth of a rough border, as a share of the radius."""

GAP_MM = 1.4
"""Width of a fracture."""

METAL_STREAK_HU = 300.0


@dataclass(frozen=True)
class HeadLesion:
    """One kind.

    Attributes:
        shape: soft membership (I, J, K) in [0, 1] of a lesion of some ml.
        hu: Hounsfield units it has, or by which it changes what is there.
        changes: whether `hu` is a change.
        mr: level, or change of it, on each sequence, brain about in [0, 1]; none where MRI shows nothing.
    """

    shape: Shape
    hu: Range
    mr: Mapping[str, float]
    changes: bool = False


def _blob(room: Mask, ml: float, rng: np.random.Generator) -> Volume:
    """A rough ball cut to its size within a room, with a border of about 1 mm."""
    deep = ndimage.distance_transform_edt(room)
    radius = (750.0 * ml / np.pi) ** (1 / 3)
    inner = np.argwhere(deep >= min(0.6 * radius, 0.8 * float(deep.max())))
    return _cut(_rough_distance(room, inner[rng.integers(len(inner))], radius, rng), room, ml)


def _rough_distance(room: Mask, centre: NDArray[np.int64], radius: float, rng: np.random.Generator) -> Volume:
    away = np.zeros(room.shape, np.float32)
    for axis, side in enumerate(room.shape):
        stretch = np.exp(rng.uniform(-0.3, 0.3))
        line = ((np.arange(side) - centre[axis]) / stretch) ** 2
        away += line.reshape([-1 if n == axis else 1 for n in range(3)]).astype(np.float32)
    rough: Volume = np.sqrt(away) + ROUGH * radius * smooth_noise(room.shape, max(3.0, 0.5 * radius), rng)
    return rough


def _cut(level: Volume, room: Mask, ml: float) -> Volume:
    inside = np.where(room, level, np.inf).ravel()
    count = min(int(1000.0 * ml), int(room.sum()) - 1)
    limit = np.partition(inside, count)[count]
    return np.where(room, 1.0 / (1.0 + np.exp(np.clip(2.0 * (level - limit), -30.0, 30.0))), 0.0).astype(
        np.float32
    )


def _within(*labels: int) -> Shape:
    return lambda head, ml, rng: _blob(np.isin(head.labels, labels), ml, rng)


def _cavity(head: Head) -> Mask:
    """All within the skull."""
    return np.asarray((head.labels > 0) & (head.labels < 500))


def _crescent(bulge: float, reach: Range) -> Shape:
    """Against the inner table: thickest at one place, thinning to all sides; the greater `bulge` the flatter.

    `reach` is its radius in mm over the cube root of its ml.
    """

    def shape(head: Head, ml: float, rng: np.random.Generator) -> Volume:
        room = _cavity(head)
        inward = ndimage.distance_transform_edt(room)
        middle = np.argwhere(room).mean(0)
        rim = np.argwhere((inward > 0) & (inward < 2.0))
        upper = rim[(rim[:, 2] > middle[2]) & (np.abs(rim[:, 0] - middle[0]) > 25.0)]
        centre = upper[rng.integers(len(upper))]
        far = np.linalg.norm(np.indices(room.shape, dtype=np.float32) - centre[:, None, None, None], axis=0)
        taper = np.clip(1.0 - (far / (rng.uniform(*reach) * ml ** (1 / 3))) ** bulge, 0.02, None)
        return _cut((inward / taper).astype(np.float32), room & (taper > 0.05), ml)

    return shape


def _between_sulci(head: Head, ml: float, rng: np.random.Generator) -> Volume:
    """Fluid around one place, not that of the ventricles."""
    return _blob_near(head.labels == FLUID, ml, rng)


def _blob_near(room: Mask, ml: float, rng: np.random.Generator) -> Volume:
    places = np.argwhere(room)
    return _cut(_rough_distance(room, places[rng.integers(len(places))], 20.0, rng), room, ml)


def _crack(head: Head, ml: float, rng: np.random.Generator) -> Volume:
    """A thin cut through the skull, as long as its volume has it."""
    bone = np.isin(head.labels, BONE)
    places = np.argwhere(bone)
    vault = places[places[:, 2] > np.quantile(places[:, 2], 0.5)]
    centre = vault[rng.integers(len(vault))]
    normal = rng.standard_normal(3)
    normal /= np.linalg.norm(normal)
    offset = np.indices(bone.shape, dtype=np.float32) - centre[:, None, None, None]
    plane = np.abs(np.tensordot(normal.astype(np.float32), offset, 1)) + 0.5 * smooth_noise(
        bone.shape, 6.0, rng
    )
    return _cut(np.sqrt((offset**2).sum(0)), bone & (plane < GAP_MM / 2), ml)


HEAD_LESIONS: Mapping[str, HeadLesion] = {
    "intracerebral": HeadLesion(
        _within(*GREY, *WHITE, *BASAL), (55.0, 80.0), {"T1w": 0.55, "T2w": 0.25, "FLAIR": 0.5}
    ),
    "subdural": HeadLesion(
        _crescent(6.0, (13.0, 18.0)), (50.0, 75.0), {"T1w": 0.6, "T2w": 0.35, "FLAIR": 0.85}
    ),
    "epidural": HeadLesion(
        _crescent(2.0, (8.5, 11.0)), (55.0, 80.0), {"T1w": 0.55, "T2w": 0.35, "FLAIR": 0.7}
    ),
    "subarachnoid": HeadLesion(_between_sulci, (45.0, 70.0), {"T1w": 0.3, "T2w": 0.8, "FLAIR": 0.9}),
    "infarct": HeadLesion(
        _within(*GREY, *WHITE, *BASAL), (-13.0, -8.0), {"T1w": -0.12, "T2w": 0.3, "FLAIR": 0.35}, changes=True
    ),
    "oedema": HeadLesion(
        _within(*WHITE), (-10.0, -6.0), {"T1w": -0.1, "T2w": 0.25, "FLAIR": 0.3}, changes=True
    ),
    "calcification": HeadLesion(
        _within(*GREY, *WHITE, *BASAL), (120.0, 400.0), {"T1w": 0.3, "T2w": 0.1, "FLAIR": 0.1}
    ),
    "metal": HeadLesion(
        _within(*GREY, *WHITE, *BASAL), (3000.0, 3000.0), {"T1w": 0.0, "T2w": 0.0, "FLAIR": 0.0}
    ),
    "resection": HeadLesion(
        _within(*GREY, *WHITE, FLUID, *VENTRICLES), (5.0, 12.0), {"T1w": 0.08, "T2w": 1.0, "FLAIR": 0.08}
    ),
    "fracture": HeadLesion(_crack, (20.0, 80.0), {}),
}
"""Acute blood; old blood, growth over months and mass effect are not made."""


def find_head_lesion(kind: str) -> HeadLesion:
    """Look up a kind.

    Raises:
        ConfigError: no kind of that name.
    """
    if kind not in HEAD_LESIONS:
        raise ConfigError(f"unknown lesion of heads {kind!r}; {did_you_mean(kind, HEAD_LESIONS)}")
    return HEAD_LESIONS[kind]


def painted_ct(hu: Volume, soft: Volume, lesion: HeadLesion, rng: np.random.Generator) -> Volume:
    """The CT volume (I, J, K) in Hounsfield units with a lesion of soft membership (I, J, K)."""
    level = rng.uniform(*lesion.hu)
    if lesion.changes:
        return np.asarray(hu + soft * level, np.float32)
    uneven = level * (1.0 + 0.05 * smooth_noise(hu.shape, 2.0, rng))
    painted = hu + soft * (uneven - hu)
    if level >= 3000.0:
        painted += _streaks(soft, rng)
    return np.asarray(painted, np.float32)


def painted_mr(values: Volume, soft: Volume, lesion: HeadLesion, sequence: str) -> Volume:
    """A sequence's volume (I, J, K) with the same lesion; unchanged where MRI shows nothing of the kind."""
    if sequence not in lesion.mr:
        return values
    level = lesion.mr[sequence]
    changed = values + soft * level if lesion.changes else values + soft * (level - values)
    return np.asarray(changed.clip(0.0), np.float32)


def _streaks(soft: Volume, rng: np.random.Generator) -> Volume:
    """Rays of metal across its slices."""
    weight = soft.sum(axis=2) + 1e-9
    i, j = np.indices(weight.shape)
    middle = [float((axis * weight).sum() / weight.sum()) for axis in (i, j)]
    away = np.hypot(i - middle[0], j - middle[1])
    rays = np.cos(2 * rng.integers(3, 7) * np.arctan2(j - middle[1], i - middle[0]) + rng.uniform(0.0, 6.3))
    return np.asarray(
        (METAL_STREAK_HU * rays / (1.0 + away / 8.0))[..., None] * (soft.max(axis=(0, 1)) > 0.5)
    )
