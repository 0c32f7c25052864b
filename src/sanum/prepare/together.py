"""The scans of one case, brought to lie on the first of them."""

from __future__ import annotations

import numpy as np

from sanum.core.records import Scan
from sanum.core.units import Affine, Mask
from sanum.prepare.placing import RIM_MM, world_box
from sanum.prepare.step_log import StepLog, about
from sanum.prepare.steps.coregister import MAX_SHIFT_MM, coregister
from sanum.prepare.steps.resample import resample


def onto_first(scan: Scan, first: Scan, region: Mask, log: StepLog) -> Affine:
    """World of a further scan to world of the first, (4, 4), found by a rigid registration.

    Args:
        scan: the further one, on a grid of its own.
        first: the scan that the case's brain mask lies on.
        region: (I, J, K) on the first scan's grid, its brain.

    Raises:
        PreparationError: the two don't come to lie on each other; names the further scan's file.
    """
    near, wide = world_box(region, first.grid, RIM_MM), world_box(region, first.grid, MAX_SHIFT_MM)
    everywhere = np.ones(first.grid.shape, np.bool_)
    fixed, _ = resample(first.voxels, everywhere, first.grid, near, np.eye(4))
    _, mask = resample(first.voxels, region, first.grid, near, np.eye(4))
    moving, _ = resample(scan.voxels, np.ones(scan.grid.shape, np.bool_), scan.grid, wide, np.eye(4))
    with about(scan):
        found = coregister(fixed, mask, near, moving, wide)
    log(
        "coregister",
        file=scan.source.path,
        shift_mm=round(found.shift_mm, 2),
        turn_degrees=round(found.turn_degrees, 2),
        mutual_information=round(found.metric, 4),
        mutual_information_before=round(found.metric_before, 4),
        to_first=found.to_first.tolist(),
    )
    return found.to_first
