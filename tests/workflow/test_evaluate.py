"""Evaluation of a store: figures with what they rest on, in the brain and by subject."""

import json

import pytest

from sanum.workflow.evaluate import evaluate


def test_planted_lesions_are_told_from_healthy_phantoms(model_path, store, tmp_path):
    result = evaluate(model_path, store.folder, tmp_path / "out", draws=20)
    assert (result.healthy, result.lesion, result.subjects) == (2, 2, 4)
    assert result.case_auroc["model"].value == 1.0
    assert result.pixel_ap.value > 10 * result.prevalence
    written = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert written["pixel_ap"]["value"] == pytest.approx(result.pixel_ap.value)
    assert (tmp_path / "out" / "roc.png").exists()
    assert any("prevalence" in line for line in result.lines())
