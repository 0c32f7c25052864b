"""The drift watch over a table of detections."""

import json

import pytest

from sanum.core.errors import CohortError
from sanum.workflow.drift import drift


def table(path, scores, labels=None):
    labels = labels or ["healthy"] * len(scores)
    lines = ["case\tlabel\tscore"] + [
        f"c{i}\t{label}\t{score}" for i, (score, label) in enumerate(zip(scores, labels, strict=True))
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_high_scores_raise_an_alarm_and_lesions_do_not_count(model_path, tmp_path):
    high = table(tmp_path / "high.tsv", [1000.0 + i for i in range(40)])
    found = drift(model_path, high, tmp_path / "drift.json")
    assert found.state == "alarm"
    assert json.loads((tmp_path / "drift.json").read_text())["first_alarm"] == found.first_alarm
    mixed = table(tmp_path / "mixed.tsv", [1000.0] * 30 + [1.0], ["lesion"] * 30 + ["healthy"])
    assert len(drift(model_path, mixed).evidence) == 1


def test_a_refused_case_has_no_score_and_is_left_out(model_path, tmp_path):
    assert len(drift(model_path, table(tmp_path / "t.tsv", [1.0, "", 2.0])).evidence) == 2


@pytest.mark.parametrize(
    ("text", "message"), [("case\n", "no case with a score"), ("case\tscore\nc\tx\n", "column score")]
)
def test_what_is_no_table_of_scores_is_refused(model_path, tmp_path, text, message):
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(CohortError, match=message):
        drift(model_path, path)
    with pytest.raises(CohortError, match="can't be read"):
        drift(model_path, tmp_path / "missing.tsv")
