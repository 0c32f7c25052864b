"""Each model that comes with the package: an obvious lesion is a significant finding, and where it was planted."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sanum.cohort.table import Row
from sanum.core.grid import Grid
from sanum.core.shipped import shipped_models
from sanum.core.units import Volume
from sanum.formats import read_scan, write_volume
from sanum.model import load
from sanum.prepare.template import icbm152
from sanum.synthesis.plant import DARK_LESIONS
from sanum.workflow.detect import CaseDetection, detect
from sanum.workflow.inputs import file_row
from tests.phantoms import ellipsoid

RADII_MM = (24.0, 26.0, 24.0)
"""63 ml: nobody would miss it."""

NOT_OF_MRI_VOLUMES = ("sanum-flair-slices", "sanum-ct", "sanum-pair")
OF_VOLUMES = {name: path for name, path in shipped_models().items() if name not in NOT_OF_MRI_VOLUMES}
EACH_MODEL = pytest.mark.parametrize("path", OF_VOLUMES.values(), ids=OF_VOLUMES)

LEVELS = {"FLAIR": (0.05, 0.6, 0.5), "T2w": (1.0, 0.55, 0.4), "PDw": (0.7, 0.7, 0.55)}
"""Of fluid, grey and white matter."""


def template_in(modality: str) -> Volume:
    """The template's tissues at levels of a sequence: no real scan of it is free to ship."""
    fluid, grey, white = LEVELS[modality]
    template = icbm152()
    rest = np.clip(1.0 - template.grey - template.white, 0.0, 1.0)
    voxels = 1000.0 * template.brain * (grey * template.grey + white * template.white + fluid * rest)
    return voxels.astype(np.float32)


def judged_with_lesion(
    path: Path, voxels: Volume, grid: Grid, centre: tuple[float, ...], folder: Path, modality: str = ""
) -> tuple[CaseDetection, Volume]:
    """The scan with an ellipsoid as dark as fluid, or for other sequences as bright, and its mask."""
    model = load(path)
    modality = modality or model.preparation.modalities[0]
    lesion = ellipsoid(grid, centre, RADII_MM) & (voxels > 0)
    tissue = float(np.median(voxels[voxels > 0]))
    voxels = np.where(lesion, 0.5 * tissue if modality in DARK_LESIONS else 2.0 * tissue, voxels)
    write_volume(folder / f"scan_{modality}.nii.gz", voxels.astype(np.float32), grid)
    return detect(model, file_row(folder / f"scan_{modality}.nii.gz", model.takes)), lesion


@EACH_MODEL
def test_a_large_lesion_in_the_template_is_a_significant_finding(path: Path, tmp_path: Path) -> None:
    template = icbm152()
    voxels = template.t1 * template.brain * 1000.0
    found, lesion = judged_with_lesion(path, voxels, template.grid, (-30.0, -20.0, 30.0), tmp_path)
    assert_found(found, lesion)


@pytest.mark.parametrize(
    "modality", [name if name == "FLAIR" else pytest.param(name, marks=pytest.mark.slow) for name in LEVELS]
)
def test_a_model_of_every_sequence_finds_it_in_each_and_says_that_no_rate_is_guaranteed(
    modality: str, tmp_path: Path
) -> None:
    path, grid = shipped_models()["sanum-brain"], icbm152().grid
    found, lesion = judged_with_lesion(
        path, template_in(modality), grid, (-30.0, -20.0, 30.0), tmp_path, modality
    )
    assert_found(found, lesion)
    assert any("were made, not scanned" in warning for warning in found.warnings)
    assert not found.rate_guaranteed


def test_a_bright_lesion_in_a_picture_is_a_significant_finding(tmp_path: Path) -> None:
    template = icbm152()
    k = round(float(template.grid.to_voxel(np.array([[0.0, 0.0, 28.0]]))[0, 2]))
    lesion = ellipsoid(template.grid, (-30.0, -20.0, 28.0), (12.0, 14.0, 12.0)) & (template.brain > 0)
    picture = np.where(lesion, 900.0, template_in("FLAIR"))[:, :, k]
    Image.fromarray((picture.T[::-1] / 4).astype(np.uint8)).save(tmp_path / "case_FLAIR.png")
    model = load(shipped_models()["sanum-flair-slices"])
    found = detect(model, file_row(tmp_path / "case_FLAIR.png", model.takes))
    assert_found(found, lesion[:, ::-1, k][:, :, None])


@pytest.mark.real
def test_a_large_stroke_in_a_picture_is_a_significant_finding(tmp_path: Path, real_data: Path) -> None:
    model, folder = load(shipped_models()["sanum-flair-slices"]), real_data / "soop-flair"
    found = detect(model, file_row(folder / "image" / "sub-0002.png", model.takes))
    stroke = np.asarray(Image.open(folder / "lesion" / "sub-0002.png")) > 0
    assert_found(found, stroke.T[:, ::-1, None])


def a_ct(bleed: bool) -> tuple[Volume, Volume]:
    """A head around the template's brain in Hounsfield units, and where it bleeds."""
    template = icbm152()
    brain = template.brain > 0
    rest = np.clip(1.0 - template.grey - template.white, 0.0, 1.0)
    out = ndimage.distance_transform_edt(~brain, sampling=template.grid.spacing)
    hu = np.where(out < 12.0, 40.0, -1000.0)
    hu = np.where(out < 8.0, 1100.0, hu)
    hu = np.where(out < 2.0, 37.0 * template.grey + 29.0 * template.white + 9.0 * rest, hu)
    lesion = ellipsoid(template.grid, (-30.0, -20.0, 28.0), (13.0, 16.0, 13.0)) & brain
    if bleed:
        hu = np.where(lesion, 70.0, hu)
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(0.0, 1.0, hu.shape), 0.7)
    return (hu + 3.0 * noise / noise.std()).astype(np.float32), lesion


def test_a_bleed_on_ct_is_a_significant_finding_and_no_rate_is_guaranteed(tmp_path: Path) -> None:
    model, (voxels, lesion) = load(shipped_models()["sanum-ct"]), a_ct(bleed=True)
    write_volume(tmp_path / "scan_CT.nii.gz", voxels, icbm152().grid)
    found = detect(model, file_row(tmp_path / "scan_CT.nii.gz", model.takes))
    assert_found(found, lesion)
    assert any("were made, not scanned" in warning for warning in found.warnings)
    assert not found.rate_guaranteed


@pytest.mark.slow
def test_a_head_on_ct_without_a_bleed_has_no_finding_where_the_bleed_would_be(tmp_path: Path) -> None:
    model, (voxels, lesion) = load(shipped_models()["sanum-ct"]), a_ct(bleed=False)
    write_volume(tmp_path / "scan_CT.nii.gz", voxels, icbm152().grid)
    found = detect(model, file_row(tmp_path / "scan_CT.nii.gz", model.takes))
    assert not any(lesion[one.peak_voxel] for one in found.findings)


def test_a_bleed_that_only_ct_shows_makes_a_pair_abnormal(tmp_path: Path) -> None:
    """The T1w is the template's, extracted, so that it is not asked whether the two are of one head."""
    template, (voxels, lesion) = icbm152(), a_ct(bleed=True)
    write_volume(tmp_path / "scan_CT.nii.gz", voxels, template.grid)
    write_volume(tmp_path / "scan_T1w.nii.gz", 1000.0 * template.t1 * template.brain, template.grid)
    model = load(shipped_models()["sanum-pair"])
    scans = {name: tmp_path / f"scan_{name}.nii.gz" for name in ("CT", "T1w")}
    found = detect(model, Row("pair", "pair", scans=scans))
    assert_found(found, lesion)
    assert found.modality == "CT"
    assert "Judged by CT, the modality with the most evidence of 2" in found.warnings[0]
    assert any(text.startswith("T1w by itself: normal") for text in found.warnings)
    assert not found.rate_guaranteed


@pytest.mark.real
def test_the_old_stroke_of_a_real_ct_is_its_largest_finding(real_data: Path) -> None:
    """A tilted gantry, slices of two distances; the left occipital lobe is darker by 10 HU."""
    model = load(shipped_models()["sanum-ct"])
    scan = real_data / "dicom" / "ct-ge-tilted.zip"
    found = detect(model, file_row(scan, model.takes))
    assert found.status == "abnormal"
    assert found.findings[0].mni_mm is not None
    right, front, _ = found.findings[0].mni_mm
    assert right < -10.0
    assert front < -50.0
    assert not any("looks more like" in warning for warning in found.warnings)


@EACH_MODEL
@pytest.mark.real
def test_a_large_lesion_in_an_unseen_brain_is_a_significant_finding(
    path: Path, tmp_path: Path, real_data: Path
) -> None:
    scan = read_scan(real_data / "oasis" / "1001_T1w.nii.gz", "T1w")
    middle = scan.grid.to_world(np.argwhere(scan.voxels > 0).mean(axis=0))
    centre = tuple(float(value) for value in middle + np.array([28.0, 15.0, 15.0]))
    found, lesion = judged_with_lesion(path, scan.voxels, scan.grid, centre, tmp_path)
    assert_found(found, lesion)
    significant = [one for one in found.findings if one.significant]
    assert all(lesion[one.peak_voxel] for one in significant), "nothing else in this healthy brain is"


def assert_found(found: CaseDetection, lesion: Volume) -> None:
    assert found.status == "abnormal"
    assert found.rule is not None
    within = [one for one in found.findings if lesion[one.peak_voxel]]
    assert within, "no finding peaks in the lesion"
    assert within[0].significant is True
    assert within[0].p_value is not None
    assert within[0].p_value <= found.rule.level
