"""Judging scans: planted lesions stand out, maps lie in the scan's space, and refusals are never normal."""

import csv
import json
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

import sanum
from sanum.cli.detect import _sentence
from sanum.cohort.table import read_cohort
from sanum.core.errors import ConfigError, ScanError
from sanum.core.grid import Grid
from sanum.core.sequence import SEQUENCES, Looks
from sanum.formats import write_volume
from sanum.prepare import contrast
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.detect import detect
from sanum.workflow.detect_many import detect_rows
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.inputs import gather
from sanum.workflow.prepare import prepare_cohort
from tests.cohorts import GRID
from tests.phantoms import brain_voxels

TILTED = np.array([[-1.9, 0.2, 0, 55], [0, 0.1, 2.1, -90], [0.2, 2.0, -0.1, -55], [0, 0, 0, 1.0]])


@pytest.fixture(scope="module")
def model(model_path):
    return sanum.load(model_path)


@pytest.fixture(scope="module")
def ill(cohort_path):
    return cohort_path.parent / "c11_T1w.nii.gz"


def test_a_planted_lesion_is_abnormal_and_found_where_it_is(model, ill):
    found = model.detect(ill)
    assert found.status == "abnormal"
    assert found.p_value == pytest.approx(1 / 5)
    assert np.linalg.norm(np.array(found.findings[0].peak_mm) - (-28, -40, 20)) < 12
    assert found.provenance.sources[0].sha256


def test_a_healthy_phantom_is_normal(model, cohort_path):
    assert model.detect(cohort_path.parent / "c09_T1w.nii.gz").status == "normal"


@pytest.mark.parametrize(("case", "said"), [("c00", "learned from"), ("c04", "calibrated on"), ("c09", "")])
def test_a_scan_that_the_model_has_seen_is_judged_with_a_warning(model, cohort_path, case, said):
    found = model.detect(cohort_path.parent / f"{case}_T1w.nii.gz")
    assert [said in warning for warning in found.warnings] == ([True] if said else [])


def test_no_rate_is_guaranteed_by_a_rule_of_standard_deviations(model, ill):
    assert model.detect(ill).rule.name == "mean+3std"
    assert not model.detect(ill).rate_guaranteed
    assert model.with_rule(sanum.Rule("conformal", 0.2)).detect(ill).rate_guaranteed


def test_the_map_lies_on_the_scans_own_oblique_grid(model, tmp_path):
    grid = Grid((62, 66, 84), TILTED)
    voxels, lesion = brain_voxels(grid, seed=40, lesion=True)
    write_volume(tmp_path / "tilted_T1w.nii.gz", voxels, grid)
    found = model.detect(tmp_path / "tilted_T1w.nii.gz")
    assert found.anomaly_map.grid.same_as(grid)
    values = found.anomaly_map.values
    assert np.nanmean(values[lesion]) > 2 * np.nanmean(values[(voxels > 0) & ~lesion])


def test_a_saved_case_is_complete_and_readable(model, ill, tmp_path):
    folder = model.detect(ill).save(tmp_path / "case")
    plain = json.loads((folder / "detection.json").read_text())
    assert plain["status"] == "abnormal"
    assert plain["provenance"]["model_sha256"]
    assert "not a medical device" in plain["notice"]
    saved = nib.load(folder / "anomaly_map.nii.gz")
    assert np.allclose(saved.affine, nib.load(ill).affine, atol=1e-4)
    assert saved.shape == nib.load(ill).shape
    assert "not a medical device" in (folder / "report.html").read_text()
    assert list(folder.glob("overlay-*.png"))


def test_each_finding_has_its_label_beside_the_map(model, ill, tmp_path):
    found = model.detect(ill)
    saved = nib.load(found.save(tmp_path / "case") / "findings.nii.gz")
    labels = np.asarray(saved.dataobj)
    assert labels.dtype == np.uint8
    assert np.allclose(saved.affine, nib.load(ill).affine, atol=1e-4)
    assert set(np.unique(labels)) == {0, *(one.rank for one in found.findings)}
    for one in found.findings:
        assert labels[one.peak_voxel] == one.rank
        assert (labels == one.rank).sum() * found.scan.grid.voxel_ml == pytest.approx(one.size)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("zero_T1w.nii.gz", lambda v: v * 0, "contrast"),
        ("nan_T1w.nii.gz", lambda v: np.where(v > 700, np.nan, v), "NaN|finite"),
        ("four_T1w.nii.gz", lambda v: np.stack([v] * 3, axis=-1), r"expected a 3D volume"),
        ("head_T1w.nii.gz", lambda v: v + np.random.default_rng(0).uniform(20, 90, v.shape), "brain"),
        ("other_FLAIR.nii.gz", lambda v: v, "FLAIR"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(model, tmp_path, name, content, reason):
    import re

    voxels, _ = brain_voxels(Grid((64, 84, 64), TILTED), seed=1)
    nib.save(nib.Nifti1Image(content(voxels).astype(np.float32), TILTED), tmp_path / name)
    found = model.detect(tmp_path / name)
    assert (found.status, found.abnormal, found.score, found.anomaly_map) == ("refused", None, None, None)
    assert re.search(reason, found.reason), found.reason
    folder = found.save(tmp_path / "case")
    assert not list(folder.glob("anomaly_map*"))
    assert "refused" in (folder / "report.html").read_text().lower()


def test_a_mask_on_another_grid_is_refused(model, ill, tmp_path):
    write_volume(tmp_path / "brain.nii.gz", np.ones((10, 10, 10), np.uint8), Grid((10, 10, 10), np.eye(4)))
    assert "grid" in model.detect(ill, brain=tmp_path / "brain.nii.gz").reason


def test_a_file_that_is_not_there_is_an_error(model):
    with pytest.raises(ScanError, match="no such file"):
        model.detect("nowhere_T1w.nii.gz")


def test_a_model_that_restores_gives_the_reconstruction_in_the_scans_grid(store, ill, tmp_path):
    fit_and_calibrate(store, "cae", {"epochs": 1}, out=tmp_path / "m.safetensors")
    found = sanum.load(tmp_path / "m.safetensors").detect(ill)
    assert found.restored.shape == found.scan.grid.shape
    folder = found.save(tmp_path / "case")
    assert nib.load(folder / "restored.nii.gz").shape == found.scan.grid.shape
    assert "healthy reconstruction" in (folder / "report.html").read_text()


def test_a_table_of_cases_gives_one_line_each(model_path, cohort_path, tmp_path):
    rows = gather([cohort_path], ("T1w",), split="test")
    lines = detect_rows(model_path, rows, tmp_path / "out", workers=1)
    with (tmp_path / "out" / "detections.tsv").open() as stream:
        table = list(csv.DictReader(stream, delimiter="\t"))
    assert [line["case"] for line in table] == ["c08", "c09", "c10", "c11"]
    assert [line["status"] for line in table] == [line["status"] for line in lines]
    ill = {line["case"]: line for line in table}["c10"]
    assert ill["status"] == "abnormal"
    told = json.loads((tmp_path / "out" / "c10" / "detection.json").read_text())
    significant = [one["size"] for one in told["findings"] if one["significant"]]
    assert int(ill["significant_findings"]) == len(significant) > 0
    assert ill["significant_size"] == f"{sum(significant):.2f} ml"
    assert (
        ill["meaning"]
        == "Of 4 healthy reference scans, 0 scored as high. p = 0.200 is the least that so few can give."
    )


def test_without_reports_the_table_says_the_same_and_is_all_that_is_written(
    model_path, cohort_path, tmp_path
):
    rows = gather([cohort_path], ("T1w",), split="test")[-2:]
    with_reports = detect_rows(model_path, rows, tmp_path / "reports", workers=1)
    alone = detect_rows(model_path, rows, tmp_path / "table", workers=1, reports=False)
    assert [path.name for path in (tmp_path / "table").iterdir()] == ["detections.tsv"]
    timeless = [[{**line, "seconds": ""} for line in lines] for lines in (with_reports, alone)]
    assert timeless[0] == timeless[1]


def test_dicom_results_without_reports_are_refused(model_path, tmp_path):
    with pytest.raises(ConfigError, match="leave out --no-reports"):
        detect_rows(model_path, [], tmp_path, dicom="parametric", reports=False)


def test_a_scan_that_looks_like_another_sequence_is_refused_or_warned_about(
    model, model_path, cohort_path, tmp_path, monkeypatch
):
    """Given as a lone file, in a table and in Python; who vouches for the name gets a warning with the decision."""
    monkeypatch.setattr(
        contrast, "recognise", lambda scan: Looks({name: float(name == "FLAIR") for name in SEQUENCES})
    )
    file = tmp_path / "scan.nii.gz"
    file.write_bytes((cohort_path.parent / "c09_T1w.nii.gz").read_bytes())
    found = model.detect(file)
    assert found.status == "refused"
    assert "scan.nii.gz: taken for T1w, but looks like FLAIR" in found.reason
    told = "T1w: looks like FLAIR (99% sure), but is taken as called, as told (as_called)"
    for vouched in (model.detect(file, as_called=True), model.detect({"T1w": file}, as_called=True)):
        assert vouched.status == "normal"
        assert vouched.warnings[0].startswith(told)
        assert told in repr(vouched)
    (row,) = gather([file], ("T1w",), as_called=True)
    (line,) = detect_rows(model_path, [row], tmp_path / "out", workers=1)
    assert told in line["warnings"]
    assert told in (tmp_path / "out/scan/report.html").read_text()
    assert told in json.loads((tmp_path / "out/scan/detection.json").read_text())["warnings"][0]
    assert told in (tmp_path / "out/detections.tsv").read_text()
    assert told in _sentence({key: str(value) for key, value in line.items()})


def test_two_inputs_of_one_name_do_not_overwrite_each_other(tmp_path, ill):
    """Files called alike are named by their folders; one file given twice can't be told apart."""
    (tmp_path / ill.name).write_bytes(ill.read_bytes())
    assert len({row.case for row in gather([ill, tmp_path / ill.name], ("T1w",))}) == 2
    with pytest.raises(sanum.SanumError, match="both case"):
        gather([ill, ill], ("T1w",))


def test_a_picture_is_not_judged_by_a_model_of_volumes(model, tmp_path):
    from sanum.formats import write_image

    disc = np.zeros((64, 84, 1), np.uint8)
    disc[16:48, 20:64] = 90 + (np.arange(32 * 44).reshape(32, 44, 1) % 100)
    write_image(tmp_path / "slice_T1w.png", disc[..., 0])
    found = model.detect(tmp_path / "slice_T1w.png")
    assert found.status == "refused"
    assert "trained and calibrated on 3D volumes" in found.reason


def test_a_missing_modality_is_refused_unless_the_model_was_trained_to_do_without(tmp_path):
    modalities = ("T1w", "FLAIR")
    lines = ["case\tsubject\tT1w\tFLAIR\tlabel\tsplit"]
    for number, split in enumerate(["train"] * 2 + ["calibration"] * 4):
        files = [f"c{number}_{name}.nii.gz" for name in modalities]
        for file in files:
            write_volume(tmp_path / file, brain_voxels(GRID, seed=number)[0], GRID)
        lines.append("\t".join([f"c{number}", f"s{number}", *files, "healthy", split]))
    (tmp_path / "cohort.tsv").write_text("\n".join(lines) + "\n")
    cohort = read_cohort(tmp_path / "cohort.tsv")
    prepare_cohort(cohort, tmp_path / "store", Slices(modalities, size=32), workers=1)
    row = replace(cohort.rows[5], scans={"T1w": cohort.rows[5].scans["T1w"]})
    found = {}
    for dropout in (0.0, 0.3):
        settings = {"widths": [8, 16], "epochs": 1, "channel_dropout": dropout}
        model = fit_and_calibrate(
            Store.open(tmp_path / "store"), "restore-slices", settings, out=tmp_path / "m.safetensors"
        )
        found[dropout] = detect(model, row)
    assert (found[0.0].status, "no FLAIR" in found[0.0].reason) == ("refused", True)
    assert found[0.3].status in ("normal", "abnormal")
    assert any("judged without FLAIR" in told for told in found[0.3].warnings)
    without_first = replace(row, scans={"FLAIR": cohort.rows[5].scans["FLAIR"]})
    assert detect(model, without_first).status == "refused"
