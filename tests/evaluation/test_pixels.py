"""Binned pixel figures equal exact ones, or say between which figures the exact one lies."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from sanum.core.errors import CohortError
from sanum.evaluation.pixels import (
    PixelCounts,
    average_precision_bounds,
    average_precisions,
    best_dices,
    choose_edges,
    count_pixels,
    dice,
    pixel_auroc,
)


def made(cases: int, size: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    marked = [rng.random(size) < 0.05 for _ in range(cases)]
    scores = [(rng.normal(size=size) + 1.5 * truth).astype(np.float32) for truth in marked]
    return scores, marked


def counted(scores, marked, bins=8192) -> PixelCounts:
    everything, lesion = np.concatenate(scores), np.concatenate(scores)[np.concatenate(marked)]
    edges = choose_edges(everything, lesion, bins)
    parts = [count_pixels(one, truth, edges) for one, truth in zip(scores, marked, strict=True)]
    return PixelCounts(edges, np.stack([part[0] for part in parts]), np.stack([part[1] for part in parts]))


def test_few_pixels_are_exact():
    scores, marked = made(5, 200)
    counts = counted(scores, marked)
    exact = average_precision_score(np.concatenate(marked), np.concatenate(scores))
    assert average_precisions(*counts.pooled())[0] == pytest.approx(exact, abs=1e-9)
    assert pixel_auroc(*counts.pooled())[0] == pytest.approx(
        roc_auc_score(np.concatenate(marked), np.concatenate(scores)), abs=1e-9
    )


def test_many_pixels_in_few_bins_lie_within_the_stated_bounds():
    scores, marked = made(6, 30_000)
    counts = counted(scores, marked, bins=64)
    exact = average_precision_score(np.concatenate(marked), np.concatenate(scores))
    low, high = average_precision_bounds(counts)
    assert low < exact < high
    assert low < average_precisions(*counts.pooled())[0] < high
    fine = counted(scores, marked)
    assert np.subtract(*average_precision_bounds(fine)[::-1]) < 2e-3
    assert average_precisions(*fine.pooled())[0] == pytest.approx(exact, abs=1e-4)


def test_a_draw_is_the_figure_of_the_drawn_cases():
    scores, marked = made(4, 150)
    counts = counted(scores, marked)
    weights = np.array([[2.0, 0.0, 1.0, 1.0], [0.0, 0.0, 4.0, 0.0]])
    for weight, value in zip(weights, average_precisions(*counts.drawn(weights)), strict=True):
        drawn = np.repeat(np.arange(4), weight.astype(int))
        exact = average_precision_score(
            np.concatenate([marked[i] for i in drawn]), np.concatenate([scores[i] for i in drawn])
        )
        assert value == pytest.approx(exact, abs=1e-6)


def test_the_best_dice_by_trying_every_threshold():
    scores, marked = made(3, 100)
    pooled, truth = np.concatenate(scores), np.concatenate(marked)
    slow = max(2 * (truth & (pooled >= t)).sum() / (truth.sum() + (pooled >= t).sum()) for t in pooled)
    assert best_dices(*counted(scores, marked).pooled())[0] == pytest.approx(slow, abs=1e-9)


def test_without_marked_pixels_there_is_no_figure():
    counts = counted([np.arange(5, dtype=np.float32)], [np.zeros(5, bool)])
    assert np.isnan(average_precisions(*counts.pooled())[0])
    with pytest.raises(CohortError, match="marked lesion"):
        average_precision_bounds(counts)


def test_dice_of_two_empty_masks_is_agreement():
    empty, full = np.zeros(4, bool), np.ones(4, bool)
    assert (dice(empty, empty), dice(full, empty), dice(full, full)) == (1.0, 0.0, 1.0)
