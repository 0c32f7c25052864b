"""How a head may lie: every rotation tried coarsely, and the most likely ones named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.units import Affine, Volume

Rotation = NDArray[np.float64]
"""(3, 3), determinant 1."""

COUNT = 800
"""Rotations tried. Any rotation has one of them within about 20°; a registration finds its way over 30°."""

APART_DEGREES = 40.0
"""Two starts nearer to each other than this lead to the same place."""

BINS = 16


def sphere(count: int) -> NDArray[np.float64]:
    """Rotations spread evenly over all there are, (count, 3, 3): super-Fibonacci spirals (Alexa, CVPR 2022)."""
    step = np.arange(count) + 0.5
    share = step / count
    first, second = 2 * np.pi * step / np.sqrt(2.0), 2 * np.pi * step / 1.533751168755204288118041
    near, far = np.sqrt(share), np.sqrt(1.0 - share)
    x, y, z, w = near * np.sin(first), near * np.cos(first), far * np.sin(second), far * np.cos(second)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def degrees_between(one: Rotation, other: Rotation) -> float:
    """Angle of the rotation that leads from one to the other, 0 to 180."""
    cosine = (np.trace(one.T @ other) - 1.0) / 2.0
    return float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))


def nearest_rotation(matrix: NDArray[np.float64]) -> Rotation:
    """The rotation within a linear map with positive determinant, by its polar decomposition."""
    left, _, right = np.linalg.svd(matrix)
    turn: Rotation = left @ np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))]) @ right
    return turn


@dataclass(frozen=True, eq=False)
class Cloud:
    """A brain as it is looked up.

    Attributes:
        voxels: (I, J, K) in [0, 1], smooth, 0 outside the brain.
        places: (n, 3), world mm of a share of the brain's voxels; their moments are the brain's.
        to_voxel: (4, 4), world mm to voxel.
    """

    voxels: Volume
    places: NDArray[np.float64]
    to_voxel: Affine


def moments_map(moving: NDArray[np.float64], fixed: NDArray[np.float64], turn: Rotation) -> Affine:
    """Fixed world to moving world, (4, 4): centre on centre, turned, spread on spread along each fixed axis.

    Args:
        moving: (n, 3), places of the moving brain.
        fixed: (m, 3), places of the fixed brain.
        turn: fixed axes to moving axes.
    """
    spread = np.sqrt(np.diag(turn.T @ np.cov(moving.T, bias=True) @ turn)) / fixed.std(axis=0)
    found = np.eye(4)
    found[:3, :3] = turn @ np.diag(spread)
    found[:3, 3] = moving.mean(axis=0) - found[:3, :3] @ fixed.mean(axis=0)
    return found


def likely_turns(moving: Cloud, fixed: Cloud, compared: NDArray[np.float64], count: int) -> list[Rotation]:
    """The best starts of a registration, at least `APART_DEGREES` from each other, by mutual information.

    Args:
        moving: the brain whose way up is not known.
        fixed: the template.
        compared: (n, 3), template world, where the two are compared: the template's brain and a dark rim.
        count: starts wanted.

    Returns:
        Rotations from template axes to scan axes, the most likely first.
    """
    wanted = _grey(_at(fixed, compared))
    rotations = [np.eye(3), *sphere(COUNT)]
    scores = []
    for turn in rotations:
        there = _moved(compared, moments_map(moving.places, fixed.places, turn))
        scores.append(_mutual_information(wanted, _grey(_at(moving, there))))
    chosen: list[Rotation] = []
    for index in np.argsort(scores)[::-1]:
        if all(degrees_between(rotations[index], other) >= APART_DEGREES for other in chosen):
            chosen.append(rotations[index])
        if len(chosen) == count:
            break
    return chosen


def _moved(places: NDArray[np.float64], matrix: Affine) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = places @ matrix[:3, :3].T + matrix[:3, 3]
    return moved


def _at(cloud: Cloud, places: NDArray[np.float64]) -> Volume:
    """Values at the nearest voxels, 0 outside; (n,)."""
    index = np.rint(_moved(places, cloud.to_voxel)).astype(np.intp)
    inside = ((index >= 0) & (index < cloud.voxels.shape)).all(axis=1)
    found = np.zeros(len(places), np.float32)
    found[inside] = cloud.voxels[tuple(index[inside].T)]
    return found


def _grey(values: Volume) -> NDArray[np.intp]:
    return np.minimum(values * BINS, BINS - 1).astype(np.intp)


def _mutual_information(one: NDArray[np.intp], other: NDArray[np.intp]) -> float:
    """In nats, of two lists of grey levels."""
    joint = np.bincount(one * BINS + other, minlength=BINS * BINS).reshape(BINS, BINS) / len(one)
    apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / apart[seen])).sum())
