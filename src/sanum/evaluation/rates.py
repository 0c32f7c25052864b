"""False-alarm rates with exact intervals, and whether p-values of healthy scans look uniform."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError

LEVELS = (0.05, 0.10)
"""Levels at which every evaluation states the false-alarm rate."""


@dataclass(frozen=True)
class Rate:
    """A share of cases with its exact (Clopper-Pearson 1934) 95 % interval.

    Attributes:
        hits: cases that count.
        cases: of so many.
        value: hits / cases.
        low: of the interval.
        high: of the interval.
    """

    hits: int
    cases: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] ({self.hits} of {self.cases})"


def rate(flags: NDArray[np.bool_]) -> Rate:
    """The share of true flags with its exact interval.

    Raises:
        CohortError: no case.
    """
    from scipy.stats import beta

    hits, cases = int(np.count_nonzero(flags)), int(flags.size)
    if cases == 0:
        raise CohortError("a rate needs at least one case")
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, cases - hits + 1))
    high = 1.0 if hits == cases else float(beta.ppf(0.975, hits + 1, cases - hits))
    return Rate(hits, cases, hits / cases, low, high)


def uniformity(p_values: NDArray[np.float64], count: int) -> float:
    """P-value of a Kolmogorov-Smirnov test that conformal p-values of healthy scans are uniform.

    Conformal p-values lie on a grid of 1 / (n + 1); each is spread over its step, at its middle, before the
    test. With one shared calibration set they are dependent, so a small value is a reason to look, not proof.

    Args:
        p_values: (m,) of healthy cases.
        count: n, calibration subjects.
    """
    from scipy.stats import kstest

    middles = p_values - 0.5 / (count + 1)
    return float(kstest(middles, "uniform").pvalue)
