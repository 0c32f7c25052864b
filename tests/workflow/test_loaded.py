"""Judging from Python: scans in every form that people hold them in give the same decision."""

import re
from dataclasses import replace
from types import ModuleType

import nibabel as nib
import numpy as np
import pytest

import sanum
from sanum.cohort.table import write_cohort
from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.core.shipped import DEFAULT_MODEL
from tests.phantoms import RAS_2MM


@pytest.fixture(scope="module")
def model(model_path):
    return sanum.load(model_path)


@pytest.fixture(scope="module")
def ill(cohort_path):
    return cohort_path.parent / "c11_T1w.nii.gz"


@pytest.fixture(scope="module")
def by_path(model, ill):
    return model.detect(ill)


def forms(path):
    image = nib.load(path)
    array, affine = image.get_fdata(), image.affine
    flipped = nib.as_closest_canonical(image)
    return {
        "text": ((str(path),), {}),
        "image": ((image,), {}),
        "image in memory": ((nib.Nifti1Image(array.astype(np.float32), affine),), {}),
        "mgz image": ((nib.MGHImage(array.astype(np.float32), affine),), {}),
        "canonical image": ((flipped,), {}),
        "array": ((array,), {"affine": affine}),
        "integers": ((array.round().astype(np.int64),), {"affine": affine}),
        "pair": (((array, affine),), {}),
        "mapping": (({"T1w": image},), {}),
    }


@pytest.mark.parametrize(
    "form", ["text", "image", "image in memory", "mgz image", "array", "integers", "pair", "mapping"]
)
def test_every_form_of_one_scan_gives_the_same_decision(model, ill, by_path, form):
    arguments, named = forms(ill)[form]
    found = model.detect(*arguments, **named)
    assert (found.status, found.p_value) == (by_path.status, by_path.p_value)
    assert found.score == pytest.approx(by_path.score, rel=0.02 if form == "integers" else 1e-5)
    assert found.anomaly_map.grid.same_as(by_path.anomaly_map.grid)


def test_a_list_gives_a_list_in_its_order(model, ill, by_path, cohort_path):
    healthy = cohort_path.parent / "c09_T1w.nii.gz"
    found = model.detect([ill, nib.load(healthy), (nib.load(ill).get_fdata(), RAS_2MM)])
    assert [one.status for one in found] == ["abnormal", "normal", "abnormal"]
    assert found[0].score == by_path.score


def test_several_processes_give_the_same_list(model, ill, by_path, cohort_path):
    healthy = cohort_path.parent / "c09_T1w.nii.gz"
    here, there = (model.detect([ill, healthy], workers=workers) for workers in (1, 2))
    assert [one.score for one in here] == [one.score for one in there]
    assert there[0].provenance.model_sha256 == by_path.provenance.model_sha256


def test_a_folder_and_a_table_give_a_list(model, cohort, tmp_path, ill):
    for subject in ("01", "02"):
        (tmp_path / f"sub-{subject}" / "anat").mkdir(parents=True)
        (tmp_path / f"sub-{subject}" / "anat" / f"sub-{subject}_T1w.nii.gz").write_bytes(ill.read_bytes())
    assert [one.case for one in model.detect(tmp_path)] == ["sub-01", "sub-02"]
    write_cohort(cohort.select(label="lesion"), tmp_path / "ill.tsv")
    assert [one.case for one in model.detect(tmp_path / "ill.tsv")] == ["c10", "c11"]


def test_one_bad_scan_of_a_list_is_refused_and_named_as_it_was_given(model, ill):
    array = nib.load(ill).get_fdata()
    spoilt, good = model.detect([(array * 0, RAS_2MM), (array, RAS_2MM)])
    assert (spoilt.status, good.status) == ("refused", "abnormal")
    assert "scan-1: " in spoilt.reason
    assert "tmp" not in spoilt.reason
    assert good.provenance.sources[0].path == "scan-2"


def test_a_brain_mask_may_lie_in_memory(model, ill, by_path):
    image = nib.load(ill)
    mask = nib.Nifti1Image((image.get_fdata() > 0).astype(np.uint8), image.affine)
    assert model.detect(image, brain=mask).status == by_path.status
    with pytest.raises(TypeError, match="belongs to one case"):
        model.detect([ill, ill], brain=mask)


@pytest.mark.parametrize(
    ("given", "named", "message"),
    [
        (7, {}, "a scan is given as a path, a nibabel image, .*; got int"),
        (None, {}, "got NoneType"),
        (b"scan.nii", {}, "got bytes"),
        ([3.5], {}, "got float"),
        ({"T1w": 7}, {}, "one scan is given as a path, a nibabel image or an array; got int"),
        (np.zeros((4, 4, 4)), {}, "needs its affine"),
        (np.zeros((4, 4, 4)), {"affine": np.eye(3)}, r"expected shape \(4, 4\), got \(3, 3\)"),
        (np.zeros((4, 4, 4, 2)), {"affine": np.eye(4)}, r"an array \(4, 4, 4, 2\) is no scan"),
        (np.zeros((4, 4, 4), complex), {"affine": np.eye(4)}, "complex128 is no scan"),
    ],
)
def test_what_is_no_scan_is_one_clear_type_error(model, given, named, message):
    with pytest.raises(TypeError, match=message):
        model.detect(given, **named)


def test_a_file_that_is_not_there_is_an_error_in_a_list_too(model, ill):
    with pytest.raises(ScanError, match="no such file"):
        model.detect([ill, "nowhere_T1w.nii.gz"])


def test_the_module_judges_by_a_model_in_any_form(model, model_path, ill, by_path):
    assert sanum.detect(ill, model).score == by_path.score
    assert sanum.detect(ill, model_path, case="mine").case == "c11_T1w"
    with pytest.raises(ModelFileError, match="no such model file"):
        sanum.detect(ill, "nothing")


def test_no_name_means_the_model_that_comes_with_sanum():
    assert sanum.load().name == DEFAULT_MODEL
    told = rf"<{DEFAULT_MODEL}: [\w-]+ for T1w, T2w, FLAIR, PDw, calibrated on \d+ healthy subjects"
    assert re.match(told, repr(sanum.load()))


def test_the_default_model_takes_one_file_of_any_sequence(ill, by_path, monkeypatch):
    """A file, an image and an array; it needs no case of all four."""
    asked = []
    monkeypatch.setattr("sanum.workflow.detect.detect", lambda _, row, **__: asked.append(row) or by_path)
    image = nib.load(ill)
    model = sanum.load()
    model.detect(ill)
    model.detect(image, modality="FLAIR")
    model.detect(image.get_fdata(), affine=image.affine, modality="T2w")
    assert [list(row.scans) for row in asked] == [["T1w"], ["FLAIR"], ["T2w"]]


def test_public_names_are_no_modules():
    for name in sanum.__all__:
        assert not isinstance(getattr(sanum, name), ModuleType), name
    assert all(
        callable(getattr(sanum, name)) for name in ("calibrate", "detect", "evaluate", "load", "train")
    )


def test_an_uncalibrated_model_says_so(model):
    assert "not calibrated" in repr(replace(model, calibration=None))


def test_a_device_is_taken_by_name_and_one_that_is_not_there_is_refused(model, ill, by_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    for device in ("cpu", "auto"):
        assert model.detect(ill, device=device).score == by_path.score
    with pytest.raises(ConfigError, match="device 'cuda': this machine has 0 CUDA devices; use auto or cpu"):
        model.detect(ill, device="cuda")


@pytest.mark.slow
def test_worker_processes_take_the_device(model, ill, by_path):
    assert [one.score for one in model.detect([ill, ill], workers=2, device="cpu")] == [by_path.score] * 2
    found = model.detect([ill, ill], workers=2, device="auto")
    assert [one.score for one in found] == [pytest.approx(by_path.score, rel=1e-3)] * 2
