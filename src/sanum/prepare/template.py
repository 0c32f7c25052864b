"""The ICBM152 template, and the model grid laid over it."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from sanum.core.grid import Grid, Shape
from sanum.core.shipped import FOLDER
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
    """Load the template once: the unbiased non-linear average of Fonov et al., NeuroImage 54, 2011.

    `docs/make_template.py` made the file of the 1 mm maps.
    """
    with np.load(FOLDER / "icbm152.npz", allow_pickle=False) as kept:
        t1, brain, grey, white = (kept[name] for name in ("t1", "brain", "grey", "white"))
        return Icbm152(Grid(t1.shape, kept["affine"]), t1, brain, grey, white)
