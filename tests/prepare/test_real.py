"""Real scans: brain-extracted ones and whole heads are taken by both presets; what is no whole head is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import AnomalyMap, Scan, Source
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices, Template
from sanum.prepare.steps.head import estimated_brain
from sanum.prepare.steps.orient import ras_grid, ras_voxels
from sanum.prepare.steps.resample import resample_mask
from sanum.prepare.way_back import to_native

pytestmark = pytest.mark.real

EXTRACTED = {
    "ds002748/sub-04/anat/sub-04_T1w.nii.gz": "T1w",
    "oasis/1001_T1w.nii.gz": "T1w",
    "brats2018/case_1_T1w.nii.gz": "T1w",
    "mslub/patient07_FLAIR.nii.gz": "FLAIR",
}
HEADS = {
    "heads/chris_T1w.nii.gz": Template,
    "heads/IXI012-HH-1211_T1w.nii.gz": Slices,
    "nichart/Subj5_FLAIR.nii.gz": Template,
}
HEAD = "heads/IXI012-HH-1211_T1w.nii.gz"


def read(path: Path) -> Scan:
    """Through SimpleITK, so that this room's tests need no other room; its world is LPS."""
    import SimpleITK

    image = SimpleITK.ReadImage(str(path), SimpleITK.sitkFloat32)
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    voxels = SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)
    return Scan(
        np.ascontiguousarray(voxels),
        Grid(voxels.shape, np.diag([-1.0, -1, 1, 1]) @ affine),
        None,
        Source(str(path), ""),
    )


@pytest.mark.parametrize(("name", "modality"), EXTRACTED.items())
def test_extracted_brains_fit_the_template(real_data, name, modality):
    case = prepare({modality: read(real_data / name)}, Template((modality,)), case="c", subject="s")
    facts = {step.name: step.facts for step in case.steps}
    assert case.voxels.shape == (1, 128, 128, 96)
    assert facts["align"]["dice"] > 0.93
    assert facts["align"]["start_turn_degrees"] == 0.0
    if modality == "T1w":
        assert facts["quality"]["T1w"]["white"] > 1.3 * facts["quality"]["T1w"]["grey"]


@pytest.mark.parametrize(("name", "modality"), EXTRACTED.items())
def test_extracted_brains_give_slices_that_map_back(real_data, name, modality):
    scan = read(real_data / name)
    case = prepare({modality: scan}, Slices((modality,)), case="c", subject="s")
    assert 60 <= case.mask.any(axis=(0, 1)).sum() <= 100
    back = to_native(AnomalyMap("c", np.where(case.mask, case.voxels[0], np.nan), case.grid, "x"), case)
    shown = ~np.isnan(back.values)
    assert np.corrcoef(back.values[shown], scan.voxels[shown])[0, 1] > 0.9


@pytest.mark.parametrize(("name", "preset"), HEADS.items())
def test_whole_heads_are_taken_with_their_brain_estimated(real_data, name, preset):
    modality = "FLAIR" if "FLAIR" in name else "T1w"
    case = prepare({modality: read(real_data / name)}, preset((modality,)), case="c", subject="s")
    facts = {step.name: step.facts for step in case.steps}
    assert facts["brain_mask"]["route"] == "estimated"
    assert facts["brain_mask"]["flags"] == []
    assert 1200 < facts["brain_mask"]["ml"] < 1700
    assert facts["align"]["dice"] > 0.92
    assert facts["align"]["start_turn_degrees"] == 0.0


@pytest.mark.parametrize("contrast", ["T1w", "FLAIR"])
def test_the_estimate_is_the_labelled_brain(real_data, contrast):
    """Subj4 lay still between its T1w, which was labelled, and its FLAIR."""
    scan = read(real_data / f"nichart/Subj4_{contrast}.nii.gz")
    labels = read(real_data / "nichart/Subj4_T1w_labels.nii.gz")
    truth = resample_mask(labels.voxels > 0, labels.grid, scan.grid, np.eye(4))
    mask, _ = estimated_brain(scan, contrast)
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.96


def test_the_same_head_gives_the_same_mask(real_data):
    scan = read(real_data / HEAD)
    np.testing.assert_array_equal(estimated_brain(scan, "T1w")[0], estimated_brain(scan, "T1w")[0])


def test_half_a_head_is_refused(real_data):
    scan = read(real_data / HEAD)
    voxels, grid = ras_voxels(scan.voxels, scan.grid), ras_grid(scan.grid)
    left = voxels[: grid.shape[0] // 2]
    half = dataclasses.replace(scan, voxels=np.ascontiguousarray(left), grid=Grid(left.shape, grid.affine))
    with pytest.raises(PreparationError, match=r"brain found in it holds \d+ ml, expected 900 .* whole head"):
        prepare({"T1w": half}, Slices(), case="c", subject="s")


def test_a_lab_can_forbid_estimated_masks(real_data):
    scan = read(real_data / HEAD)
    with pytest.raises(PreparationError, match=r"not brain-extracted \(non-zero region \d+ ml\)"):
        prepare({"T1w": scan}, Slices(brain="given-or-extracted"), case="c", subject="s")


def test_noise_is_no_head():
    voxels = np.random.default_rng(0).uniform(0, 100, (100, 120, 100)).astype(np.float32)
    scan = Scan(voxels, Grid(voxels.shape, np.diag([2.0, 2, 2, 1])), None, Source("noise.nii.gz", ""))
    with pytest.raises(PreparationError, match=r"noise\.nii\.gz: .*no model reads such images"):
        prepare({"T1w": scan}, Slices(), case="c", subject="s")


def test_flair_given_as_t1w_is_refused(real_data):
    flair = read(real_data / "mslub/patient07_FLAIR.nii.gz")
    with pytest.raises(PreparationError, match=r"looks like .*FLAIR"):
        prepare({"T1w": flair}, Template(), case="c", subject="s")


def test_a_patient_who_moved_between_t1w_and_flair_is_brought_back(real_data):
    t1 = read(real_data / "nichart/Subj5_T1w.nii.gz")
    flair = read(real_data / "nichart/Subj5_FLAIR.nii.gz")
    labels = read(real_data / "nichart/Subj5_T1w_labels.nii.gz")
    case = prepare(
        {"T1w": t1, "FLAIR": flair}, Template(("T1w", "FLAIR")), brain=labels, case="c", subject="s"
    )
    facts = next(step.facts for step in case.steps if step.name == "coregister")
    assert 11 < facts["shift_mm"] < 14
    assert facts["mutual_information"] > 4 * facts["mutual_information_before"]


def test_a_quarter_turn_of_the_header_is_found_out(real_data):
    scan = read(real_data / "oasis/1001_T1w.nii.gz")
    pitch = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    turned = dataclasses.replace(scan, grid=Grid(scan.grid.shape, pitch @ scan.grid.affine))
    case = prepare({"T1w": turned}, Template(), case="c", subject="s")
    facts = next(step.facts for step in case.steps if step.name == "align")
    assert facts["dice"] > 0.95
    assert facts["turned_degrees"] > 60
    assert "left and right" in facts["flags"][0]


def test_the_literal_rule_drops_every_slice_of_this_scanner(real_data):
    """Its field of view is so wide that even the fullest slice is more than 70 % background."""
    scan = read(real_data / "ds002748/sub-04/anat/sub-04_T1w.nii.gz")
    with pytest.raises(
        PreparationError, match="no slice is left of 181: 54 trimmed at the ends, 127 dropped"
    ):
        prepare({"T1w": scan}, Slices(scaling="minmax", crop="full"), case="c", subject="s")
