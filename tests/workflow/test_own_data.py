"""Train, calibrate and evaluate in one call each, from stores, tables, folders and lists."""

import inspect
import shutil

import pytest

import sanum
from sanum.cohort.splits import SHARES
from sanum.core.errors import CohortError, ConfigError
from sanum.prepare.presets import Slices

SLICES = Slices(("T1w",))


@pytest.fixture(scope="module")
def scans(cohort_path):
    return [cohort_path.parent / f"c{number:02d}_T1w.nii.gz" for number in range(10)]


def test_a_list_of_healthy_scans_gives_a_model_that_judges(scans, cohort_path, tmp_path):
    model = sanum.train(
        scans[:8], "intensity", preparation=SLICES, calibration_share=0.5, out=tmp_path / "m.safetensors"
    )
    assert model.facts["training_subjects"] == 4
    assert len(model.calibration.scores) == 4
    assert model.sha256
    assert model.detect(cohort_path.parent / "c11_T1w.nii.gz").status == "abnormal"


def test_a_table_keeps_its_splits_and_a_store_is_taken_as_it_is(cohort_path, store, tmp_path):
    shutil.copytree(store.folder, tmp_path / "prepared")
    (tmp_path / "prepared" / "manifest.tsv").unlink()
    from_table = sanum.train(cohort_path, "intensity", preparation=SLICES, folder=tmp_path / "prepared")
    from_store, from_folder = (sanum.train(data, "intensity") for data in (store, store.folder))
    identity = from_store.detector.state_sha256()
    assert from_table.detector.state_sha256() == identity == from_folder.detector.state_sha256()
    assert (tmp_path / "prepared" / "manifest.tsv").exists()


def test_calibration_on_own_scans_leaves_the_model_that_was_given(model_path, scans):
    model = sanum.load(model_path)
    calibrated = sanum.calibrate(model, scans[4:9], level=0.2)
    assert calibrated.calibration.rule.name == "conformal"
    assert len(calibrated.calibration.scores) == 5
    assert model.calibration.rule.name == "mean+3std"
    with pytest.raises(CohortError, match="trained on"):
        sanum.calibrate(model, scans[:4], level=0.25)
    with pytest.raises(ConfigError, match="unknown rule"):
        sanum.calibrate(model, scans[4:9], rule="conformel")


def test_a_model_that_judges_each_modality_is_calibrated_for_one(scans, tmp_path, monkeypatch):
    class PreparedError(Exception):
        pass

    def prepare(cohort, folder, preparation, **how):
        raise PreparedError(preparation.modalities)

    monkeypatch.setattr("sanum.workflow.own_data.prepare_cohort", prepare)
    with pytest.raises(PreparedError, match="T1w"):
        sanum.calibrate("sanum-brain", scans[:3])
    both = [*scans[:3], tmp_path / "c01_FLAIR.nii.gz"]
    both[-1].write_bytes(scans[1].read_bytes())
    with pytest.raises(
        CohortError, match="one by one, and these scans show T1w, FLAIR; name one with modality="
    ):
        sanum.calibrate("sanum-brain", both)
    with pytest.raises(PreparedError, match="FLAIR"):
        sanum.calibrate("sanum-brain", both, modality="FLAIR")


def test_evaluation_takes_a_loaded_model(model_path, store, tmp_path):
    found = sanum.evaluate(sanum.load(model_path), store, draws=20, out=tmp_path / "out")
    assert (found.healthy, found.lesion) == (2, 2)
    assert isinstance(found, sanum.Evaluation)
    assert (tmp_path / "out" / "evaluation.json").exists()


def test_scans_that_could_not_be_prepared_are_told(scans, tmp_path):
    import numpy as np

    from sanum.formats import write_volume
    from tests.cohorts import GRID

    write_volume(tmp_path / "flat_T1w.nii.gz", np.ones(GRID.shape, np.float32), GRID)
    given = [*scans[:5], tmp_path / "flat_T1w.nii.gz"]
    why = "1 of 6 scans could not be prepared and are left out:\n  flat_T1w: .*contrast"
    with pytest.warns(UserWarning, match=why):
        sanum.train(
            given, "intensity", preparation=SLICES, calibration_share=0.5, folder=tmp_path / "prepared"
        )
    with pytest.warns(UserWarning, match=why):
        sanum.train(tmp_path / "prepared", "intensity")


def test_flagged_scans_are_told_and_a_long_list_is_cut(store, monkeypatch):
    from dataclasses import replace

    from sanum.core.quality import CaseQuality
    from sanum.workflow import left_out

    real = store.load("c00")
    monkeypatch.setattr(left_out, "NAMED", 2)
    monkeypatch.setattr(
        type(store), "load", lambda self, case: replace(real, quality=CaseQuality((), flags=("upside down",)))
    )
    assert left_out.remarks(store) == (
        "12 of 12 scans are used but flagged, look at them:\n  c00: upside down\n  c01: upside down\n"
        "  and 10 more; `sanum check` lists all of a store that `folder=` keeps"
    )


def test_a_quarter_of_those_that_do_not_test_calibrates_from_python_and_by_the_command():
    assert SHARES["calibration"] / (1 - SHARES["test"]) == pytest.approx(0.25)
    assert inspect.signature(sanum.train).parameters["calibration_share"].default == pytest.approx(0.25)


def test_a_stopped_training_says_in_one_line_what_is_kept_and_goes_on_from_there(
    store, tmp_path, monkeypatch
):
    """As Ctrl-C after the second epoch: the message names the checkpoint, and resuming gives the same weights."""
    from sanum.training import run

    settings = {"epochs": 3, "widths": [4]}
    whole = sanum.train(store, "cae", settings=settings)

    def stop(report):
        if report.epoch_ended and report.epoch == 2:
            raise KeyboardInterrupt

    def stopped(*given):
        device, checkpoint, resume, _ = given
        return run.Run(device, checkpoint, resume, stop)

    out = tmp_path / "m.safetensors"
    with monkeypatch.context() as patched:
        patched.setattr("sanum.workflow.own_data.Run", stopped)
        with pytest.raises(
            KeyboardInterrupt, match=r"^stopped; .* resume=True goes on from .*m\.checkpoint$"
        ):
            sanum.train(store, "cae", settings=settings, out=out)
    resumed = sanum.train(store, "cae", settings=settings, out=out, resume=True)
    assert resumed.detector.state_sha256() == whole.detector.state_sha256()
    assert not (tmp_path / "m.checkpoint").exists()


def test_what_is_left_after_a_stop_without_a_folder_is_said(scans, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("sanum.workflow.own_data.prepare_cohort", stop)
    with pytest.raises(KeyboardInterrupt, match="nothing was kept: folder= keeps"):
        sanum.calibrate("sanum-brain", scans[:3])


def test_what_is_no_data_is_refused(model_path):
    with pytest.raises(TypeError, match="expected a store, cohort, table, folder or list of paths; got int"):
        sanum.train(7)
    with pytest.raises(CohortError, match="no such folder"):
        sanum.train("nowhere")
