"""Findings in fluid are seen by the scan's own intensities, wide ventricles included."""

from __future__ import annotations

import numpy as np
import pytest

from sanum.core.findings import Finding
from sanum.core.records import Prepared
from sanum.prepare.template import icbm152, model_grid
from sanum.workflow.fluid import in_fluid

GRID = model_grid((96, 112, 96), 1.5)
WIDE = (-22.0, -10.0, 26.0)
"""White matter of the template that the made brain has fluid at."""


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    """The template's own T1 with a wide ventricle, as a case."""
    template = icbm152()
    world = GRID.to_world(np.argwhere(np.ones(GRID.shape, bool)))
    index = np.rint(template.grid.to_voxel(world)).astype(int)
    index = np.clip(index, 0, np.array(template.grid.shape) - 1)
    voxels = template.t1[tuple(index.T)].reshape(GRID.shape).astype(np.float32)
    mask = template.brain[tuple(index.T)].reshape(GRID.shape)
    apart = np.linalg.norm(world - np.array(WIDE), axis=1).reshape(GRID.shape)
    voxels[apart < 9.0] = 0.25
    return Prepared("c", "s", voxels[None], mask, GRID, ("T1w",), "0" * 64, GRID, np.eye(4), False)


def finding(ml: float) -> Finding:
    return Finding(1, ml, "ml", 1.0, 0.5, (0.0, 0.0, 0.0), (0, 0, 0))


def test_fluid_and_tissue(prepared):
    assert in_fluid(finding(2.0), WIDE, prepared)
    assert not in_fluid(finding(2.0), (22.0, -10.0, 30.0), prepared), "white matter of the other side"


def test_a_tumour_that_is_only_darker_than_grey_matter_is_no_fluid(prepared):
    from dataclasses import replace

    from sanum.prepare.quality import tissue_medians

    medians = tissue_medians(prepared.voxels[0], prepared.mask, GRID)
    voxels = prepared.voxels.copy()
    dark = np.isclose(voxels[0], 0.25)
    voxels[0][dark] = medians["csf"] + 0.39 * (medians["grey"] - medians["csf"])
    assert not in_fluid(finding(2.0), WIDE, replace(prepared, voxels=voxels))


def test_the_bulk_counts_not_the_peak_alone(prepared):
    """A small finding at the rim of the ventricle lies in tissue, a peak within it in fluid."""
    edge = (WIDE[0] - 12.0, WIDE[1], WIDE[2])
    assert not in_fluid(finding(0.1), edge, prepared)
    assert in_fluid(finding(0.1), WIDE, prepared)


def test_where_nothing_can_be_told_it_is_no_fluid(prepared):
    from dataclasses import replace

    assert not in_fluid(finding(2.0), WIDE, replace(prepared, modalities=("CT",)))
    assert not in_fluid(finding(2.0), (500.0, 0.0, 0.0), prepared)
    assert not in_fluid(finding(2.0), WIDE, replace(prepared, voxels=np.ones_like(prepared.voxels)))
