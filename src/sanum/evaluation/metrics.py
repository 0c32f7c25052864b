"""Ranking metrics of cases and pixels. scikit-learn computes; this file says over what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError


@dataclass(frozen=True)
class Estimate:
    """A figure with its bootstrap interval over subjects."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auroc(scores: NDArray[np.float64], abnormal: NDArray[np.bool_]) -> float:
    """Area under the ROC curve: the chance that an abnormal case scores above a healthy one, ties half.

    Raises:
        CohortError: one of the two classes is missing.
    """
    from sklearn.metrics import roc_auc_score

    if abnormal.all() or not abnormal.any():
        raise CohortError("AUROC needs healthy and abnormal cases; the test rows hold one class only")
    return float(roc_auc_score(abnormal, scores))


def average_precision(scores: NDArray[np.floating], lesion: NDArray[np.bool_]) -> float:
    """Average precision, sum over thresholds of (R_n - R_{n-1}) P_n, over all pixels given.

    Raises:
        CohortError: no pixel is marked.
    """
    from sklearn.metrics import average_precision_score

    if not lesion.any():
        raise CohortError("average precision needs marked lesion pixels; none lie inside the masks")
    return float(average_precision_score(lesion, scores))
