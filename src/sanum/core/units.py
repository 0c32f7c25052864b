"""Array aliases and every physical tolerance, each with its reason."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sanum.core.modalities import TABLE

Volume: TypeAlias = NDArray[np.float32]
"""One scalar field on a grid, shape (I, J, K)."""

Channels: TypeAlias = NDArray[np.float32]
"""One volume a modality, shape (C, I, J, K)."""

Mask: TypeAlias = NDArray[np.bool_]
"""Membership on a grid, shape (I, J, K)."""

Affine: TypeAlias = NDArray[np.float64]
"""Homogeneous transform, shape (4, 4), millimetres."""

MODALITIES = tuple(TABLE)
"""Column and suffix names of the sequences sanum knows, in BIDS spelling."""

SAME_GRID_MM = 0.1
"""Two grids are the same when no corner lies further apart: a tenth of the finest clinical voxel."""

MAX_SPACING_MM = 30.0
"""Wider voxels are a header fault: the thickest clinical slices are about 10 mm."""

MIN_SPACING_MM = 0.05
"""Finer voxels are a header fault: ex-vivo scans of whole brains stop near 0.1 mm."""

MAX_VOXELS = 600_000_000
"""Largest volume read into memory (about 0.3 mm whole head); a larger header is taken for a lie."""

BRAIN_ML = (500.0, 2300.0)
"""Plausible brain volumes including ventricles, from small children to the largest adults."""
