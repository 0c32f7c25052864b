"""A map on the model grid, seen on the scan's own grid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sanum.core.errors import GeometryError
from sanum.core.records import AnomalyMap, Prepared
from sanum.prepare.steps.resample import resample


def to_native(map: AnomalyMap, prepared: Prepared) -> AnomalyMap:
    """Bring a map back to the scan that it is about.

    Args:
        map: values on the model grid, NaN outside the mask.
        prepared: the case it was made from.

    Returns:
        Values on `prepared.native` by linear interpolation between voxels inside, NaN outside the mask.

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
    return replace(map, values=values, grid=prepared.native)
