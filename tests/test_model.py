"""The model file: what was saved comes back to the bit, and anything foreign or altered is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import CalibrationError, ModelFileError
from sanum.core.header import read_header
from sanum.core.records import Calibration, Rule, Summary
from sanum.detectors import detector_class
from sanum.model import Model, load, save
from sanum.prepare.presets import Slices, preparation_sha256
from tests.phantoms import prepared_case


@pytest.fixture(scope="module")
def model() -> Model:
    kind = detector_class("atlas")
    detector = kind(kind.Config(), ("T1w",)).fit([prepared_case(seed) for seed in range(3)], seed=0)
    preparation = Slices(("T1w",))
    calibration = Calibration(
        scores=np.array([1.0, 2.0, 3.0]),
        summary=Summary("mean"),
        rule=Rule(),
        map_levels=np.arange(7.0),
        detector=detector.state_sha256(),
        preparation=preparation_sha256(preparation),
    )
    return Model("test", detector, preparation, calibration, {"recipe": "atlas"})


@pytest.fixture
def saved(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save(model, path)
    return path


def test_scores_and_calibration_come_back_to_the_bit(model, saved):
    again, case = load(saved), prepared_case(9, lesion=True)
    assert np.array_equal(
        again.detector.score(case).values, model.detector.score(case).values, equal_nan=True
    )
    assert np.array_equal(again.calibrated().scores, model.calibrated().scores)
    assert again.calibrated().rule == model.calibrated().rule
    assert again.preparation == model.preparation
    assert (again.name, len(again.sha256)) == ("model", 64)


@pytest.mark.parametrize("single", [False, True])
def test_a_calibration_with_an_infinity_is_refused_and_can_be_made_anew(model, tmp_path, single):
    broken = replace(model.calibration, finding_scores=np.array([[1.0, np.nan], [np.inf, np.nan]]))
    path = tmp_path / "broken.safetensors"
    held = {"single_calibrations": {"T1w": broken}} if single else {"calibration": broken}
    save(replace(model, **held), path)
    with pytest.raises(
        ModelFileError, match=r"broken.*finding_scores hold an infinity.*sanum calibrate MODEL"
    ):
        load(path)
    assert load(path, to_calibrate=True).detector.name == "atlas"


def test_the_card_is_plain_json_and_names_what_matters(model):
    card = json.loads(json.dumps(model.card))
    assert card["detector"] == "atlas"
    assert card["modalities"] == ["T1w"]
    assert card["calibration"]["subjects"] == 3


def test_the_rule_changes_without_training(model):
    changed = model.with_rule(Rule("quantile", 0.5))
    assert changed.calibrated().rule.name == "quantile"
    assert changed.detector is model.detector


def test_a_model_without_calibration_can_not_decide(model):
    with pytest.raises(CalibrationError, match="run `sanum calibrate`"):
        replace(model, calibration=None).calibrated()


def test_calibration_of_other_weights_is_refused(model, tmp_path):
    foreign = replace(model, calibration=replace(model.calibrated(), detector="f" * 64))
    save(foreign, tmp_path / "m.safetensors")
    with pytest.raises(CalibrationError, match="other weights"):
        load(tmp_path / "m.safetensors").calibrated()


def test_calibration_on_another_preparation_is_refused(model, tmp_path):
    foreign = replace(model, preparation=Slices(("T1w",), trim=0.2))
    save(foreign, tmp_path / "m.safetensors")
    with pytest.raises(CalibrationError, match="another preparation"):
        load(tmp_path / "m.safetensors").calibrated()


def test_altered_weights_are_noticed(saved):
    data = bytearray(saved.read_bytes())
    data[-5] ^= 0xFF
    saved.write_bytes(bytes(data))
    with pytest.raises(ModelFileError, match="weights are not those"):
        load(saved)


@pytest.mark.parametrize("keep", [4, 60, 5000])
def test_a_cut_file_is_refused(saved, keep):
    saved.write_bytes(saved.read_bytes()[:keep])
    with pytest.raises(ModelFileError, match=r"model\.safetensors"):
        load(saved)


def test_missing_foreign_and_newer_files_say_so(tmp_path, saved):
    with pytest.raises(ModelFileError, match="can't be read"):
        read_header(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("this is not a model at all, but long enough")
    with pytest.raises(ModelFileError, match="not a sanum model"):
        read_header(tmp_path / "text.safetensors")
    data = saved.read_bytes()
    (tmp_path / "newer.safetensors").write_bytes(data.replace(b'\\"format\\": 1', b'\\"format\\": 9'))
    with pytest.raises(ModelFileError, match="format 9 is newer"):
        read_header(tmp_path / "newer.safetensors")
