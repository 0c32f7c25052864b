"""A brain is taken as given or as plainly extracted; what is odd about a mask is told."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.errors import GeometryError, PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.prepare.steps import brain_mask
from sanum.prepare.steps.brain_mask import border_share, extracted_brain, facts_of_mask, given_brain
from tests.phantoms import RAS_2MM, brain_scan, ellipsoid


def as_scan(voxels: np.ndarray, grid: Grid, is_image: bool = False) -> Scan:
    return Scan(voxels.astype(np.float32), grid, None, Source("made.nii.gz", "0" * 64), is_image)


def test_an_extracted_brain_is_its_nonzero_region():
    scan = brain_scan()
    np.testing.assert_array_equal(extracted_brain(scan), scan.voxels != 0)


def test_holes_and_negative_values_belong_to_the_brain():
    scan = brain_scan()
    voxels = scan.voxels.copy()
    voxels[30:33, 30:33, 30:33] = 0.0
    voxels[25:27, 40, 30] = -3.0
    np.testing.assert_array_equal(extracted_brain(as_scan(voxels, scan.grid)), scan.voxels != 0)


def test_the_background_need_not_be_zero():
    scan = brain_scan()
    voxels = np.where(scan.voxels == 0, -1024.0, scan.voxels)
    np.testing.assert_array_equal(extracted_brain(as_scan(voxels, scan.grid)), scan.voxels != 0)


def test_a_whole_head_is_refused_with_its_size():
    grid = Grid((100, 120, 100), RAS_2MM)
    head = ellipsoid(grid, (30, 20, 40), (85, 100, 90)) * 400.0
    with pytest.raises(
        PreparationError, match=r"not brain-extracted \(non-zero region 3\d\d\d ml\); give a brain mask"
    ):
        extracted_brain(as_scan(head, grid))


def test_noise_around_a_brain_is_refused():
    scan = brain_scan()
    noise = np.random.default_rng(0).random(scan.voxels.shape) < 0.02
    with pytest.raises(PreparationError, match="not brain-extracted"):
        extracted_brain(as_scan(np.where(noise & (scan.voxels == 0), 9.0, scan.voxels), scan.grid))


def test_a_constant_volume_is_refused():
    scan = brain_scan()
    with pytest.raises(PreparationError, match="not brain-extracted"):
        extracted_brain(as_scan(np.zeros(scan.voxels.shape), scan.grid))


def test_a_picture_needs_a_clear_background():
    grid = Grid((40, 50, 1), np.eye(4))
    disc = ellipsoid(grid, (20, 25, 0), (15, 20, 1))
    ring = disc & ~ellipsoid(grid, (20, 25, 0), (3, 3, 1))
    np.testing.assert_array_equal(extracted_brain(as_scan(ring * 90.0, grid, is_image=True)), disc)
    full = np.random.default_rng(0).random(grid.shape)
    with pytest.raises(PreparationError, match="no clear background"):
        extracted_brain(as_scan(full, grid, is_image=True))
    with pytest.raises(PreparationError, match="the picture is empty"):
        extracted_brain(as_scan(np.zeros(grid.shape), grid, is_image=True))


def test_a_given_mask_must_fit_the_scan():
    scan = brain_scan()
    mask = as_scan(scan.voxels > 0, scan.grid)
    np.testing.assert_array_equal(given_brain(mask, scan), scan.voxels > 0)
    moved = scan.grid.affine.copy()
    moved[0, 3] += 1.0
    with pytest.raises(
        GeometryError, match=r"brain mask on Grid.* but phantom-0.nii.gz on Grid.*resample the mask"
    ):
        given_brain(dataclasses.replace(mask, grid=Grid(scan.grid.shape, moved)), scan)
    with pytest.raises(PreparationError, match="brain mask is empty"):
        given_brain(as_scan(np.zeros(scan.voxels.shape), scan.grid), scan)
    with pytest.raises(PreparationError, match=r"holds \d+ ml, expected 500 to 2300"):
        given_brain(as_scan(np.ones(scan.voxels.shape), scan.grid), scan)


def test_the_share_of_the_outline_on_the_border_counts_areas():
    """Of a 4 x 4 x 4 block on the lowest face of anisotropic voxels: one of two 4 x 4 ends, and four sides."""
    grid = Grid((10, 10, 10), np.diag([1.0, 1.0, 3.0, 1.0]))
    mask = np.zeros(grid.shape, bool)
    mask[3:7, 3:7, :4] = True
    assert border_share(mask, grid) == pytest.approx(16 / (2 * 16 + 4 * 4 * 12))
    assert border_share(np.roll(mask, 2, axis=2), grid) == 0.0
    assert border_share(np.zeros_like(mask), grid) == 0.0
    assert border_share(np.ones_like(mask), grid) == 1.0


def test_odd_masks_are_flagged_with_the_reason():
    grid = Grid((64, 84, 64), RAS_2MM)
    assert facts_of_mask(ellipsoid(grid, (2, 0, 8), (58, 75, 55)), grid)["flags"] == []
    small = facts_of_mask(ellipsoid(grid, (0, -18, 8), (45, 60, 45)), grid)
    assert small["flags"] == [f"{small['ml']:.0f} ml is no usual volume of an adult brain (1000 to 1900)"]
    cut = facts_of_mask(ellipsoid(grid, (0, -18, -20), (65, 78, 60)), grid)
    assert len(cut["flags"]) == 1
    assert "lies on the border of the field" in cut["flags"][0]


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_the_background_is_the_commonest_value_whether_or_not_it_fills_half_of_the_border(share):
    rng = np.random.default_rng(0)
    faces = rng.normal(50.0, 10.0, (30, 30, 30)).astype(np.float32)
    faces[rng.random(faces.shape) < share] = 3.0
    value, found = brain_mask._background(faces)
    assert value == 3.0
    assert found == pytest.approx(share, abs=0.03)
