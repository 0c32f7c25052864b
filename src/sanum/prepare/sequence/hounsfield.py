"""CT told by its unit: no MRI has air at -1000, soft tissue around 0 and bone above 300 at once."""

from __future__ import annotations

import numpy as np

from sanum.core.units import Volume

AIR_HU, TISSUE_HU, BONE_HU = -900.0, (-150.0, 150.0), 300.0
"""Air and padding lie below the first, soft tissue within the second, bone above the third."""

NO_AIR_HU = -500.0
"""Between air and this hardly anything lies but borders."""

LEAST_AIR, LEAST_TISSUE, LEAST_BONE = 0.03, 0.4, 0.01
"""Least share of all voxels that are air; of the rest that are soft tissue, and bone."""

EVERY = 3
"""Of so many voxels along each axis one is looked at."""


def in_hounsfield_units(voxels: Volume) -> bool:
    """Whether a volume (I, J, K) of a whole head surely holds Hounsfield units."""
    values = voxels[::EVERY, ::EVERY, :: min(EVERY, max(1, voxels.shape[2] // 10))]
    rest = values[values > NO_AIR_HU]
    if rest.size == 0:
        return False
    air = float((values < AIR_HU).mean())
    tissue = float(((rest > TISSUE_HU[0]) & (rest < TISSUE_HU[1])).mean())
    bone = float((rest > BONE_HU).mean())
    return (
        bool(np.isfinite(values).all()) and air >= LEAST_AIR and tissue >= LEAST_TISSUE and bone >= LEAST_BONE
    )
