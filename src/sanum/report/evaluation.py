"""Figures of how well scores part healthy cases from lesions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError
from sanum.report.figures import HEALTHY, LESION, chart, png

BINS = 30


def roc_figure(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> bytes:
    """Receiver operating characteristic as PNG bytes: true against false alarms over all thresholds.

    Args:
        scores: (n,) higher = more anomalous.
        labels: (n,) true where the case has a lesion.

    Raises:
        CohortError: a score that is no number, or only one kind of case.
    """
    _check(scores, labels)
    if labels.all() or not labels.any():
        raise CohortError("labels: expected healthy and lesion cases, got one kind only")
    false_alarms, found = _roc_points(scores, labels)
    area = float(np.trapezoid(found, false_alarms))
    figure, axes = chart("false alarms among healthy cases", "lesion cases found", (4.6, 4.4))
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--", label="chance")
    axes.plot(false_alarms, found, color=HEALTHY, linewidth=1.8, label=f"AUROC {area:.3f}")
    axes.set_aspect("equal")
    axes.set_title(f"{int(labels.sum())} lesion cases, {int((~labels).sum())} healthy", fontsize=10)
    axes.legend(frameon=False, loc="lower right")
    return png(figure)


def score_histogram(
    scores: NDArray[np.float64], labels: NDArray[np.bool_], threshold: float | None = None
) -> bytes:
    """Scores of healthy and lesion cases, and the decision threshold, as PNG bytes.

    Each kind sums to one, so that few cases of one kind can be seen beside many of the other.

    Raises:
        CohortError: a score that is no number, or no case.
    """
    _check(scores, labels)
    figure, axes = chart("case score", "share of cases")
    ends = [scores.min(), scores.max(), *([] if threshold is None else [threshold])]
    bins = np.linspace(min(ends), max(max(ends), min(ends) + 1e-9), BINS + 1)
    for chosen, colour, name in ((~labels, HEALTHY, "healthy"), (labels, LESION, "lesion")):
        count = int(chosen.sum())
        if count == 0:
            continue
        axes.hist(
            scores[chosen],
            bins.tolist(),
            weights=np.full(count, 1 / count),
            color=colour,
            alpha=0.55,
            label=f"{name} ({count})",
        )
    if threshold is not None:
        axes.axvline(
            threshold, color="black", linestyle="--", linewidth=1.2, label=f"threshold {threshold:.4g}"
        )
    axes.legend(frameon=False)
    return png(figure)


def _check(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> None:
    if scores.shape != labels.shape or scores.ndim != 1 or scores.size == 0:
        raise CohortError(
            f"scores and labels: expected one of each a case, got {scores.shape} and {labels.shape}"
        )
    if not np.isfinite(scores).all():
        raise CohortError("scores: some are not numbers; leave refused cases out and count them")


def _roc_points(
    scores: NDArray[np.float64], labels: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False and true alarm rates at every distinct score, strictest threshold first; ties move together."""
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), scores.size - 1)
    found = np.cumsum(labels[order])[last_of_tie] / labels.sum()
    false_alarms = np.cumsum(~labels[order])[last_of_tie] / (~labels).sum()
    return np.append(0.0, false_alarms), np.append(0.0, found)
