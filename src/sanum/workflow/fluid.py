"""Whether a finding lies in cerebrospinal fluid, by what the scan itself shows there.

The template can't tell: where ventricles are wide, fluid lies at places that are tissue in most people.
"""

from __future__ import annotations

import numpy as np

from sanum.core.records import Finding, Prepared
from sanum.core.units import Volume

DARK = ("T1w", "T1ce", "FLAIR")
"""Sequences on which fluid is darker than grey matter."""

DARKNESS = 0.25
"""How far from fluid to grey matter a place may lie. A glioma of the BraTS set lay at .39, dark as it looks."""

LEAST_RADIUS_MM, MOST_RADIUS_MM = 3.0, 10.0
"""Of the ball around the peak that stands for the finding: as large as the finding, within these."""


def in_fluid(finding: Finding, peak: tuple[float, float, float], prepared: Prepared) -> bool:
    """Whether most of a finding's place is nearly as dark as fluid: a ventricle, but a cyst as well.

    Args:
        finding: in millilitres.
        peak: where it lies in the model's world, mm.
        prepared: the case on the template.

    Returns:
        False also where it can't be told: no sequence of `DARK`, or too little of either tissue.
    """
    from sanum.prepare.quality import tissue_medians

    channel = next((name for name in DARK if name in prepared.modalities), None)
    if channel is None:
        return False
    voxels = prepared.voxels[prepared.modalities.index(channel)]
    medians = tissue_medians(voxels, prepared.mask, prepared.grid)
    fluid, grey = medians["csf"], medians["grey"]
    if fluid is None or grey is None or not fluid < grey:
        return False
    around = _around(voxels, finding, peak, prepared)
    return around.size > 0 and float(np.median(around)) < fluid + DARKNESS * (grey - fluid)


def _around(voxels: Volume, finding: Finding, peak: tuple[float, float, float], prepared: Prepared) -> Volume:
    radius = (1000.0 * finding.size * 3.0 / (4.0 * np.pi)) ** (1.0 / 3.0)
    radius = min(MOST_RADIUS_MM, max(LEAST_RADIUS_MM, radius))
    centre = prepared.grid.to_voxel(np.array([peak]))[0]
    reach = radius / np.asarray(prepared.grid.spacing)
    low = np.maximum(0, np.ceil(centre - reach)).astype(int)
    high = np.minimum(np.array(prepared.grid.shape) - 1, np.floor(centre + reach)).astype(int)
    if (high < low).any():
        return np.empty(0, np.float32)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    axes = np.ogrid[box]
    apart = sum(
        (((axis - middle) / step) ** 2 for axis, middle, step in zip(axes, centre, reach, strict=True)),
        start=np.zeros(1),
    )
    inside: Volume = voxels[box][(apart <= 1.0) & prepared.mask[box]]
    return inside
