"""Planted lesions of known size: curves, half sizes, and the false alarms beside them."""

import json

import pytest

from sanum.workflow.fit import recalibrate
from sanum.workflow.inject import InjectOptions, inject


def test_larger_lesions_are_found_more_often(model_path, store, tmp_path):
    model = tmp_path / "model.safetensors"
    recalibrate(model_path, None, rule="conformal", level=0.2, out=model)
    how = InjectOptions(kinds=("ball",), sizes=(1.0, 60.0), severities=(1.0,), cases=2)
    found = inject(model, store.folder, tmp_path / "out", how)
    (curve,) = found.curves
    assert [cell.size for cell in curve.cells] == [1.0, 60.0]
    assert curve.cells[1].detected.cases == 2
    assert curve.cells[1].detected.value >= curve.cells[0].detected.value
    assert found.false_alarms.cases == 2
    assert json.loads((tmp_path / "out" / "injection.json").read_text())["unit"] == "ml"
    assert (tmp_path / "out" / "injection.svg").exists()
    assert "ball, AUROC" in (tmp_path / "out" / "roc.svg").read_text()
    assert "50 %-detection size" in found.lines()[1]


@pytest.mark.parametrize(
    ("rates", "size"),
    [([0.0, 0.0, 1.0], 4.472), ([0.5, 0.9, 1.0], 1.0), ([0.1, 0.2, 0.3], None), ([0.4, 0.2, 0.7], 4.472)],
)
def test_half_size_by_hand(rates, size):
    from sanum.evaluation.severity import half_size

    found = half_size([1.0, 2.0, 10.0], rates, [10, 10, 10])
    assert found == (None if size is None else pytest.approx(size, abs=0.01))


def test_every_evaluation_kind_can_be_planted_in_a_picture():
    from sanum.synthesis.kinds import EVALUATION_KINDS
    from sanum.synthesis.plant import plant
    from tests.phantoms import prepared_case

    healthy = prepared_case(0, shape=(48, 48, 1))
    for kind in EVALUATION_KINDS:
        ill = plant(healthy, kind.name, size=0.1, severity=0.8, seed=1)
        assert ill.lesion.any(), kind.name
