"""How far a case lies from healthy ones in the latent space of a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError

NEIGHBOURS = 5
"""Healthy slices whose mean distance is a slice's distance."""


def latent_distances(
    tested: Sequence[NDArray[np.float32]], healthy: Sequence[NDArray[np.float32]]
) -> NDArray[np.float64]:
    """Mean over the slices of each case of the distance to its nearest healthy slices.

    Each feature is measured in its standard deviation over the healthy slices, so that none outweighs the others; one
    that never changes among them is left out. The distance is Euclidean, the mean of the `NEIGHBOURS` nearest
    (Ramaswamy, Rastogi, Shim 2000).

    Args:
        tested: (slices, features) of each case.
        healthy: the same of held-out healthy cases.

    Returns:
        (cases,) in healthy standard deviations, of all features together.

    Raises:
        CohortError: no healthy slice to measure from.
    """
    from sklearn.neighbors import NearestNeighbors

    if sum(len(codes) for codes in healthy) == 0:
        raise CohortError("latent distances need a held-out healthy case to measure from")
    reference = np.concatenate(healthy).astype(np.float64)
    mean, spread = reference.mean(axis=0), reference.std(axis=0)
    alive = spread > 1e-9 * max(float(spread.max()), 1e-30)
    scaled = (reference[:, alive] - mean[alive]) / spread[alive]
    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(scaled)), algorithm="brute").fit(scaled)
    found = []
    for codes in tested:
        asked = (codes[:, alive].astype(np.float64) - mean[alive]) / spread[alive]
        found.append(float(index.kneighbors(asked)[0].mean()))
    return np.array(found)
