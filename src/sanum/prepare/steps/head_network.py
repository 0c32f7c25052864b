"""The way of deepbet (Fisch et al. 2024) from a head to the probability of brain: a rough box first, then within it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.shipped import FOLDER
from sanum.core.units import Mask, Volume
from sanum.nets.brain_finder import BrainFinder
from sanum.prepare.steps.brain_mask import largest_piece

WEIGHTS = FOLDER / "deepbet"
"""Weights of both networks, and deepbet's licence."""

ROUGH, FINE = (128, 128, 128), (256, 256, 256)
"""Sides of the volumes that the two networks were trained on."""

ENDS = (0.005, 0.995)
"""Quantiles of the rough volume between which intensities count."""

MEAN, SPREAD = 0.449, 0.226
"""What the networks' training brought mean and standard deviation to."""

MARGIN = 0.1
"""Share of the rough brain's extent that is added to its box on each side."""

LEAST_SHARE = 0.02
"""Of a plane's pixels; planes with fewer in the rough brain do not widen its box."""

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class HeadNetwork:
    """deepbet's two networks; one may be asked by several threads at a time."""

    rough: BrainFinder
    fine: BrainFinder

    def run_model(self, voxels: Volume) -> Volume:
        """Probability of brain at each voxel of a volume (I, J, K) in RAS+ order.

        Raises:
            ValueError: nothing looks like a brain.
        """
        known = np.nan_to_num(voxels)
        small = nearest(known, ROUGH)
        low, high = (float(end) for end in np.quantile(small, ENDS))
        box = brain_box(self.rough(_scaled(small, low, high)) > 0.0, known.shape)
        log_odds = self.fine(_scaled(nearest(known[box], FINE), low, high))
        found = np.zeros(known.shape, np.float32)
        inner = found[box]
        inner[...] = _chance(nearest(log_odds, (inner.shape[0], inner.shape[1], inner.shape[2])))
        return found


@functools.cache
def head_network() -> HeadNetwork:
    """The networks, read once (0.1 s, and 1 GB at work)."""
    rough, fine = (BrainFinder.read(WEIGHTS / f"{name}.safetensors") for name in ("rough", "fine"))
    return HeadNetwork(rough, fine)


def brain_box(rough: Mask, shape: tuple[int, ...]) -> Box:
    """Box of the full volume around the rough brain's largest piece, with its margin.

    Raises:
        ValueError: the rough brain is empty.
    """
    if not rough.any():
        raise ValueError("nothing looks like a brain")
    piece, _ = largest_piece(rough)
    sides = []
    for axis, side in enumerate(shape):
        share = piece.mean(axis=tuple({0, 1, 2} - {axis}))
        planes = np.flatnonzero(share > LEAST_SHARE)
        if planes.size == 0:
            raise ValueError("what looks like a brain is too small")
        scale = side / piece.shape[axis]
        centre = np.rint(scale * (planes[-1] + 1 + planes[0]) / 2)
        extent = np.rint((1 + 2 * MARGIN) * scale * (planes[-1] + 1 - planes[0]))
        sides.append(slice(max(0, int(centre - extent / 2)), min(side, int(centre + extent / 2))))
    return sides[0], sides[1], sides[2]


def nearest(values: Volume, shape: tuple[int, int, int]) -> Volume:
    """The nearest voxel at the middle of each voxel of a grid of another shape over the same field."""
    for axis, (side, wanted) in enumerate(zip(values.shape, shape, strict=True)):
        place = (np.arange(wanted, dtype=np.float32) + np.float32(0.5)) * np.float32(side / wanted)
        values = values.take(np.minimum(place.astype(np.int64), side - 1), axis)
    return values


def _scaled(values: Volume, low: float, high: float) -> Volume:
    """In place: clipped between the ends, then to the mean and spread of the training."""
    if not high > low:
        raise ValueError("the volume has no contrast")
    values -= np.float32(low)
    values *= np.float32(1.0 / (high - low))
    np.clip(values, 0.0, 1.0, out=values)
    mean, spread = values.mean(dtype=np.float64), values.std(dtype=np.float32)
    values *= np.float32(SPREAD / spread)
    values += np.float32(MEAN - mean * SPREAD / spread)
    return values


def _chance(log_odds: NDArray[np.float32]) -> Volume:
    np.negative(log_odds, out=log_odds)
    with np.errstate(over="ignore"):
        np.exp(log_odds, out=log_odds)
    log_odds += np.float32(1.0)
    chance: Volume = np.reciprocal(log_odds, out=log_odds)
    return chance
