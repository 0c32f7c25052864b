"""Training and calibration take healthy scans only, and rules change without training."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.cohort.table import read_cohort
from sanum.core.errors import CalibrationError, CohortError, ConfigError
from sanum.core.records import Rule
from sanum.formats import write_volume
from sanum.model import load, save
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.fit import calibrate, fit, fit_and_calibrate, recalibrate
from sanum.workflow.prepare import prepare_cohort
from tests.cohorts import GRID
from tests.phantoms import brain_voxels


@pytest.fixture
def with_lesion_in_training(cohort, tmp_path):
    """A store whose training split holds a lesion case."""
    rows = [replace(row, split="train") for row in cohort if row.case in ("c00", "c11")]
    prepare_cohort(replace(cohort, rows=tuple(rows)), tmp_path / "p", Slices(("T1w",)), workers=1)
    return Store.open(tmp_path / "p")


def test_a_lesion_in_the_training_split_is_refused_by_name(with_lesion_in_training):
    with pytest.raises(CohortError, match=r"not labelled healthy: c11 \(lesion\)"):
        fit(with_lesion_in_training, "intensity")


def test_it_may_be_allowed_by_name_and_the_card_says_so(with_lesion_in_training):
    model = fit(with_lesion_in_training, "intensity", allow_labels=["lesion"])
    assert model.card["training_labels"] == ["healthy", "lesion"]


def test_calibration_uses_the_held_out_subjects(model_path):
    model = load(model_path)
    assert len(model.calibrated().scores) == 4
    assert model.facts["training_subjects"] == 4


def test_the_rule_changes_in_place_and_keeps_the_scores(model_path, tmp_path):
    out = tmp_path / "strict.safetensors"
    before = load(model_path)
    recalibrate(model_path, None, rule="conformal", level=0.25, out=out)
    after = load(out)
    assert after.calibrated().rule == Rule("conformal", 0.25)
    assert np.array_equal(after.calibrated().scores, before.calibrated().scores)


def test_a_level_the_scores_can_not_guarantee_leaves_the_file_alone(model_path, tmp_path):
    out = tmp_path / "m.safetensors"
    with pytest.raises(CalibrationError, match=r"smallest is 0\.200"):
        recalibrate(model_path, None, rule="conformal", level=0.05, out=out)
    assert not out.exists()


def test_an_unknown_rule_names_the_nearest(model_path, tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'conformal'"):
        recalibrate(model_path, None, rule="confromal", out=tmp_path / "m.safetensors")


def test_an_unknown_recipe_key_is_refused(store):
    with pytest.raises(ConfigError, match="did you mean"):
        fit(store, "cae", {"epoch": 1})


def test_a_store_prepared_otherwise_does_not_calibrate(model_path, cohort, tmp_path):
    prepare_cohort(
        replace(cohort, rows=cohort.rows[4:6]), tmp_path / "p", Slices(("T1w",), size=64), workers=1
    )
    with pytest.raises(CalibrationError, match="prepared otherwise"):
        calibrate(load(model_path), Store.open(tmp_path / "p"))


def test_the_classic_autoencoder_trains_calibrates_and_draws_its_losses(store, tmp_path):
    out = tmp_path / "cae.safetensors"
    settings = {"epochs": 1, "widths": [4, 4, 4]}
    fit_and_calibrate(store, "cae", settings, out=out, seed=3)
    again = tmp_path / "again.safetensors"
    fit_and_calibrate(store, "cae", settings, out=again, seed=3)
    assert load(out).detector.state_sha256() == load(again).detector.state_sha256()
    assert (tmp_path / "cae.loss.png").read_bytes().startswith(b"\x89PNG")
    assert load(out).calibrated().summary.rule == "slice"


def test_saving_over_a_model_is_all_or_nothing(model_path, tmp_path, monkeypatch):
    out = tmp_path / "m.safetensors"
    save(load(model_path), out)
    before = out.read_bytes()

    def breaks(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("safetensors.numpy.save_file", breaks)
    with pytest.raises(Exception, match="No space left"):
        save(load(model_path), out)
    assert out.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]


def test_ct_of_several_windows_calibrates_a_model_that_judges_each_modality(tmp_path):
    """A single channel of CT was looked for, which no store of windows has."""
    lines = ["case\tsubject\tCT\tlabel\tsplit\tas_called"]
    for number, split in enumerate(["train"] * 2 + ["calibration"] * 3):
        voxels, _ = brain_voxels(GRID, seed=number)
        hu = np.where(voxels > 0, 40.0 * voxels / voxels.max(), -1000.0)
        write_volume(tmp_path / f"c{number}_CT.nii.gz", hu.astype(np.float32), GRID)
        lines.append(f"c{number}\ts{number}\tc{number}_CT.nii.gz\thealthy\t{split}\tyes")
    (tmp_path / "cohort.tsv").write_text("\n".join(lines) + "\n")
    prepare_cohort(read_cohort(tmp_path / "cohort.tsv"), tmp_path / "p", Slices(("CT",)), workers=1)
    store = Store.open(tmp_path / "p")
    save(fit(store, "intensity"), tmp_path / "ct.safetensors")
    member = str(tmp_path / "ct.safetensors")
    model = calibrate(fit(store, "pair-experts", {"members": [member]}), store)
    assert model.takes_each
    assert len(model.calibrated("CT").scores) == 3
