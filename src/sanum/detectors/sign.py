"""How bright or dark a place is within its own brain, to weigh scores where lesions of a contrast are known to be so."""

from __future__ import annotations

import numpy as np

from sanum.core.records import Prepared
from sanum.core.units import Volume
from sanum.detectors.smoothing import smooth_within

SIGN_SMOOTHING_MM = 1.5
"""Standard deviation of the Gaussian under which brightness is looked at, in mm (pixels in an image)."""

LEAST_SPREAD = 1e-3
"""Spread below which a brain counts as flat, in units of prepared intensity."""


def sign_weight(case: Prepared, *, bright: bool) -> Volume:
    """Logistic function of the robust z-score of smoothed brightness, or darkness; the mean over channels."""
    scores = []
    for voxels in case.voxels:
        smooth = smooth_within(voxels, case.mask, case.grid, SIGN_SMOOTHING_MM)
        inside = smooth[case.mask]
        median = float(np.median(inside))
        spread = 1.4826 * float(np.median(np.abs(inside - median)))
        scores.append((smooth - median) / max(spread, LEAST_SPREAD))
    z = np.mean(scores, axis=0)
    weight: Volume = (1.0 / (1.0 + np.exp(-z if bright else z))).astype(np.float32)
    return weight
