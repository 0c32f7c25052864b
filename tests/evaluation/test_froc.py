"""Lesion-wise hits and false findings by hand, and against a slow count."""

import numpy as np
import pytest
from scipy import ndimage

from sanum.evaluation.froc import MIN_IOU, TOUCHING, froc, regions
from sanum.evaluation.resample import case_weights


def slow(values, lesion, level, smallest):
    """Region by region."""
    found, count = ndimage.label(np.nan_to_num(values, nan=-np.inf) >= level, TOUCHING)
    areas = [found == i for i in range(1, count + 1) if (found == i).sum() >= smallest]
    marked, lesions = ndimage.label(lesion, TOUCHING)
    targets = [marked == i for i in range(1, lesions + 1)]
    hit = sum(any((area & target).any() for area in areas) for target in targets)
    strict = sum(
        any((area & target).sum() / (area | target).sum() >= MIN_IOU for area in areas) for target in targets
    )
    return hit, strict, sum(not (area & lesion).any() for area in areas)


def test_counts_agree_with_the_slow_ones():
    rng = np.random.default_rng(0)
    for _ in range(5):
        values = ndimage.gaussian_filter(rng.normal(size=(24, 24, 8)), 1.2).astype(np.float32)
        values /= values.std()
        values[:2] = np.nan
        lesion = ndimage.gaussian_filter(rng.normal(size=(24, 24, 8)), 2.0) > 0.25
        lesion[:2] = False
        levels = np.array([0.5, 1.0, 1.5, 2.5, 99.0])
        found = regions(values, lesion, levels, smallest=3)
        for at, level in enumerate(levels):
            assert (found.hit[at], found.hit_iou[at], found.false[at]) == slow(values, lesion, level, 3)


def test_sensitivity_at_a_false_finding_rate():
    values = np.zeros((20, 20, 1), np.float32)
    values[2:5, 2:5] = 3.0
    values[10:13, 10:13] = 2.0
    lesion = np.zeros(values.shape, bool)
    lesion[2:5, 2:5] = lesion[16:19, 2:5] = True
    case = regions(values, lesion, np.array([1.0, 2.5]), smallest=1)
    healthy = regions(values, np.zeros(values.shape, bool), np.array([1.0, 2.5]), smallest=1)
    found = froc([case, healthy], np.array([1.0, 2.5]), case_weights(["a", "b"], 20, 0))
    assert case.lesions == 2
    assert found.false_findings.tolist() == [1.5, 0.5]
    assert found.at["1"].value == 0.5
    assert found.at["4"].value == pytest.approx(0.5)
