"""Draws of subjects: intervals of one figure, and whether two models differ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError
from sanum.evaluation.metrics import Estimate

BATCH = 100
"""Draws worked on at once: bounds the memory of pixel figures."""

Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Takes weights (draws, cases), gives a figure a draw, NaN where it is undefined."""


def case_weights(subjects: Sequence[str], draws: int, seed: int) -> NDArray[np.float64]:
    """How often each case is drawn when subjects are drawn with replacement, (draws, cases).

    A subject brings all its cases. One seed gives the same draws for every figure and every model of the same
    cases, so that differences are paired.
    """
    _, subject_of = np.unique(np.asarray(subjects), return_inverse=True)
    count = int(subject_of.max()) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1.0 / count), size=draws)
    return drawn[:, subject_of].astype(np.float64)


def interval(statistic: Statistic, weights: NDArray[np.float64]) -> Estimate:
    """A figure over all cases with its 95 % percentile interval over draws.

    Draws without an answer (NaN) are left out.

    Raises:
        CohortError: the figure has no answer over all cases.
    """
    value = float(statistic(np.ones((1, weights.shape[1])))[0])
    if np.isnan(value):
        raise CohortError("the figure has no answer over these cases: a class is missing")
    values = all_draws(statistic, weights)
    low, high = np.nanquantile(values, [0.025, 0.975]) if values.size else (np.nan, np.nan)
    return Estimate(value, float(low), float(high))


def all_draws(statistic: Statistic, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The statistic of every draw, in batches."""
    parts = [statistic(weights[start : start + BATCH]) for start in range(0, len(weights), BATCH)]
    return np.concatenate(parts) if parts else np.empty(0)


def weighted_auroc(scores: NDArray[np.float64], abnormal: NDArray[np.bool_]) -> Statistic:
    """AUROC as a statistic of case weights: the weighted share of ordered pairs, ties half."""
    order = np.argsort(scores, kind="stable")
    sorted_scores, sick = scores[order], abnormal[order]
    first_of_tie = np.searchsorted(sorted_scores, sorted_scores, side="left")
    last_of_tie = np.searchsorted(sorted_scores, sorted_scores, side="right")

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        taken = weights[:, order]
        healthy = np.where(sick, 0.0, taken)
        below = np.concatenate([np.zeros((len(taken), 1)), np.cumsum(healthy, axis=1)], axis=1)
        wins = 0.5 * (below[:, first_of_tie] + below[:, last_of_tie])
        ill = np.where(sick, taken, 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((ill * wins).sum(axis=1) / (ill.sum(axis=1) * healthy.sum(axis=1)))

    return statistic


def weighted_mean(values: NDArray[np.float64]) -> Statistic:
    """Mean of the cases that have a value (not NaN), as a statistic of case weights."""
    known = ~np.isnan(values)
    filled = np.where(known, values, 0.0)

    def statistic(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ filled) / (weights @ known))

    return statistic


@dataclass(frozen=True)
class Difference:
    """Two models on the same cases: figure of the first minus figure of the second.

    Attributes:
        value: the difference.
        low: of its 95 % interval.
        high: of its 95 % interval.
        p_value: two-sided, of no difference.
        method: which test gave the p-value.
    """

    value: float
    low: float
    high: float
    p_value: float
    method: str


def paired_bootstrap(first: Statistic, second: Statistic, weights: NDArray[np.float64]) -> Difference:
    """Difference of two figures over the same draws; p = twice the smaller share of draws beyond 0.

    Raises:
        CohortError: a figure has no answer over all cases.
    """
    everyone = np.ones((1, weights.shape[1]))
    value = float(first(everyone)[0] - second(everyone)[0])
    if np.isnan(value):
        raise CohortError("the figures have no answer over these cases: a class is missing")
    values = all_draws(first, weights) - all_draws(second, weights)
    values = values[~np.isnan(values)]
    low, high = np.quantile(values, [0.025, 0.975])
    beyond = min(np.count_nonzero(values <= 0), np.count_nonzero(values >= 0))
    return Difference(
        value,
        float(low),
        float(high),
        min(1.0, 2.0 * (beyond + 1) / (len(values) + 1)),
        f"paired bootstrap over subjects, {len(values)} draws",
    )


def paired_permutation(
    first: NDArray[np.float64], second: NDArray[np.float64], subjects: Sequence[str], *, draws: int, seed: int
) -> float:
    """Two-sided p-value of no mean difference between two models' figures of the same cases.

    The sign of each subject's summed difference is flipped at random (exchange of the models' labels).

    Args:
        first: (cases,) a figure of each case; cases where either is NaN are left out.
        second: (cases,).
        subjects: of each case.
        draws: random flips.
        seed: of the flips.
    """
    known = ~np.isnan(first) & ~np.isnan(second)
    _, subject_of = np.unique(np.asarray(subjects)[known], return_inverse=True)
    sums = np.bincount(subject_of, (first - second)[known])
    rng = np.random.default_rng(seed)
    signs = rng.choice([-1.0, 1.0], size=(draws, len(sums)))
    as_far = np.abs(signs @ sums) >= abs(sums.sum()) - 1e-12
    return float((1 + np.count_nonzero(as_far)) / (draws + 1))


def delong(
    first: NDArray[np.float64], second: NDArray[np.float64], abnormal: NDArray[np.bool_]
) -> Difference:
    """Compare two AUROCs on the same independent cases (DeLong, DeLong, Clarke-Pearson 1988).

    Computed by midranks (Sun and Xu 2014). For several cases a subject use `paired_bootstrap`.

    Args:
        first: (cases,) scores of one model.
        second: (cases,) scores of the other.
        abnormal: (cases,) truth.

    Raises:
        CohortError: fewer than two healthy or two abnormal cases.
    """
    from scipy.stats import norm, rankdata

    ill, well = int(abnormal.sum()), int((~abnormal).sum())
    if min(ill, well) < 2:
        raise CohortError(
            f"DeLong's test needs two cases of each kind, got {ill} abnormal and {well} healthy"
        )
    areas, of_ill, of_well = [], [], []
    for scores in (first, second):
        among_all = rankdata(scores)
        placed_ill = (among_all[abnormal] - rankdata(scores[abnormal])) / well
        placed_well = 1.0 - (among_all[~abnormal] - rankdata(scores[~abnormal])) / ill
        areas.append(placed_ill.mean())
        of_ill.append(placed_ill)
        of_well.append(placed_well)
    covariance = np.cov(of_ill) / ill + np.cov(of_well) / well
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    value, spread = float(areas[0] - areas[1]), float(np.sqrt(max(variance, 0.0)))
    p = 1.0 if spread == 0.0 else float(2 * norm.sf(abs(value) / spread))
    return Difference(value, value - 1.959964 * spread, value + 1.959964 * spread, p, "DeLong")
