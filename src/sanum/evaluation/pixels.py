"""Pixel figures over many cases without holding or sorting their pixels again: counts of each case in bins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import CohortError

BINS = 8192
"""Bins of the score. Half lie where all pixels are dense, half where lesion pixels are; the loss is stated as
bounds of the average precision, a few 1e-4 apart on maps with many distinct values."""

Counts = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PixelCounts:
    """How many pixels of each case fall into each bin of the score.

    Attributes:
        edges: (B - 1,) ascending; bin b holds the scores s with edges[b - 1] <= s < edges[b].
        lesion: (cases, B) marked pixels.
        healthy: (cases, B) the others inside the mask.
    """

    edges: NDArray[np.float32]
    lesion: NDArray[np.float32]
    healthy: NDArray[np.float32]

    def drawn(self, weights: NDArray[np.float64]) -> tuple[Counts, Counts]:
        """Pooled lesion and healthy counts, highest bin first, of weighted cases.

        Args:
            weights: (draws, cases) how often each case is drawn.

        Returns:
            Two arrays (draws, B).
        """
        taken = weights.astype(np.float32)
        lesion, healthy = taken @ self.lesion, taken @ self.healthy
        return lesion[:, ::-1].astype(np.float64), healthy[:, ::-1].astype(np.float64)

    def pooled(self) -> tuple[Counts, Counts]:
        """Counts of all cases, highest bin first, each (1, B)."""
        return (
            self.lesion.sum(axis=0, dtype=np.float64)[None, ::-1],
            self.healthy.sum(axis=0, dtype=np.float64)[None, ::-1],
        )


def choose_edges(
    everywhere: NDArray[np.float32], lesion: NDArray[np.float32], bins: int = BINS
) -> NDArray[np.float32]:
    """Edges of bins: equal shares of all pixels and, as many again, of lesion pixels.

    Args:
        everywhere: scores of pixels drawn from all cases.
        lesion: scores of lesion pixels; may be empty.
        bins: at most so many.
    """
    shares = np.linspace(0, 1, bins // 2)
    known = [values for values in (everywhere, lesion) if values.size]
    parts = [np.quantile(values, shares, method="nearest") for values in known]
    return np.unique(np.concatenate(parts)).astype(np.float32)


def count_pixels(
    scores: NDArray[np.float32], marked: NDArray[np.bool_], edges: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lesion and healthy pixels of one case in each bin, each (B,)."""
    place = np.searchsorted(edges, scores, side="right")
    bins = len(edges) + 1
    lesion = np.bincount(place[marked], minlength=bins)
    return lesion.astype(np.float32), (np.bincount(place, minlength=bins) - lesion).astype(np.float32)


def average_precisions(lesion: Counts, healthy: Counts) -> NDArray[np.float64]:
    """Average precision of each draw, a bin counting as one tie; NaN without lesion pixels.

    Args:
        lesion: (draws, B) counts, highest bin first.
        healthy: (draws, B).
    """
    found, wrong = np.cumsum(lesion, axis=1), np.cumsum(healthy, axis=1)
    total = found[:, -1]
    precision = found / np.maximum(found + wrong, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((lesion * precision).sum(axis=1) / total)


def average_precision_bounds(counts: PixelCounts) -> tuple[float, float]:
    """Between which figures the exact pooled average precision lies, whatever the order within bins.

    The sum over m lesion pixels that follow one another, of (a + j) / (b + j) for j = 1..m, is
    m + (a - b) (digamma(b + m + 1) - digamma(b + 1)).

    Raises:
        CohortError: no pixel is marked.
    """
    from scipy.special import digamma

    lesion, healthy = (part[0] for part in counts.pooled())
    if not lesion.any():
        raise CohortError("average precision needs marked lesion pixels; none lie inside the masks")
    found, wrong = np.cumsum(lesion) - lesion, np.cumsum(healthy) - healthy

    def run(before: Counts) -> float:
        seen = found + before
        return float(
            (lesion + (found - seen) * (digamma(seen + lesion + 1) - digamma(seen + 1))).sum() / lesion.sum()
        )

    return run(wrong + healthy), run(wrong)


def best_dices(lesion: Counts, healthy: Counts) -> NDArray[np.float64]:
    """Best Dice of each draw over all thresholds at bin edges, pooled over pixels; NaN without lesion pixels."""
    found, wrong = np.cumsum(lesion, axis=1), np.cumsum(healthy, axis=1)
    total = found[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        dice = 2.0 * found / (found + wrong + total)
    return np.asarray(np.where(total[:, 0] > 0, dice.max(axis=1), np.nan))


def pixel_auroc(lesion: Counts, healthy: Counts) -> NDArray[np.float64]:
    """Area under the pixel ROC curve of each draw, a bin counting as one tie; NaN where one class is missing."""
    below = healthy.sum(axis=1, keepdims=True) - np.cumsum(healthy, axis=1)
    wins = (lesion * (below + 0.5 * healthy)).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(wins / (lesion.sum(axis=1) * healthy.sum(axis=1)))


def dice(predicted: NDArray[np.bool_], marked: NDArray[np.bool_]) -> float:
    """Dice coefficient 2 |A and B| / (|A| + |B|); 1 where both are empty."""
    size = int(predicted.sum()) + int(marked.sum())
    return 1.0 if size == 0 else 2.0 * int((predicted & marked).sum()) / size
