"""Evaluation of a store: figures with what they rest on, in the brain and by subject; leaks are errors."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import CohortError
from sanum.core.records import Rule
from sanum.model import load, save
from sanum.prepare.store import Store
from sanum.workflow.compare import compare
from sanum.workflow.evaluate import EvaluateOptions, evaluate
from sanum.workflow.fit import calibrate, fit_and_calibrate


def test_planted_lesions_are_told_from_healthy_phantoms(model_path, store, tmp_path):
    result = evaluate(model_path, store.folder, tmp_path / "out", draws=20)
    assert (result.healthy, result.lesion, result.subjects) == (2, 2, 4)
    assert result.case_auroc["model"].value == 1.0
    assert result.pixels.ap.value > 10 * result.pixels.prevalence
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written["pixels"]["ap"]["value"] == pytest.approx(result.pixels.ap.value)
    assert written["facts"]["model_sha256"] == load(model_path).sha256
    assert any("prevalence" in line for line in result.lines())


def test_one_line_a_case_and_pictures_are_written(model_path, store, tmp_path):
    evaluate(model_path, store.folder, tmp_path, draws=5)
    lines = (tmp_path / "cases.tsv").read_text().splitlines()
    assert len(lines) == 5
    assert lines[0].split("\t")[:3] == ["case", "subject", "label"]
    assert (tmp_path / "roc.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_maps_are_kept_and_taken_again_by_other_processes_too(model_path, store, tmp_path, workers):
    first = evaluate(model_path, store.folder, tmp_path, draws=5)
    (maps,) = tmp_path.glob("maps-*")
    stamps = {path.name: path.stat().st_mtime_ns for path in maps.iterdir()}
    again = evaluate(model_path, store.folder, tmp_path, options=EvaluateOptions(draws=5, workers=workers))
    assert stamps == {path.name: path.stat().st_mtime_ns for path in maps.iterdir()}
    assert again.pixels == first.pixels


def test_distances_in_the_latent_space_where_there_is_one(model_path, store, tmp_path, monkeypatch):
    import torch

    from sanum.detectors.intensity import Intensity

    evaluate(model_path, store.folder, tmp_path / "without", draws=5)
    assert not (tmp_path / "without" / "latent.svg").exists()
    for name, value in (("context", 0), ("step", 1)):
        monkeypatch.setattr(Intensity, name, value, raising=False)
    looks = lambda self, windows: [torch.stack([w.std(dim=(1, 2, 3)) for w in windows])[:, :, None, None]]  # noqa: E731
    monkeypatch.setattr(Intensity, "levels", looks, raising=False)
    found = evaluate(model_path, store.folder, tmp_path / "with", draws=5)
    assert found.case_auroc["latent distance"].value == 1.0
    header, *lines = (tmp_path / "with" / "cases.tsv").read_text().splitlines()
    place = header.split("\t").index("latent_distance")
    far = {line.split("\t")[2]: float(line.split("\t")[place]) for line in lines}
    assert far["lesion"] > far["healthy"]
    assert "latent space" in (tmp_path / "with" / "evaluation.html").read_text()
    assert "lesion cases, unmarked" in (tmp_path / "with" / "voxels.svg").read_text()


def copied(store: Store, folder) -> Store:
    shutil.copytree(store.folder, folder)
    return Store.open(folder)


def rewrite(store: Store, case: str, **fields: str) -> None:
    """Change cohort columns of a case in its record and in the manifest."""
    path = store.folder / "cases" / case / "case.json"
    record = json.loads(path.read_text())
    for part in (record, record.get("row", {})):
        part.update({name: value for name, value in fields.items() if name in part})
    path.write_text(json.dumps(record))
    store.write_manifest()


def test_a_test_scan_the_model_was_trained_on_is_refused(model_path, store, tmp_path):
    moved = copied(store, tmp_path / "store")
    rewrite(moved, "c00", split="test")
    with pytest.raises(CohortError, match=r"trained or calibrated on 1 of the test scans: c00"):
        evaluate(model_path, moved.folder, draws=5)


def test_one_subject_in_two_splits_is_refused(model_path, store, tmp_path):
    moved = copied(store, tmp_path / "store")
    rewrite(moved, "c09", subject="s00")
    with pytest.raises(CohortError, match=r"1 subject\(s\) in more than one split: s00"):
        evaluate(model_path, moved.folder, draws=5)


def test_the_same_picture_under_another_name_is_refused_or_left_out(model_path, store, tmp_path):
    moved = copied(store, tmp_path / "store")
    source = moved.load("c01")
    copy = replace(
        source,
        case="c09",
        subject="s09",
        voxels=(source.voxels**1.1).astype(np.float32),
        sources=moved.load("c09").sources,
    )
    moved.write(copy, {"label": "healthy", "split": "test", "site": "", "age": "", "sex": "", "seconds": ""})
    moved.write_manifest()
    with pytest.raises(CohortError, match=r"c01 and c09 \(looks the same, likeness 0\.9.*--drop-duplicates"):
        evaluate(model_path, moved.folder, draws=5)
    result = evaluate(model_path, moved.folder, options=EvaluateOptions(draws=5, drop_duplicates=True))
    assert result.healthy == 1
    assert result.facts["duplicates_left_out"] == 1


def test_calibration_on_training_scans_is_refused(model_path, store, tmp_path):
    moved = copied(store, tmp_path / "store")
    rewrite(moved, "c00", split="calibration")
    with pytest.raises(CohortError, match="trained on 1 of the calibration scans, such as c00"):
        calibrate(load(model_path), moved)


def test_local_scans_recalibrate_a_model_without_touching_its_weights(model_path, store, tmp_path):
    moved = copied(store, tmp_path / "store")
    for case in ("c08", "c09"):
        rewrite(moved, case, split="", site="here")
    model = load(model_path)
    local = calibrate(model, moved, rule=Rule("conformal", 0.4), site="here")
    assert local.detector.state_sha256() == model.detector.state_sha256()
    assert len(local.calibration.scores) == 6
    assert local.facts["calibrated_for_site"] == "here"
    save(local, tmp_path / "local.safetensors")
    kept = load(tmp_path / "local.safetensors").calibration
    assert kept.finding_scores == pytest.approx(local.calibration.finding_scores, nan_ok=True)
    assert kept.slice_scores == pytest.approx(local.calibration.slice_scores, nan_ok=True)
    with pytest.raises(CohortError, match="no ready healthy case of site 'there'"):
        for case in ("c04", "c05", "c06", "c07"):
            rewrite(moved, case, site="elsewhere")
        calibrate(model, moved, site="there")


def test_two_models_are_compared_on_the_same_cases(model_path, store, tmp_path):
    other = tmp_path / "dark.safetensors"
    fit_and_calibrate(store, "intensity", {"sign": "dark"}, out=other)
    found = compare(model_path, other, store.folder, how=EvaluateOptions(draws=50))
    assert found.cases == 4
    assert found.differences["case AUROC"].method == "DeLong"
    assert found.differences["pixel AP, pooled"].value > 0
    assert all("p = " in line for line in found.lines())
