"""Where a case goes: onto the template's grid, or into a stack of axial slices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sanum.core.grid import Grid
from sanum.core.modalities import Modality
from sanum.core.records import Scan
from sanum.core.units import Affine, Mask
from sanum.prepare.presets import Slices, Template
from sanum.prepare.step_log import StepLog, about
from sanum.prepare.steps import align, cut, orient
from sanum.prepare.steps import scale as scaling
from sanum.prepare.steps.resample import resample
from sanum.prepare.template import SPACING_MM, icbm152, model_grid

USUAL_TURN_DEGREES = 45.0
"""Heads in scanners lie straighter than this, so that a larger turn means a wrong header."""

RIM_MM = 8.0
"""Dark border kept around the brain for registration."""


@dataclass(frozen=True, eq=False)
class Place:
    """Where a case goes: the model grid, scan world to model world, and the brain on the first scan's grid."""

    grid: Grid
    to_model: Affine
    region: Mask


def on_template(first: Scan, region: Mask, config: Template, log: StepLog) -> Place:
    """Onto the template's grid, by an affine."""
    return Place(model_grid(config.shape, config.spacing), align_to_template(first, region, log), region)


def align_to_template(first: Scan, region: Mask, log: StepLog) -> Affine:
    """Scan world to template world; refuses a mask that does not come to lie on the template's brain."""
    return log.once("align", [], lambda: _aligned(first, region, log))


def _aligned(first: Scan, region: Mask, log: StepLog) -> Affine:
    template = icbm152()
    log("template", atlas="ICBM152 2009 nonlinear, as shipped by nilearn", spacing_mm=SPACING_MM)
    grid = world_box(region, first.grid, RIM_MM)
    voxels, mask = resample(first.voxels, region, first.grid, grid, np.eye(4))
    fixed = align.Brain(template.t1 * template.brain, template.brain, template.grid)
    with about(first):
        voxels = scaling.scale(voxels, scaling.landmarks(voxels, mask, Modality().percentiles)) * mask
        least = align.MIN_DICE_ROOM if first.modality == "CT" else align.MIN_DICE
        found = align.align(align.Brain(voxels, mask, grid), fixed, least)
    log(
        "align",
        mutual_information=round(found.metric, 4),
        dice=round(found.dice, 4),
        determinant=round(found.determinant, 4),
        start_turn_degrees=found.start_degrees,
        turned_degrees=round(found.turned_degrees, 1),
        flags=_turn_flags(found.turned_degrees),
        to_template=found.to_template.tolist(),
    )
    return found.to_template


def _turn_flags(degrees: float) -> list[str]:
    """A head that lies far from what its header says: whoever wrote it may have mixed up the sides, too."""
    if degrees < USUAL_TURN_DEGREES:
        return []
    return [
        f"the head lies turned by {degrees:.0f}° from what the header says; the header may be wrong about left and "
        "right, too, and no picture of a brain tells that surely"
    ]


def world_box(region: Mask, grid: Grid, rim: float) -> Grid:
    """Grid along the world axes at the template's spacing, around a mask and `rim` mm more on each side."""
    world = grid.to_world(np.argwhere(region))
    low, high = world.min(axis=0) - rim, world.max(axis=0) + rim
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = low
    i, j, k = (int(n) for n in np.ceil((high - low) / SPACING_MM) + 1)
    return Grid((i, j, k), affine)


def in_slices(first: Scan, region: Mask, config: Slices, log: StepLog) -> Place:
    """Into the scan's own axial slices, cut to one square; the world stays the scan's."""
    ras = orient.ras_grid(first.grid)
    log("orient", scan=first.grid.axis_codes, model=ras.axis_codes)
    count = ras.shape[2]
    kept = range(count) if first.is_image else cut.middle_slices(count, config.trim)
    if config.crop == "brain":
        shown = orient.ras_voxels(region, first.grid)[:, :, kept.start : kept.stop]
        with about(first):
            view = cut.brain_square(shown, ras, config.margin)
    else:
        view = cut.whole_slice(ras)
    log("trim", slices=count, trimmed=count - len(kept), width=[round(width, 2) for width in view.extent])
    return Place(cut.slice_grid(ras, view, config.size, kept), np.eye(4), region)
