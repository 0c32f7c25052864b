"""A random sample of a stream that is too long to keep."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def reservoir(
    blocks: Iterator[NDArray[np.float32]], count: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """`count` rows of all blocks (n, F), each as likely as any other; all of them where there are fewer.

    Every row draws a number, and the rows with the smallest stay; about 2·count rows are held at most.
    """
    held: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []
    for block in blocks:
        held.append((rng.random(len(block)), block))
        if sum(len(drawn) for drawn, _ in held) > 2 * count:
            held = [_smallest(held, count)]
    return _smallest(held, count)[1]


def _smallest(
    held: list[tuple[NDArray[np.float64], NDArray[np.float32]]], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    drawn, rows = (np.concatenate(column) for column in zip(*held, strict=True))
    order = np.argsort(drawn, kind="stable")[:count]
    return drawn[order], rows[order]
