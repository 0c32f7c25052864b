"""Normal anatomy place by place: the healthy mean and spread of each voxel of a common grid."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ModelFileError, ScanError, TrainingError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Channels
from sanum.detectors.base import Detector, State
from sanum.detectors.smoothing import smooth_within
from sanum.training.run import Run

ARRAYS = ("mean", "spread", "affine")
"""Names of the learned arrays."""


@dataclass(frozen=True)
class Config:
    """Settings of the atlas.

    Attributes:
        smoothing_mm: standard deviation in mm (pixels in an image) of the Gaussian over each case, which
            forgives small errors of registration; 0 for none.
        least_spread: floor of the spread, in units of prepared intensity (0 to 1); a few healthy cases may
            agree at a place by chance.
    """

    smoothing_mm: float = 3.0
    least_spread: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 <= self.smoothing_mm < math.inf:
            raise ValueError(f"smoothing_mm: expected a size of 0 or more, got {self.smoothing_mm}")
        if not 0.0 < self.least_spread < math.inf:
            raise ValueError(f"least_spread: expected above 0, got {self.least_spread}")


class Atlas(Detector):
    """|z| = |x - mean| / max(std, floor) at each voxel, the highest of all channels; x is smoothed.

    Mean and standard deviation are those of the healthy cases whose mask covers the voxel. Where fewer than
    two do, those of all healthy voxels stand in: such a place is judged by brightness alone.

    All cases must lie on one grid, as the `template` preparation gives it.

    Attributes:
        mean_: (C, I, J, K) float32.
        spread_: (C, I, J, K) float32.
        grid_: the common grid.
    """

    name = "atlas"
    Config = Config

    mean_: Channels | None = None
    spread_: Channels | None = None
    grid_: Grid | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Pass once over the cases, one in memory at a time; `seed` and `run` change nothing.

        Raises:
            TrainingError: no cases, or cases on different grids.
            ScanError: a case with other modalities.
        """
        del seed, run
        self._check_training_cases(cases)
        grid = cases[0].grid
        moments = _Moments((len(self.modalities), *grid.shape))
        for case in cases:
            if not case.grid.same_as(grid):
                raise TrainingError(_other_grid(case, f"{cases[0].case} has {grid!r}"))
            moments.add(self._smoothed(case), case.mask)
        self.mean_, self.spread_ = moments.mean_and_spread()
        self.grid_ = grid
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Departure from the healthy mean in healthy standard deviations.

        Raises:
            ScanError: the case lies on another grid than the healthy ones did.
        """
        mean, spread, grid = self._fitted()
        self._check_case(case)
        if not case.grid.same_as(grid):
            raise ScanError(_other_grid(case, f"the atlas has {grid!r}"))
        z = np.abs(self._smoothed(case) - mean) / np.maximum(spread, np.float32(self.config.least_spread))
        return self._map(case, z.max(axis=0))

    def state(self) -> State:
        """Mean and spread of each voxel, and the affine of the grid."""
        mean, spread, grid = self._fitted()
        return {"mean": mean.copy(), "spread": spread.copy(), "affine": grid.affine.copy()}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up a saved mean and spread."""
        missing = [name for name in ARRAYS if name not in arrays]
        if missing:
            raise ModelFileError(f"atlas: array {missing[0]!r} is missing; the model file is damaged")
        mean, spread = arrays["mean"], arrays["spread"]
        if mean.ndim != 4 or mean.shape[0] != len(self.modalities) or spread.shape != mean.shape:
            raise ModelFileError(
                f"atlas: expected mean and spread of one shape ({len(self.modalities)}, I, J, K), "
                f"got {mean.shape} and {spread.shape}; the model file is damaged or of another detector"
            )
        self.mean_, self.spread_ = mean.copy(), spread.copy()
        self.grid_ = Grid(mean.shape[1:], arrays["affine"])
        return self

    def _smoothed(self, case: Prepared) -> Channels:
        sigma = self.config.smoothing_mm
        return np.stack([smooth_within(volume, case.mask, case.grid, sigma) for volume in case.voxels])

    def _fitted(self) -> tuple[Channels, Channels, Grid]:
        if self.mean_ is None or self.spread_ is None or self.grid_ is None:
            raise self._not_fitted()
        return self.mean_, self.spread_, self.grid_


class _Moments:
    """Running mean and squared deviation per voxel (Welford 1962): stable, and one case in memory."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._count = np.zeros(shape[1:], dtype=np.int64)
        self._mean = np.zeros(shape)
        self._squares = np.zeros(shape)

    def add(self, values: Channels, mask: NDArray[np.bool_]) -> None:
        self._count += mask
        offset = np.where(mask, values - self._mean, 0.0)
        self._mean += offset / np.maximum(self._count, 1)
        self._squares += offset * np.where(mask, values - self._mean, 0.0)

    def mean_and_spread(self) -> tuple[Channels, Channels]:
        """Per voxel; where fewer than two cases were seen, over all voxels of the channel."""
        mean, variance = self._mean.copy(), self._squares / np.maximum(self._count - 1, 1)
        unknown = self._count < 2
        for channel, overall, spread in zip(range(len(mean)), *self._over_all_voxels(), strict=True):
            mean[channel][unknown] = overall
            variance[channel][unknown] = spread
        return mean.astype(np.float32), np.sqrt(variance).astype(np.float32)

    def _over_all_voxels(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of each channel over every voxel of every case."""
        total = self._count.sum()
        space = (1, 2, 3)
        mean = (self._mean * self._count).sum(space) / total
        between = (self._count * (self._mean - mean[:, None, None, None]) ** 2).sum(space)
        return mean, (self._squares.sum(space) + between) / total


def _other_grid(case: Prepared, expected: str) -> str:
    return (
        f"{case.case}: its grid is {case.grid!r}, but {expected}; an atlas needs one common grid, "
        "so prepare every scan with the template preparation"
    )
