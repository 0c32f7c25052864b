"""Rigid registration of one scan of a case to another, whatever their contrasts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.units import Affine, Mask, Volume
from sanum.prepare.steps import itk, turns

MAX_SHIFT_MM = 60.0
"""Nobody moves further between two scans of a session: the optimiser has run away, or the scans show two people."""

MAX_TURN_DEGREES = 45.0
"""Nor turns further."""

MIN_INFORMATION = 0.20
"""Least mutual information (nats) of two scans laid on each other. T1w and FLAIR of one person have .39 to .62; those
of two persons .16 to .44, so that this catches a runaway and another kind of picture, not every mix-up."""

ENDS = (0.5, 99.5)
"""Percentiles that end the grey scale, so that a hot voxel does not take the histogram's bins."""


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rigid map that passed its checks.

    Attributes:
        to_first: (4, 4), world mm of the further scan to world mm of the first.
        shift_mm: mean distance over the brain between where the headers put it and where it lies.
        turn_degrees: angle of the rotation.
        metric: mutual information at the end, in nats; higher is better.
        metric_before: the same by the headers alone.
    """

    to_first: Affine
    shift_mm: float
    turn_degrees: float
    metric: float
    metric_before: float


def coregister(first: Volume, mask: Mask, grid: Grid, further: Volume, further_grid: Grid) -> Rigid:
    """Find how a further scan lies to the first one, by mutual information from where their headers put them.

    Args:
        first: (I, J, K) on `grid`.
        mask: (I, J, K), its brain.
        grid: at 2 mm along the world axes.
        further: (I', J', K') on `further_grid`.
        further_grid: likewise, wide enough for the motion between the two.

    Raises:
        PreparationError: the two don't come to lie on each other.
    """
    sitk = itk.sitk()
    method = itk.mutual_information(itk.image(itk.rimmed(mask).astype(np.uint8), grid))
    places = grid.to_world(np.argwhere(mask)[::61])
    start = sitk.Euler3DTransform()
    start.SetCenter(places.mean(axis=0).tolist())
    method.SetInitialTransform(start, inPlace=False)
    fixed, moving = itk.image(_grey(first), grid), itk.image(_grey(further), further_grid)
    try:
        before = -float(method.MetricEvaluate(fixed, moving))
        to_further = itk.matrix(method.Execute(fixed, moving))
    except RuntimeError as error:
        raise _failed("the optimiser gave up; do they overlap at all?") from error
    found = Rigid(
        to_first=np.linalg.inv(to_further).astype(np.float64),
        shift_mm=_mean_shift(to_further, places),
        turn_degrees=turns.degrees_between(np.eye(3), to_further[:3, :3]),
        metric=-float(method.GetMetricValue()),
        metric_before=before,
    )
    if found.metric < MIN_INFORMATION:
        raise _failed(f"mutual information {found.metric:.2f}, needed {MIN_INFORMATION}")
    if found.shift_mm > MAX_SHIFT_MM or found.turn_degrees > MAX_TURN_DEGREES:
        raise _failed(
            f"they would lie {found.shift_mm:.0f} mm and {found.turn_degrees:.0f}° apart, at most "
            f"{MAX_SHIFT_MM:.0f} mm and {MAX_TURN_DEGREES:.0f}° expected"
        )
    return found


def _failed(reason: str) -> PreparationError:
    return PreparationError(
        f"can't be laid on the first scan of the case: {reason}; do both show one person? Register them first "
        "and save them on one grid"
    )


def _mean_shift(to_further: Affine, places: NDArray[np.float64]) -> float:
    moved = places @ to_further[:3, :3].T + to_further[:3, 3]
    return float(np.linalg.norm(moved - places, axis=1).mean())


def _grey(values: Volume) -> Volume:
    low, high = np.percentile(values, ENDS)
    clipped: Volume = np.clip(values, low, high).astype(np.float32)
    return clipped
