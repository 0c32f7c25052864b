"""What a model gives on its grid, seen on the scan's own grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import GeometryError
from sanum.core.records import AnomalyMap, Prepared, Scan
from sanum.core.units import Channels, Volume
from sanum.prepare.presets import Preparation, Template
from sanum.prepare.steps.resample import resample, resample_labels
from sanum.prepare.steps.scale import unscale


def to_native(map: AnomalyMap, prepared: Prepared) -> AnomalyMap:
    """Bring a map back to the scan that it is about.

    Args:
        map: values on the model grid, NaN outside the mask.
        prepared: the case it was made from.

    Returns:
        Values on `prepared.native` by linear interpolation between voxels inside, NaN outside the mask; without parts.

    Raises:
        GeometryError: the map does not lie on the model grid of `prepared`.
    """
    if not map.grid.same_as(prepared.grid):
        raise GeometryError(
            f"{map.case}: the map lies on {map.grid}, but the prepared case {prepared.case} on {prepared.grid}"
        )
    to_scan = np.linalg.inv(prepared.to_model).astype(np.float64)
    values, inside = resample(map.values, ~np.isnan(map.values), map.grid, prepared.native, to_scan)
    values[~inside] = np.nan
    return replace(map, values=values, grid=prepared.native, parts={})


def labels_to_model(labels: NDArray[np.uint8], prepared: Prepared) -> NDArray[np.uint8]:
    """Bring regions that were found on the scan's own grid onto the model grid.

    Args:
        labels: (I, J, K) on `prepared.native`, 0 outside the regions.
        prepared: the case.

    Returns:
        (I, J, K) on `prepared.grid`: of each voxel the label of the nearest voxel of the scan.
    """
    return resample_labels(labels, prepared.native, prepared.grid, prepared.to_model)


def reconstruction_to_native(
    restored: Channels, prepared: Prepared, preparation: Preparation, scan: Scan
) -> Volume:
    """The first modality as a model restored it, in the scan's own grid and units.

    Args:
        restored: (C, I, J, K) in [0, 1] on the model grid.
        prepared: the case it was made from.
        preparation: how it was prepared.
        scan: the first modality as it was read.

    Returns:
        (I, J, K) float32; outside what the model judged it is the scan itself, so that nothing but the model's
        opinion differs.
    """
    to_scan = np.linalg.inv(prepared.to_model).astype(np.float64)
    values, inside = resample(restored[0], prepared.mask, prepared.grid, prepared.native, to_scan)
    facts = next(step.facts for step in prepared.steps if step.name == "scale")[preparation.modalities[0]]
    seen = values[inside]
    if facts["rule"] == "windows":
        low, high = next(iter(facts["hu"].values()))
        in_units = unscale(seen, (low, low, high))
    else:
        median = preparation.median if isinstance(preparation, Template) else None
        in_units = unscale(seen, tuple(facts["low_median_high"]), median)
    reconstruction: Volume = scan.voxels.copy()
    reconstruction[inside] = in_units
    return reconstruction
