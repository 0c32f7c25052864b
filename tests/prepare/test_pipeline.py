"""From scans to the model grid: what a model sees, what is refused, what is recorded."""

from __future__ import annotations

import dataclasses
import json

import msgspec
import numpy as np
import pytest

from sanum.core.errors import GeometryError, PreparationError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Scan, Source
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices, Template, preparation_sha256
from sanum.prepare.way_back import to_native
from tests.phantoms import RAS_2MM, brain_scan, brain_voxels, ellipsoid
from tests.prepare.orientations import turned

WHO = {"case": "c", "subject": "s"}


def remade(scan: Scan, voxels: np.ndarray, **changes) -> Scan:
    return dataclasses.replace(scan, voxels=voxels.astype(np.float32), **changes)


def picture(voxels: np.ndarray) -> Scan:
    plane = voxels.astype(np.float32)[..., None]
    return Scan(plane, Grid(plane.shape, np.eye(4)), "FLAIR", Source("a.png", "0" * 64), is_image=True)


def brain_picture(shape=(157, 189)) -> np.ndarray:
    i, j = np.indices(shape)
    disc = ((i - shape[0] / 2) / 60) ** 2 + ((j - shape[1] / 2) / 80) ** 2 < 1
    return np.where(disc, 100 + 0.5 * i + 0.2 * j, 0)


ANYTHING_GOES = Slices(scaling="minmax", crop="full")
CONFIGS = [Slices(), Slices(region="head"), ANYTHING_GOES, Template()]


def slab(first: int, last: int, axis: int = 2) -> Scan:
    """Slices of a phantom, as a volume of their own."""
    whole = brain_scan()
    part = (slice(None),) * axis + (slice(first, last),)
    voxels = np.ascontiguousarray(whole.voxels[part])
    return dataclasses.replace(whole, voxels=voxels, grid=Grid(voxels.shape, whole.grid.affine))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_no_volume(config, axis):
    with pytest.raises(
        PreparationError, match=r"phantom-0\.nii\.gz: a single slice, .* save the slice as a picture"
    ):
        prepare({"T1w": slab(30, 31, axis)}, config, **WHO)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_few_slices_are_measured_though_they_have_no_height(count):
    case = prepare({"T1w": slab(30, 30 + count)}, Slices(region="head", trim=0.0), **WHO)
    assert case.voxels.shape[3] == count


class TestSlices:
    def test_what_a_model_sees(self):
        case = prepare({"T1w": brain_scan()}, Slices(), **WHO)
        assert case.voxels.shape[:3] == (1, 128, 128)
        assert case.voxels.dtype == np.float32
        assert 0.0 <= case.voxels.min() < case.voxels.max() <= 1.0
        assert case.mask.any(axis=(0, 1)).all()
        assert (case.voxels[0][~case.mask] == 0).all()
        assert case.grid.axis_codes == "RAS"
        assert case.grid.spacing[0] == pytest.approx(case.grid.spacing[1])
        assert case.preparation == preparation_sha256(Slices())
        np.testing.assert_array_equal(case.to_model, np.eye(4))

    def test_every_storage_order_gives_the_same_picture(self):
        """LAS, PSR or any other header must not mirror the brain: the bright nucleus is on the right."""
        scan = brain_scan()
        truth = prepare({"T1w": scan}, Slices(), **WHO)
        for axes, flips in [((1, 2, 0), (True, False, True)), ((0, 1, 2), (True, True, False))]:
            voxels, grid = turned(scan.voxels, scan.grid, axes, flips)
            case = prepare({"T1w": dataclasses.replace(scan, voxels=voxels, grid=grid)}, Slices(), **WHO)
            assert case.grid.same_as(truth.grid, 1e-6)
            np.testing.assert_allclose(case.voxels, truth.voxels, atol=1e-5)
        right = ellipsoid(case.grid, (22, 15, 10), (5, 7, 5))
        left = ellipsoid(case.grid, (-22, 15, 10), (5, 7, 5))
        assert case.voxels[0][right].mean() > case.voxels[0][left].mean() + 0.02

    def test_counts_of_dropped_slices_add_up(self):
        case = prepare({"T1w": brain_scan()}, Slices(), **WHO)
        facts = {step.name: step.facts for step in case.steps}
        assert facts["trim"]["slices"] == 64
        assert facts["trim"]["trimmed"] == 18
        assert facts["drop_empty"]["kept"] + facts["drop_empty"]["empty"] == 46
        assert facts["drop_empty"]["kept"] == case.mask.any(axis=(0, 1)).sum()
        assert all(step.facts["seconds"] >= 0 for step in case.steps)
        json.dumps(msgspec.to_builtins(case.steps), allow_nan=False)

    def test_an_empty_slice_between_full_ones_stays_as_a_blank(self):
        """The grid stays regular, so that the way back needs no list of slices."""
        scan = brain_scan()
        brain = remade(scan, scan.voxels > 0)
        voxels = scan.voxels.copy()
        voxels[:, :, 30] = 0.0
        case = prepare({"T1w": remade(scan, voxels)}, Slices(), brain=brain, **WHO)
        blank = round(case.grid.to_voxel(scan.grid.to_world(np.array([30, 40, 30])))[2])
        assert not case.mask[:, :, blank].any()
        assert case.mask[:, :, blank - 1].any()
        assert case.mask[:, :, blank + 1].any()
        back = to_native(
            AnomalyMap("c", np.where(case.mask, 1, np.nan).astype(np.float32), case.grid, "x"), case
        )
        assert np.isnan(back.values[:, :, 30]).all()
        assert not np.isnan(back.values[:, :, 29]).all()

    def test_a_lesion_keeps_its_place(self):
        voxels, lesion = brain_voxels(brain_scan().grid, lesion=True)
        scan = remade(brain_scan(), voxels)
        case = prepare({"T1w": scan}, Slices(), lesion=remade(scan, lesion), **WHO)
        inside = case.lesion & case.mask
        assert case.voxels[0][inside].mean() > case.voxels[0][case.mask & ~case.lesion].mean() + 0.2
        centre = case.grid.to_world(np.argwhere(case.lesion)).mean(axis=0)
        assert np.abs(centre - np.array([-28, -40, 20]))[:2].max() < 2.5
        facts = next(step.facts for step in case.steps if step.name == "lesion")
        assert facts["native_ml"] == pytest.approx(lesion.sum() * 0.008, abs=1e-3)

    def test_the_literal_rule_says_why_nothing_is_left(self):
        literal = Slices(scaling="minmax", crop="full")
        wide = brain_scan(
            shape=(120, 120, 64),
            affine=RAS_2MM + np.array([[0, 0, 0, -56], [0, 0, 0, -36], [0] * 4, [0] * 4]),
        )
        with pytest.raises(
            PreparationError,
            match=r"no slice is left of 64: 18 trimmed at the ends, 46 dropped .* 70% .* near zero \(up to 0.020\)",
        ):
            prepare({"T1w": wide}, literal, **WHO)
        kept = prepare({"T1w": wide}, dataclasses.replace(literal, empty=0.9), **WHO)
        np.testing.assert_array_equal(kept.mask, kept.voxels[0] > literal.near_zero)
        assert kept.grid.spacing[0] == pytest.approx(120 * 2 / 128)

    def test_a_picture_becomes_one_square(self):
        case = prepare({"FLAIR": picture(brain_picture())}, Slices(("FLAIR",)), **WHO)
        assert case.is_image
        assert case.voxels.shape == (1, 128, 128, 1)
        assert case.grid.spacing[0] == pytest.approx(case.grid.spacing[1])
        back = to_native(
            AnomalyMap("c", np.where(case.mask, 1, np.nan).astype(np.float32), case.grid, "x"), case
        )
        assert back.values.shape == (157, 189, 1)
        disagree = (brain_picture() > 0) != ~np.isnan(back.values[..., 0])
        assert disagree.mean() < 0.01

    def test_a_picture_of_nearly_nothing_is_refused(self):
        speck = np.zeros((60, 60))
        speck[30:33, 30:33] = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
        with pytest.raises(PreparationError, match=r"a.png: the picture is empty \(99.8% background\)"):
            prepare({"FLAIR": picture(speck)}, Slices(("FLAIR",)), **WHO)
        speck[10:40, 10:40] += 3
        with pytest.raises(PreparationError, match="no slice is left of 1: 0 trimmed at the ends, 1 dropped"):
            prepare({"FLAIR": picture(speck)}, Slices(("FLAIR",), crop="full"), as_called=True, **WHO)


class TestRefusals:
    def test_a_missing_modality_is_named(self):
        with pytest.raises(
            PreparationError, match="c: no FLAIR scan; the preparation needs T1w, FLAIR, the case has T1w"
        ):
            prepare({"T1w": brain_scan()}, Slices(("T1w", "FLAIR")), **WHO)

    def test_a_file_that_says_otherwise_is_refused(self):
        with pytest.raises(PreparationError, match="given as FLAIR, but its file says T1w"):
            prepare({"FLAIR": brain_scan()}, Slices(("FLAIR",)), **WHO)

    def test_masks_of_another_grid_are_refused(self):
        scan = brain_scan()
        other = brain_scan(affine=RAS_2MM + np.array([[0, 0, 0, 1.0], [0] * 4, [0] * 4, [0] * 4]))
        with pytest.raises(GeometryError, match="lesion mask on Grid"):
            prepare({"T1w": scan}, Slices(), lesion=other, **WHO)
        with pytest.raises(GeometryError, match="brain mask on Grid"):
            prepare({"T1w": scan}, Slices(), brain=remade(other, other.voxels > 0), **WHO)

    def test_a_scan_without_contrast_is_refused_by_file(self):
        scan = brain_scan()
        with pytest.raises(PreparationError, match=r"phantom-0\.nii\.gz: no contrast"):
            prepare({"T1w": remade(scan, (scan.voxels > 0) * 80.0)}, Slices(), **WHO)

    def test_pictures_do_not_mix(self):
        flair = picture(brain_picture())
        t1 = dataclasses.replace(picture(brain_picture((150, 150))), modality="T1w")
        with pytest.raises(PreparationError, match="images of one case must have one size"):
            prepare({"T1w": t1, "FLAIR": flair}, Slices(("T1w", "FLAIR")), **WHO)


class TestSeveralModalities:
    def test_another_grid_is_met_in_the_world(self):
        """T1w at 2 mm and FLAIR stored otherwise at 1.5 x 1.5 x 3 mm show the same anatomy on the model grid."""
        t1 = brain_scan()
        affine = np.diag([-1.5, 1.5, 3.0, 1.0])
        affine[:3, 3] = (65, -100, -52)
        flair = brain_scan(affine=affine, shape=(88, 120, 44), modality="FLAIR")
        case = prepare({"T1w": t1, "FLAIR": flair}, Slices(("T1w", "FLAIR")), **WHO)
        assert case.voxels.shape[0] == 2
        deep = case.mask & (np.abs(case.voxels[0] - np.median(case.voxels[0][case.mask])) < 0.05)
        assert np.corrcoef(case.voxels[:, case.mask])[0, 1] > 0.9
        assert deep.any()
        used = [step.facts["same_grid"] for step in case.steps if step.name == "resample"]
        assert used == [True, False]

    def test_a_scan_of_something_else_is_refused(self):
        affine = RAS_2MM.copy()
        affine[2, 3] += 80
        far = brain_scan(modality="FLAIR")
        far = dataclasses.replace(far, grid=Grid(far.grid.shape, affine))
        with pytest.raises(
            PreparationError, match=r"shows \d+% of the brain in phantom-0.nii.gz, needed 90%"
        ):
            prepare({"T1w": brain_scan(), "FLAIR": far}, Slices(("T1w", "FLAIR"), coregister=False), **WHO)
