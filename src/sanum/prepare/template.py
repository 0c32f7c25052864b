"""The ICBM152 template that nilearn ships, and the model grid laid over it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid, Shape
from sanum.core.units import Mask, Volume

CENTRE_MM = (0.0, -17.0, 10.0)
"""Middle of the model grid in template world: of the template's brain along I and J. Along K its 155 mm are
more than 96 x 1.5 mm; from here the grid ends at the vertex and cuts the lowest 0.2 % of the mask, brainstem."""

SPACING_MM = 2
"""Sampling of the template for registration and for the contrast check."""


@dataclass(frozen=True, eq=False)
class Icbm152:
    """The template at 2 mm: skull-stripped T1 (0 to 1), brain mask, grey and white matter share (0 to 1)."""

    grid: Grid
    t1: Volume
    brain: Mask
    grey: Volume
    white: Volume


def model_grid(shape: Shape, spacing: float) -> Grid:
    """RAS+ grid of `shape` and `spacing` mm around the middle of the template's brain."""
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = np.array(CENTRE_MM) - spacing * (np.array(shape) - 1) / 2
    return Grid(shape, affine)


@functools.cache
def icbm152() -> Icbm152:
    """Load the template once (about 3 s, most of it nilearn's import).

    The unbiased non-linear average of Fonov et al., NeuroImage 54, 2011. Its maps are smooth averages, so
    every second voxel of the 1 mm ones is taken without a filter.
    """
    from nilearn import datasets

    images = {
        name: getattr(datasets, f"load_mni152_{name}")(resolution=1)
        for name in ("template", "brain_mask", "gm_template", "wm_template")
    }
    affine = np.array(images["template"].affine) @ np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])

    def thinned(name: str) -> NDArray[np.float32]:
        voxels = np.asarray(images[name].dataobj, dtype=np.float32)
        return np.ascontiguousarray(voxels[::SPACING_MM, ::SPACING_MM, ::SPACING_MM])

    t1 = thinned("template")
    grey, white = thinned("gm_template"), thinned("wm_template")
    return Icbm152(Grid(t1.shape, affine), t1, thinned("brain_mask") > 0, grey, white)
