"""Filters of stacks of small planes: on so few pixels most of what scipy.ndimage costs is its way in."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Planes = TypeVar("Planes", NDArray[np.float32], NDArray[np.float64])
"""(..., I, J); nothing passes from one plane to another."""

TRUNCATE = 4.0
"""Standard deviations at which a Gaussian ends."""


def squared_distance(there: NDArray[np.bool_], reach: int) -> NDArray[np.uint8]:
    """Squared distance of each pixel to the nearest one of its plane that is there.

    Args:
        there: (..., I, J).
        reach: pixels along an axis within which is searched, at most 10.

    Returns:
        Pixels squared; the square of `reach` + 1 stands for all that is as far or farther.
    """
    along_i = _nearest(np.where(there, np.uint8(0), np.uint8((reach + 1) ** 2)), reach)
    return _nearest(along_i.swapaxes(-1, -2), reach).swapaxes(-1, -2)


def _nearest(squares: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """The least of all places along I, each with the square of its way added."""
    *planes, i, j = squares.shape
    padded = np.full((*planes, i + 2 * reach, j), (reach + 1) ** 2, np.uint8)
    padded[..., reach : reach + i, :] = squares
    moved: NDArray[np.uint8] = np.ndarray(
        (2 * reach + 1, *squares.shape), np.uint8, padded, strides=(j, *padded.strides)
    )  # every step's view of the same pixels
    ways = (np.arange(-reach, reach + 1) ** 2).astype(np.uint8)
    nearest: NDArray[np.uint8] = (moved + ways.reshape(-1, *(1,) * squares.ndim)).min(axis=0)
    return nearest


def smoothed(values: Planes, sigma: float) -> NDArray[np.float64]:
    """Gaussian mean of (..., I, J), `sigma` in pixels; beyond an edge its mirror image counts."""
    i, j = values.shape[-2:]
    found: NDArray[np.float64] = _gaussian(i, sigma) @ values.astype(np.float64) @ _gaussian(j, sigma).T
    return found


@functools.cache
def _gaussian(count: int, sigma: float) -> NDArray[np.float64]:
    """(count, count): the weights of all pixels of a line in the mean of each."""
    radius = int(TRUNCATE * sigma + 0.5)
    away = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (away / sigma) ** 2)
    there = (np.arange(count)[:, None] + away) % (2 * count)
    mirrored = np.minimum(there, 2 * count - 1 - there)
    matrix = np.zeros((count, count))
    np.add.at(matrix, (np.arange(count)[:, None], mirrored), weights / weights.sum())
    return matrix


def opened(values: Planes) -> Planes:
    """Without what is brighter and smaller than 3 by 3 pixels: the lowest of each square, then the highest of those."""
    return _extremes(_extremes(values, np.minimum), np.maximum)


def closed(values: Planes) -> Planes:
    """Without what is darker and smaller than 3 by 3 pixels."""
    return _extremes(_extremes(values, np.maximum), np.minimum)


def _extremes(values: Planes, extreme: Callable[..., object]) -> Planes:
    """The lowest or highest of the 3 by 3 pixels around each."""
    for axis in (-1, -2):
        around = values.copy()
        one, other = around.swapaxes(axis, -2), values.swapaxes(axis, -2)
        extreme(one[..., 1:, :], other[..., :-1, :], out=one[..., 1:, :])
        extreme(one[..., :-1, :], other[..., 1:, :], out=one[..., :-1, :])
        values = around
    return values
