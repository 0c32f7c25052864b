"""A high healthy score at each place, by which a map is divided: what a network confuses in health counts for less."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sanum.core.errors import ScanError, TrainingError
from sanum.core.records import Prepared
from sanum.core.units import Volume

QUANTILE = 0.9
"""Share of the healthy cases whose score at a place is at most the prior there."""


RAREST = 0.02
"""Least share of the cases with brain at a place that is told from none."""


def refuse_other_grids(cases: Sequence[Prepared], instead: str) -> None:
    """Make sure that a place means the same in all cases.

    Raises:
        TrainingError: some case lies on another grid; it says what to do `instead`.
    """
    for case in cases:
        if not case.grid.same_as(cases[0].grid):
            raise TrainingError(
                f"{case.case}: {case.grid} is another grid than {cases[0].case}'s {cases[0].grid}; {instead}"
            )


def learn_prior(cases: Sequence[Prepared], score: Callable[[Prepared], Volume], softness: float) -> Volume:
    """The prior of every second voxel, in half precision: model files should be small.

    It is the quantile of the healthy scores. Where only a share of the cases has brain, the prior plus `softness` is
    divided by that share: what lies there is mostly what an extraction left on (eyes, dura, neck), and a network has
    seen little of it.

    Args:
        cases: healthy ones, on one grid.
        score: gives a case's raw map (I, J, K).
        softness: what `over_prior` will add.
    """
    healthy = np.quantile([score(case)[::2, ::2, ::2] for case in cases], QUANTILE, axis=0)
    presence = np.mean([case.mask[::2, ::2, ::2] for case in cases], axis=0)
    prior: Volume = (healthy + softness) / np.maximum(presence, RAREST) - softness
    return prior.astype(np.float16).astype(np.float32)


def over_prior(values: Volume, prior: Volume, softness: float, case: Prepared) -> Volume:
    """A map divided by the prior plus `softness`; each value of the prior stands for two voxels along each axis.

    Raises:
        ScanError: the case lies on another grid.
    """
    i, j, k = case.grid.shape
    if prior.shape != tuple((side + 1) // 2 for side in case.grid.shape):
        raise ScanError(
            f"{case.case}: {case.grid} does not fit the location prior of this model; prepare it as the model says"
        )
    enlarged = prior.repeat(2, axis=0).repeat(2, axis=1).repeat(2, axis=2)[:i, :j, :k]
    return values / (enlarged + np.float32(softness))
