"""Lesion by lesion: how many are found at how many false findings a case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.evaluation.metrics import Estimate
from sanum.evaluation.resample import all_draws

FALSE_FINDINGS = (1.0, 2.0, 4.0)
"""False findings a case at which sensitivity is stated."""

MIN_IOU = 0.1
"""Overlap of a strict hit: shared voxels over joined voxels of the lesion and its best region."""

TOUCHING = np.ones((3, 3, 3))
"""Voxels that share a face, an edge or a corner belong together."""


@dataclass(frozen=True, eq=False)
class Regions:
    """What one case shows at each threshold.

    Attributes:
        lesions: number of separate lesions.
        hit: (T,) lesions that any region overlaps.
        hit_iou: (T,) lesions whose best region has an IoU of `MIN_IOU` or more.
        false: (T,) regions that overlap no lesion.
    """

    lesions: int
    hit: NDArray[np.int64]
    hit_iou: NDArray[np.int64]
    false: NDArray[np.int64]


def regions(
    values: NDArray[np.float32], lesion: NDArray[np.bool_], thresholds: NDArray[np.float64], smallest: int
) -> Regions:
    """Compare the regions above each threshold with the lesions of one case.

    Args:
        values: (I, J, K) map, NaN outside the mask.
        lesion: (I, J, K) marked voxels; only those inside the mask count.
        thresholds: (T,) a region is connected voxels with values at or above one.
        smallest: voxels of the smallest region that counts as a finding.
    """
    inside = ~np.isnan(values)
    box = ndimage.find_objects(inside.astype(np.int8))[0]
    values, known = values[box], inside[box]
    lesions, count = ndimage.label(lesion[box] & known, TOUCHING)
    lesion_sizes = np.bincount(lesions.ravel(), minlength=count + 1)[1:]
    filled = np.where(known, values, -np.inf)
    found = [_at(filled >= level, lesions, lesion_sizes, smallest) for level in thresholds]
    hit, hit_iou, false = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
    return Regions(count, hit, hit_iou, false)


def _at(
    above: NDArray[np.bool_], lesions: NDArray[np.integer], lesion_sizes: NDArray[np.int64], smallest: int
) -> tuple[int, int, int]:
    labels, count = ndimage.label(above, TOUCHING)
    if count == 0:
        return 0, 0, 0
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    large = sizes >= smallest
    large[0] = False
    inside = lesions > 0
    pairs = labels[inside].astype(np.int64) * (len(lesion_sizes) + 1) + lesions[inside]
    found, shared = np.unique(pairs, return_counts=True)
    region, lesion = np.divmod(found, len(lesion_sizes) + 1)
    counted = large[region]
    region, lesion, shared = region[counted], lesion[counted], shared[counted]
    iou = shared / (sizes[region] + lesion_sizes[lesion - 1] - shared)
    false = int(large.sum()) - len(np.unique(region))
    return len(np.unique(lesion)), len(np.unique(lesion[iou >= MIN_IOU])), false


@dataclass(frozen=True, eq=False)
class Froc:
    """Free-response curve over all cases.

    Attributes:
        thresholds: (T,) descending sensitivity.
        false_findings: (T,) mean false findings a case, over healthy and lesion cases.
        sensitivity: (T,) share of all lesions hit.
        sensitivity_iou: (T,) the same for strict hits.
        at: sensitivity at `FALSE_FINDINGS`, with intervals over subjects.
        at_iou: the same for strict hits.
    """

    thresholds: NDArray[np.float64]
    false_findings: NDArray[np.float64]
    sensitivity: NDArray[np.float64]
    sensitivity_iou: NDArray[np.float64]
    at: dict[str, Estimate]
    at_iou: dict[str, Estimate]


def froc(cases: list[Regions], thresholds: NDArray[np.float64], weights: NDArray[np.float64]) -> Froc:
    """Pool the regions of all cases; at a false-finding rate the best threshold that keeps it counts.

    Args:
        cases: one a case.
        thresholds: (T,) ascending.
        weights: (draws, cases) of `case_weights`.
    """
    lesions = np.array([case.lesions for case in cases], float)
    hit = np.array([case.hit for case in cases], float)
    strict = np.array([case.hit_iou for case in cases], float)
    false = np.array([case.false for case in cases], float)
    everyone = np.ones((1, len(cases)))

    def share(found: NDArray[np.float64], drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((drawn @ found) / (drawn @ lesions)[:, None])

    def false_rate(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((drawn @ false) / drawn.sum(axis=1, keepdims=True))

    def best(found: NDArray[np.float64], limit: float) -> Estimate:
        def statistic(drawn: NDArray[np.float64]) -> NDArray[np.float64]:
            allowed = false_rate(drawn) <= limit
            return np.asarray(np.where(allowed, share(found, drawn), 0.0).max(axis=1))

        low, high = np.nanquantile(all_draws(statistic, weights), [0.025, 0.975])
        return Estimate(float(statistic(everyone)[0]), float(low), float(high))

    return Froc(
        thresholds,
        false_rate(everyone)[0],
        share(hit, everyone)[0],
        share(strict, everyone)[0],
        {f"{limit:g}": best(hit, limit) for limit in FALSE_FINDINGS},
        {f"{limit:g}": best(strict, limit) for limit in FALSE_FINDINGS},
    )
