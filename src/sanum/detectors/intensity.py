"""The baseline without training: how bright or dark a place is, seen against the brain."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ConfigError, ModelFileError
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Mask, Volume
from sanum.detectors.base import Detector, State
from sanum.detectors.smoothing import smooth_within
from sanum.training.run import Run

BINS = 4096
"""Histogram bins over [0, 1]: finer than the 8 bits of a picture and the noise of a scanner."""

MAD_TO_STD = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""

LEAST_SPREAD = 1e-3
"""Spread below which a brain counts as flat, in units of prepared intensity: a quarter of an 8-bit step."""


@dataclass(frozen=True)
class Config:
    """Settings of the baseline.

    Attributes:
        sign: "bright" or "dark" tissue relative to the case's own brain, or "both": any departure from the
            healthy histogram.
        smoothing_mm: standard deviation of the Gaussian in mm (pixels in an image), 0 for none.
        channel: the modality that is looked at; None takes at each voxel the highest score of all channels.
    """

    sign: Literal["bright", "dark", "both"] = "bright"
    smoothing_mm: float = 2.0
    channel: str | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.smoothing_mm < math.inf:
            raise ValueError(f"smoothing_mm: expected a size of 0 or more, got {self.smoothing_mm}")


class Intensity(Detector):
    """Smoothed robust z-score of brightness within the brain (Meissen, Kaissis and Rueckert 2021).

    z = (x - median) / (1.4826 · MAD). For "bright" (z) and "dark" (-z) median and MAD are the case's own,
    so nothing needs to be learned; for "both" (|z|) they are those of all healthy voxels that `fit` saw.
    The values are smoothed before, by a Gaussian mean that leaves out what lies outside the mask.

    Attributes:
        median_: (C,) healthy median of each channel.
        spread_: (C,) healthy 1.4826 · MAD of each channel.
    """

    name = "intensity"
    Config = Config

    median_: NDArray[np.float64] | None = None
    spread_: NDArray[np.float64] | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Learn the healthy median and spread of each channel; `seed` and `run` change nothing.

        Raises:
            TrainingError: no cases.
            ScanError: a case with other modalities.
            ConfigError: the configured channel is none of the modalities.
        """
        del seed, run
        self._check_training_cases(cases)
        self._channels()
        counts = np.zeros((len(self.modalities), BINS), dtype=np.int64)
        for case in cases:
            for channel, voxels in enumerate(case.voxels):
                counts[channel] += np.histogram(voxels[case.mask], bins=BINS, range=(0.0, 1.0))[0]
        learned = np.array([_of_histogram(row) for row in counts])
        self.median_, self.spread_ = learned[:, 0].copy(), learned[:, 1].copy()
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Robust z-score of the smoothed brightness, by the configured sign."""
        median, spread = self._fitted()
        self._check_case(case)
        scores = [
            self._score_channel(case, channel, float(median[channel]), float(spread[channel]))
            for channel in self._channels()
        ]
        return self._map(case, np.max(scores, axis=0))

    def state(self) -> State:
        """Healthy median and spread of each channel."""
        median, spread = self._fitted()
        return {"median": median.copy(), "spread": spread.copy()}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up a saved median and spread."""
        for name in ("median", "spread"):
            if name not in arrays or arrays[name].shape != (len(self.modalities),):
                raise ModelFileError(
                    f"intensity: expected an array {name!r} with one value for each of "
                    f"{', '.join(self.modalities)}; the model file is damaged or of another detector"
                )
        self.median_, self.spread_ = arrays["median"].copy(), arrays["spread"].copy()
        return self

    def _score_channel(self, case: Prepared, channel: int, median: float, spread: float) -> Volume:
        settings: Config = self.config
        values = case.voxels[channel]
        if settings.sign != "both":
            median, spread = _of_voxels(values, case.mask)
        smooth = smooth_within(values, case.mask, case.grid, settings.smoothing_mm)
        z = (smooth - np.float32(median)) / np.float32(max(spread, LEAST_SPREAD))
        by_sign: dict[str, Volume] = {"bright": z, "dark": -z, "both": np.abs(z)}
        return by_sign[settings.sign]

    def _channels(self) -> list[int]:
        wanted = self.config.channel
        if wanted is None:
            return list(range(len(self.modalities)))
        if wanted not in self.modalities:
            raise ConfigError(f"intensity: channel {wanted!r} is none of {', '.join(self.modalities)}")
        return [self.modalities.index(wanted)]

    def _fitted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if self.median_ is None or self.spread_ is None:
            raise self._not_fitted()
        return self.median_, self.spread_


def _of_voxels(values: Volume, mask: Mask) -> tuple[float, float]:
    inside = values[mask]
    median = float(np.median(inside))
    return median, MAD_TO_STD * float(np.median(np.abs(inside - median)))


def _of_histogram(counts: NDArray[np.int64]) -> tuple[float, float]:
    centres = (np.arange(BINS) + 0.5) / BINS
    median = _weighted_median(centres, counts)
    return median, MAD_TO_STD * _weighted_median(np.abs(centres - median), counts)


def _weighted_median(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(counts[order])
    return float(values[order[np.searchsorted(below, below[-1] / 2)]])
