"""The BIDS App: derivatives that the validator takes, one page a group, and refusals that are told."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from sanum.cli.app import app
from sanum.core.errors import CohortError
from sanum.core.sequence import SEQUENCES, Looks
from sanum.core.shipped import shipped_models
from sanum.formats import write_volume
from sanum.prepare import contrast
from sanum.prepare.template import icbm152
from sanum.workflow.bids_app import judge_participants, report_group

DESCRIPTION = {"Name": "made", "BIDSVersion": "1.10.0", "DatasetType": "raw", "Authors": ["nobody"]}


@pytest.fixture(scope="module")
def raw(cohort_path, tmp_path_factory):
    """Two subjects that can be judged, one of them with sessions, and a third whose scan is flat."""
    root = tmp_path_factory.mktemp("raw")
    (root / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    (root / "README").write_text("made subjects\n")
    for name, number in (("sub-01", 9), ("sub-02/ses-a", 11)):
        folder = root / name / "anat"
        folder.mkdir(parents=True)
        shutil.copy(
            cohort_path.parent / f"c{number:02d}_T1w.nii.gz", folder / f"{name.replace('/', '_')}_T1w.nii.gz"
        )
    (root / "sub-03" / "anat").mkdir(parents=True)
    flat = nib.Nifti1Image(np.ones((20, 20, 20), np.float32), np.eye(4))
    nib.save(flat, root / "sub-03" / "anat" / "sub-03_T1w.nii.gz")
    return root


@pytest.fixture(scope="module")
def derivatives(raw, model_path, tmp_path_factory):
    out = tmp_path_factory.mktemp("derivatives")
    found = judge_participants(raw, out, model_path, workers=1)
    assert [one.status for one in found] == ["normal", "abnormal", "refused"]
    return out


def test_maps_have_bids_names_and_sidecars_with_provenance(derivatives, raw):
    stem = derivatives / "sub-02" / "ses-a" / "anat" / "sub-02_ses-a_space-T1w_desc-anomaly_probseg"
    image = nib.load(f"{stem}.nii.gz")
    assert image.shape == nib.load(raw / "sub-02" / "ses-a" / "anat" / "sub-02_ses-a_T1w.nii.gz").shape
    told = json.loads(stem.with_suffix(".json").read_text())
    assert told["Sources"] == ["bids:raw:sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz"]
    assert told["Detection"]["status"] == "abnormal"
    assert told["Detection"]["provenance"]["model_sha256"]
    kind = json.loads((derivatives / "dataset_description.json").read_text())
    assert kind["DatasetType"] == "derivative"
    assert not (derivatives / "sub-03").exists()


def test_the_group_page_tells_of_everyone(derivatives):
    page = report_group(derivatives)
    lines = (derivatives / "reports" / "detections.tsv").read_text().splitlines()
    assert [line.split("\t")[2] for line in lines[1:]] == ["normal", "abnormal", "refused"]
    assert "sub-02_ses-a" in page.read_text()


def test_doubt_about_what_a_scan_shows_reaches_console_and_group_and_a_person_may_vouch(
    raw, model_path, tmp_path, monkeypatch
):
    looks = Looks({name: 0.7 * (name == "FLAIR") + 0.05 for name in SEQUENCES})
    monkeypatch.setattr(contrast, "recognise", lambda scan: looks)
    asked = [
        "bids",
        str(raw),
        str(tmp_path),
        "participant",
        "--participant-label",
        "01",
        "--model",
        str(model_path),
    ]
    told = CliRunner().invoke(app, [*asked, "--workers", "1"])
    assert "warning: T1w: looks more like FLAIR (75% sure)" in told.output
    told = CliRunner().invoke(app, [*asked, "--workers", "1", "--as-called"])
    assert "T1w: looks like FLAIR (75% sure), but is taken as called" in told.output
    page = report_group(tmp_path).read_text()
    assert "taken as called" in page
    assert "taken as called" in (tmp_path / "reports" / "detections.tsv").read_text()


def test_chosen_participants_only(raw, model_path, tmp_path):
    found = judge_participants(raw, tmp_path / "out", model_path, labels=["01"], workers=1)
    assert [one.case for one in found] == ["sub-01"]
    with pytest.raises(CohortError, match="no participant sub-04; did you mean 'sub-0"):
        judge_participants(raw, tmp_path / "out", model_path, labels=["04"], workers=1)


def test_what_is_no_data_set_is_refused(tmp_path, model_path):
    with pytest.raises(CohortError, match="no BIDS data set"):
        judge_participants(tmp_path, tmp_path / "out", model_path)
    with pytest.raises(CohortError, match="run the level participant first"):
        report_group(tmp_path)


def test_a_model_of_any_sequence_needs_one_of_them(tmp_path):
    (tmp_path / "raw" / "sub-01").mkdir(parents=True)
    with pytest.raises(CohortError, match="no participant has any of T1w, T2w, FLAIR, PDw in anat"):
        judge_participants(tmp_path / "raw", tmp_path / "out", shipped_models()["sanum-brain"])


def test_the_validator_takes_the_derivatives(derivatives):
    report_group(derivatives)
    assert validated(derivatives) == []


@pytest.mark.slow
def test_the_command_leaves_valid_derivatives_of_the_shipped_model(tmp_path):
    """By its restored volume too, under the entities of the raw scan, which is no T1w."""
    template = icbm152()
    anat = tmp_path / "raw" / "sub-01" / "anat"
    anat.mkdir(parents=True)
    made = (template.brain * (0.6 * template.grey + 0.5 * template.white) * 1000).astype(np.float32)
    write_volume(anat / "sub-01_acq-3d_run-1_FLAIR.nii.gz", made, template.grid)
    (anat.parents[1] / "dataset_description.json").write_text(json.dumps(DESCRIPTION))
    out = tmp_path / "out"
    typed = ["bids", str(anat.parents[1]), str(out)]
    for level in (["participant", "--participant_label", "01", "--workers", "1"], ["group"]):
        done = CliRunner().invoke(app, [*typed, *level])
        assert done.exit_code == 0, done.output
    for name in ("desc-anomaly_probseg", "desc-restored_FLAIR"):
        volume = out / "sub-01" / "anat" / f"sub-01_acq-3d_run-1_space-FLAIR_{name}.nii.gz"
        assert volume.is_file()
        sidecar = json.loads(Path(str(volume).replace(".nii.gz", ".json")).read_text())
        assert sidecar["SkullStripped"] is True
    assert validated(out) == []


def validated(dataset):
    """Errors that the BIDS validator names; the test is skipped where it is not installed."""
    there = Path(sys.executable).with_name("bids-validator-deno")
    validator = str(there) if there.is_file() else shutil.which("bids-validator-deno")
    if validator is None:
        pytest.skip("the BIDS validator is not here: pip install bids-validator-deno")
    done = subprocess.run([validator, "--json", str(dataset)], capture_output=True, text=True, check=False)
    return [one for one in json.loads(done.stdout)["issues"]["issues"] if one["severity"] == "error"]
