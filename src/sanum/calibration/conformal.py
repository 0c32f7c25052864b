"""What conformal p-values guarantee: for a case, for a slice, and for a finding among several."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CalibrationError

COVERAGE = 0.95
"""Chance with which the rate of future false alarms lies in the interval that `Guarantee` states."""


@dataclass(frozen=True)
class Guarantee:
    """What `count` healthy subjects can guarantee at a false-alarm level.

    Attributes:
        count: n, healthy subjects.
        level: the level asked for.
        smallest: the smallest level that n subjects can honour, 1 / (n + 1).
        rate: the rate that is really guaranteed, the largest multiple of 1 / (n + 1) up to `level`.
        interval: where the long-run rate of this very calibration lies with probability 95 %. The guarantee
            holds on average over calibrations; one of few subjects may be luckier or less lucky.
    """

    count: int
    level: float
    smallest: float
    rate: float
    interval: tuple[float, float]

    @property
    def kept(self) -> bool:
        """Whether n subjects are enough for the level."""
        return self.level >= self.smallest - 1e-12

    def sentence(self) -> str:
        """The guarantee, or its refusal, in plain words."""
        if not self.kept:
            return (
                f"{self.count} healthy subjects can't guarantee a false-alarm level of {self.level:g}: the smallest "
                f"is {self.smallest:.3f}; give {subjects_needed(self.level)} or more"
            )
        low, high = self.interval
        return (
            f"{self.count} healthy subjects guarantee at most {self.rate:.3f} false alarms on exchangeable scans "
            f"(smallest level {self.smallest:.3f}); with this calibration the long-run rate lies between "
            f"{low:.3f} and {high:.3f} with 95 % probability"
        )


def guarantee(count: int, level: float) -> Guarantee:
    """What a calibration of `count` subjects guarantees at `level`.

    Given the calibration, the false-alarm rate follows Beta(m, n + 1 - m) with m = floor(level (n + 1)) when
    scores have no ties (Vovk 2012, "Conditional validity of inductive conformal predictors").

    Raises:
        CalibrationError: a level outside (0, 1), or no subject.
    """
    from scipy.stats import beta

    if count < 1 or not 0 < level < 1:
        raise CalibrationError(
            f"a guarantee needs 1 subject and a level between 0 and 1; got {count} and {level}"
        )
    flagged = math.floor(level * (count + 1) + 1e-9)
    interval = (0.0, 1.0)
    if flagged > 0:
        low, high = beta.interval(COVERAGE, flagged, count + 1 - flagged)
        interval = (float(low), float(high))
    return Guarantee(count, level, 1.0 / (count + 1), flagged / (count + 1), interval)


def subjects_needed(level: float) -> int:
    """Healthy subjects needed to guarantee a false-alarm level: the smallest n with 1 / (n + 1) <= level."""
    return math.ceil(1.0 / level - 1e-9) - 1


def p_values(scores: NDArray[np.float64], healthy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Split-conformal p-values (1 + #{healthy >= s}) / (n + 1) of many scores at once.

    Args:
        scores: (m,) of new cases.
        healthy: (n,) of calibration subjects, in any order.

    Returns:
        (m,) in (0, 1]; under exchangeability P(p <= a) <= a for each (Vovk, Gammerman, Shafer 2005).
    """
    below = np.searchsorted(np.sort(healthy), scores, side="left")
    return np.asarray((1.0 + len(healthy) - below) / (len(healthy) + 1.0))


def nested_p_values(scores: NDArray[np.float64], healthy: NDArray[np.float64]) -> NDArray[np.float64]:
    """P-values of parts (slices, findings) when each healthy subject brings several dependent ones.

    p = (1 + sum over subjects of the share of the subject's parts that score as high) / (n + 1): the chance
    that a new healthy subject has a part, and one drawn at random from its parts has p <= a, is at most a,
    however the parts of one subject depend on each other (Lee, Barber, Willett 2023, "Distribution-free
    inference with hierarchical data").

    Args:
        scores: (m,) of the parts of a new case.
        healthy: (n, most) one row a subject, NaN where it has no further part.

    Returns:
        (m,) in (0, 1].
    """
    known = ~np.isnan(healthy)
    shares = known / np.maximum(known.sum(axis=1, keepdims=True), 1)
    values, shares = healthy[known], shares[known]
    order = np.argsort(values)
    above = np.append(np.cumsum(shares[order][::-1])[::-1], 0.0)
    higher = above[np.searchsorted(values[order], scores, side="left")]
    return np.asarray((1.0 + higher) / (len(healthy) + 1.0))
