"""A model as the service asks it."""

from __future__ import annotations

import logging

import pytest

from sanum.service.models import judge_files, load_served
from sanum.workflow import detect


def test_what_nobody_foresaw_is_a_refusal_whose_words_stay_out_of_the_log(
    model_path, monkeypatch, tmp_path, caplog
):
    """It would go wrong again at the next try; and an exception's words may hold what a file says of a patient."""

    def trip(*_, **__):
        raise RuntimeError("sizes of Mustermann^Erika should be greater than 0")

    monkeypatch.setattr(detect, "read_row", trip)
    with caplog.at_level(logging.ERROR):
        found = judge_files(load_served(model_path), {"T1w": tmp_path / "T1w.nii"}, case="c1")
    assert (found.case, found.status) == ("c1", "refused")
    assert found.reason.startswith("unforeseen RuntimeError (sizes of Mustermann^Erika")
    assert "c1: unforeseen RuntimeError in test_models.py" in caplog.text
    assert "Mustermann" not in caplog.text


@pytest.mark.parametrize(
    "error", [OSError("disk"), MemoryError(), RuntimeError("can't allocate memory: 9 bytes")]
)
def test_what_may_go_better_at_the_next_try_is_raised(model_path, monkeypatch, tmp_path, error):
    def trip(*_, **__):
        raise error

    monkeypatch.setattr(detect, "read_row", trip)
    with pytest.raises(type(error)):
        judge_files(load_served(model_path), {"T1w": tmp_path / "T1w.nii"}, case="c1")


def test_a_fault_of_the_database_is_not_the_scans(model_path, tmp_path):
    def tell(stage: str) -> None:
        raise RuntimeError("the database is away")

    with pytest.raises(RuntimeError, match="the database is away"):
        judge_files(load_served(model_path), {"T1w": tmp_path / "T1w.nii"}, case="c1", on_stage=tell)
