"""How large a lesion must be to be found: detection against size, by kind and severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.evaluation.metrics import auroc
from sanum.evaluation.rates import Rate, rate

HALF = 0.5
"""Share of lesions found that defines the detection size."""


@dataclass(frozen=True)
class Trial:
    """One planted lesion and what became of it.

    Attributes:
        case: the healthy case it was planted in.
        kind: of lesion.
        size: in ml (pixels in an image).
        severity: above 0 (hardly visible) up to 1 (glaring).
        score: of the case with the lesion.
        abnormal: whether the case was called abnormal.
        hit: whether a voxel of the lesion lies above the healthy finding level where the healthy case's did not.
    """

    case: str
    kind: str
    size: float
    severity: float
    score: float
    abnormal: bool
    hit: bool


@dataclass(frozen=True)
class Cell:
    """All trials of one kind, severity and size.

    Attributes:
        size: in ml or pixels.
        detected: share of cases called abnormal.
        hit: share of lesions that the map shows.
        auroc: of cases with the lesion against the same cases without.
    """

    size: float
    detected: Rate
    hit: Rate
    auroc: float


@dataclass(frozen=True)
class Curve:
    """Detection against size for one kind and severity.

    Attributes:
        kind: of lesion.
        severity: of lesion.
        cells: by ascending size.
        half_size: size at which half of the cases are called abnormal; None where no size reaches it.
    """

    kind: str
    severity: float
    cells: list[Cell]
    half_size: float | None


def severity_curves(trials: Sequence[Trial], healthy: NDArray[np.float64]) -> list[Curve]:
    """Group trials into curves.

    Args:
        trials: planted lesions.
        healthy: (n,) scores of the healthy cases without a lesion.
    """
    curves = []
    for kind, severity in sorted({(trial.kind, trial.severity) for trial in trials}):
        chosen = [trial for trial in trials if (trial.kind, trial.severity) == (kind, severity)]
        sizes = sorted({trial.size for trial in chosen})
        cells = [_cell([trial for trial in chosen if trial.size == size], healthy) for size in sizes]
        rates = [cell.detected.value for cell in cells]
        weights = [cell.detected.cases for cell in cells]
        curves.append(Curve(kind, severity, cells, half_size(sizes, rates, weights)))
    return curves


def half_size(sizes: Sequence[float], rates: Sequence[float], weights: Sequence[float]) -> float | None:
    """Where detection crosses one half: isotonic in size, linear in log size between the sizes tried.

    Returns:
        The size; the smallest tried where even that is found in half of the cases; None where none is.
    """
    from sklearn.isotonic import IsotonicRegression

    rising = IsotonicRegression().fit_transform(np.log(sizes), rates, sample_weight=weights)
    above = np.flatnonzero(rising >= HALF)
    if above.size == 0:
        return None
    first = int(above[0])
    if first == 0:
        return float(sizes[0])
    low, high = rising[first - 1], rising[first]
    share = (HALF - low) / (high - low)
    return float(np.exp(np.log(sizes[first - 1]) * (1 - share) + np.log(sizes[first]) * share))


def _cell(trials: Sequence[Trial], healthy: NDArray[np.float64]) -> Cell:
    scores = np.concatenate([healthy, [trial.score for trial in trials]])
    ill = np.arange(len(scores)) >= len(healthy)
    return Cell(
        trials[0].size,
        rate(np.array([trial.abnormal for trial in trials])),
        rate(np.array([trial.hit for trial in trials])),
        auroc(scores, ill),
    )
