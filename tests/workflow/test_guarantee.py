"""The test of the guarantee on a store: who takes part, what is kept, what is refused."""

import json

import pytest

from sanum.core.errors import CalibrationError
from sanum.model import load
from sanum.prepare.store import Store
from sanum.workflow.guarantee import GuaranteeOptions, check_guarantee, held_out

HOW = GuaranteeOptions(levels=(0.25,), splits=20, kinds=("ball",), size=60.0, severity=1.0, workers=1)


def test_training_subjects_take_no_part(model_path, store):
    cases = {row.case for row in held_out(load(model_path), Store.open(store.folder))}
    assert cases == {"c04", "c05", "c06", "c07", "c08", "c09"}


def test_scores_are_kept_and_not_computed_twice(model_path, store, tmp_path):
    seen = []
    first = check_guarantee(model_path, store.folder, None, tmp_path, HOW, on_done=seen.append)
    again = check_guarantee(model_path, store.folder, None, tmp_path, HOW, on_done=seen.append)
    assert sorted(seen) == ["c04", "c05", "c06", "c07", "c08", "c09"]
    assert again.tested[0].figures.alarms == first.tested[0].figures.alarms
    assert (first.tested[0].figures.calibration, first.tested[0].figures.tested) == (3, 3)
    kept = json.loads((tmp_path / "guarantee.json").read_text())
    assert kept["tested"][0]["figures"]["rate"] == first.tested[0].figures.rate
    assert (tmp_path / "guarantee.svg").read_text().startswith("<?xml")


def test_another_store_is_tested_before_and_after(model_path, store, tmp_path):
    other = tmp_path / "other"
    other.symlink_to(store.folder)
    found = check_guarantee(model_path, store.folder, other, None, HOW)
    assert [(one.store, one.calibrated_on) for one in found.tested] == [
        (store.folder.name, store.folder.name),
        ("other", store.folder.name),
        ("other", "other"),
    ]
    assert any("calibrated on other, level 0.25" in line for line in found.lines())


def test_too_few_subjects_are_refused_before_anything_is_scored(model_path, store):
    with pytest.raises(CalibrationError, match="6 held-out healthy subjects; 19 to calibrate on"):
        check_guarantee(model_path, store.folder, options=GuaranteeOptions(levels=(0.05,)))
    with pytest.raises(CalibrationError, match="can't guarantee"):
        check_guarantee(model_path, store.folder, options=GuaranteeOptions(levels=(0.05,), calibration=4))
