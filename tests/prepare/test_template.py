"""Registration to the template: the right affine, the same bits, and a refusal where it fails."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Scan, Source
from sanum.core.sequence import SEQUENCES, Looks
from sanum.prepare import contrast
from sanum.prepare.contrast import contrast_warnings
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Template
from sanum.prepare.quality import facts_of
from sanum.prepare.steps import align
from sanum.prepare.steps.resample import resample, resample_mask
from sanum.prepare.template import icbm152, model_grid
from sanum.prepare.way_back import to_native
from tests.phantoms import brain_scan
from tests.prepare.orientations import turned

WHO = {"case": "c", "subject": "s"}
COARSE = Template(spacing=3.0, shape=(64, 64, 48))
SURELY_T1W = Looks({name: float(name == "T1w") for name in SEQUENCES})


def head_pose(angles=(12, -6, 9), zoom=(0.93, 0.9, 0.96), shift=(6.0, -14.0, 20.0)) -> np.ndarray:
    """Template world to the world of a made subject."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() * np.array(zoom)
    pose[:3, 3] = shift
    return pose


@functools.cache
def subject_scan(contrast: str = "T1w") -> Scan:
    """The template as somebody's scan: posed, scaled, anisotropic, stored LPI-like, background 0."""
    template = icbm152()
    affine = np.diag([1.6, 1.6, 2.4, 1.0])
    affine[:3, 3] = (-80, -120, -60)
    grid = Grid((100, 120, 72), affine)
    t1 = template.t1 if contrast == "T1w" else (1.15 - template.t1)
    voxels, inside = resample(t1.astype(np.float32), template.brain, template.grid, grid, head_pose())
    voxels = np.where(inside, 40 + 900 * voxels, 0).astype(np.float32)
    stored, stored_grid = turned(voxels, grid, (2, 0, 1), (True, False, True))
    return Scan(stored, stored_grid, None, Source("posed.nii.gz", "0" * 64))


@functools.cache
def prepared_subject():
    return prepare({"T1w": subject_scan()}, COARSE, **WHO)


def test_the_grid_holds_the_template_brain():
    template, grid = icbm152(), model_grid((128, 128, 96), 1.5)
    assert grid.axis_codes == "RAS"
    world = template.grid.to_world(np.argwhere(template.brain))
    index = grid.to_voxel(world)
    held = ((index >= -0.5) & (index <= np.array(grid.shape) - 0.5)).all(axis=1)
    assert held.mean() > 0.997
    assert held[world[:, 2] > -60].all()


def test_a_known_pose_is_found():
    case = prepared_subject()
    assert case.voxels.shape == (1, 64, 64, 48)
    places = icbm152().grid.to_world(np.argwhere(icbm152().brain)[::997])
    posed = places @ head_pose()[:3, :3].T + head_pose()[:3, 3]
    found = posed @ case.to_model[:3, :3].T + case.to_model[:3, 3]
    assert np.linalg.norm(found - places, axis=1).max() < 2.0
    facts = {step.name: step.facts for step in case.steps}
    assert facts["align"]["dice"] > 0.97
    assert facts["align"]["determinant"] == pytest.approx(1 / np.linalg.det(head_pose()[:3, :3]), rel=0.03)


def test_the_same_scan_gives_the_same_bits():
    again = prepare({"T1w": subject_scan()}, COARSE, **WHO)
    np.testing.assert_array_equal(again.to_model, prepared_subject().to_model)
    np.testing.assert_array_equal(again.voxels, prepared_subject().voxels)


def test_intensity_is_pinned_inside_and_zero_outside():
    case = prepared_subject()
    assert np.median(case.voxels[0][case.mask]) == pytest.approx(0.5, abs=0.01)
    assert (case.voxels[0][~case.mask] == 0).all()
    assert case.voxels.min() == 0.0
    assert case.voxels.max() == 1.0


def test_a_place_goes_to_the_template_and_back():
    """A lesion marked in the scan is found again in the scan, through registration and resampling."""
    scan = subject_scan()
    place = np.array([25.0, -40.0, 30.0])
    index = np.stack(np.meshgrid(*map(np.arange, scan.grid.shape), indexing="ij"), axis=-1)
    ball = np.linalg.norm(scan.grid.to_world(index) - place, axis=-1) < 9
    lesion = dataclasses.replace(scan, voxels=ball.astype(np.float32))
    case = prepare({"T1w": scan}, COARSE, lesion=lesion, **WHO)
    back = to_native(
        AnomalyMap("c", np.where(case.mask, case.lesion, np.nan).astype(np.float32), case.grid, "x"), case
    )
    again = np.nan_to_num(back.values) > 0.5
    assert 2 * (again & ball).sum() / (again.sum() + ball.sum()) > 0.8
    assert np.linalg.norm(scan.grid.to_world(np.argwhere(again)).mean(axis=0) - place) < 1.5


@pytest.mark.parametrize(("axis", "degrees"), [("z", 180), pytest.param("x", 90, marks=pytest.mark.slow)])
def test_a_header_turned_otherwise_is_found_out_and_flagged(axis, degrees):
    scan = subject_scan()
    turn = np.eye(4)
    turn[:3, :3] = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    affine = turn @ scan.grid.affine
    case = prepare({"T1w": dataclasses.replace(scan, grid=Grid(scan.grid.shape, affine))}, COARSE, **WHO)
    facts = next(step.facts for step in case.steps if step.name == "align")
    assert facts["dice"] > 0.97
    assert facts["turned_degrees"] > 75
    assert "left and right" in facts["flags"][0]
    both = case.mask & prepared_subject().mask
    assert both.sum() > 0.99 * case.mask.sum()
    assert np.abs(case.voxels - prepared_subject().voxels)[:, both].mean() < 0.02


def test_what_is_no_brain_is_refused(monkeypatch):
    monkeypatch.setattr(align, "STARTS", 1)
    scan = brain_scan()
    box = np.zeros(scan.voxels.shape, np.float32)
    box[8:56, 8:50, 8:56] = np.random.default_rng(0).uniform(100, 200, (48, 42, 48))
    with pytest.raises(
        PreparationError, match=r"phantom-0.nii.gz: registration to the template failed \(overlap"
    ):
        prepare({"T1w": dataclasses.replace(scan, voxels=box)}, COARSE, as_called=True, **WHO)


def lying(start_degrees, dice, metric):
    return align.Alignment(np.eye(4), metric, dice, 1.0, start_degrees)


@pytest.mark.parametrize(
    ("tried", "taken"),
    [
        ([lying(0.0, 0.87, 0.5), lying(180.0, 0.86, 0.3)], True),
        ([lying(0.0, 0.87, 0.5), lying(180.0, 0.86, 0.6)], False),
        ([lying(0.0, 0.84, 0.5), lying(180.0, 0.80, 0.3)], False),
    ],
    ids=["upright fits best", "turned fits better", "too little overlap"],
)
def test_the_room_within_a_skull_may_overlap_less_where_no_turned_start_fits_better(
    monkeypatch, tried, taken
):
    """Upside down it would overlap by .88 and look plausible, but turned back it fits better."""
    found = iter(tried)
    monkeypatch.setattr(align, "_starts", lambda *_: tried)
    monkeypatch.setattr(align, "_register", lambda *_: next(found))
    if taken:
        assert align.align(None, None, align.MIN_DICE_ROOM) is tried[0]
    else:
        with pytest.raises(PreparationError, match=r"needed overlap 0\.85 or more"):
            align.align(None, None, align.MIN_DICE_ROOM)


def test_the_wrong_contrast_is_refused_as_t1w_and_taken_as_flair():
    other = subject_scan("FLAIR")
    with pytest.raises(PreparationError, match=r"posed.nii.gz: .*looks like (T2w|FLAIR)"):
        prepare({"T1w": other}, COARSE, **WHO)
    assert prepare({"FLAIR": other}, dataclasses.replace(COARSE, modalities=("FLAIR",)), **WHO).mask.any()


def test_the_tissues_of_a_registered_scan_refuse_what_its_looks_do_not(monkeypatch):
    """The eye is fooled; who vouches for the name gets the scan judged, and the doubt with it."""
    monkeypatch.setattr(contrast, "recognise", lambda scan: SURELY_T1W)
    other = subject_scan("FLAIR")
    with pytest.raises(
        PreparationError,
        match=r"posed.nii.gz: looks like T2w or FLAIR, not T1w: white/grey = 0\.\d.* as_called",
    ):
        prepare({"T1w": other}, COARSE, **WHO)
    (told,) = contrast_warnings(prepare({"T1w": other}, COARSE, as_called=True, **WHO).steps)
    assert "low for T1w" in told


def test_too_little_tissue_makes_no_claim():
    """A grid that misses the brain has no tissue medians."""
    grid = model_grid((16, 16, 16), 1.0)
    facts = facts_of(np.ones((1, *grid.shape), np.float32), np.zeros(grid.shape, bool), grid, ("T1w",))
    assert facts["T1w"] == {"white": None, "grey": None, "csf": None}


def test_a_picture_is_refused():
    flat = Scan(
        np.ones((9, 9, 1), np.float32), Grid((9, 9, 1), np.eye(4)), None, Source("a.png", ""), is_image=True
    )
    with pytest.raises(
        PreparationError, match="a 2D image can't be registered to a template; use the `slices`"
    ):
        prepare({"T1w": flat}, COARSE, **WHO)


def test_masks_follow_the_scan():
    template = icbm152()
    scan = subject_scan()
    brain = resample_mask(template.brain, template.grid, scan.grid, head_pose())
    given = dataclasses.replace(scan, voxels=brain.astype(np.float32))
    noisy = np.where(brain, scan.voxels, 500.0).astype(np.float32)
    case = prepare({"T1w": dataclasses.replace(scan, voxels=noisy)}, COARSE, brain=given, **WHO)
    assert next(step for step in case.steps if "route" in step.facts).facts["route"] == "given"
    both = case.mask & prepared_subject().mask
    assert both.sum() > 0.97 * case.mask.sum()
    assert np.abs(case.voxels[0] - prepared_subject().voxels[0])[both].mean() < 0.02
