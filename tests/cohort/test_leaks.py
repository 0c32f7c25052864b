"""Leaks between splits are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanum.cohort import Cohort, Row, check_leaks
from sanum.core.errors import CohortError


def cohort(*rows: Row) -> Cohort:
    return Cohort(Path("c.tsv"), rows, ("T1w",))


def row(case: str, subject: str, split: str | None, scan: Path, **others: Path) -> Row:
    return Row(case, subject, {"T1w": scan}, split=split, **others)


def test_clean_cohort_passes(tmp_path):
    a, b = tmp_path / "a.png", tmp_path / "b.png"
    shared = tmp_path / "brain.png"
    check_leaks(cohort(row("a", "s1", "train", a, brain=shared), row("b", "s2", "test", b, brain=shared)))
    check_leaks(cohort(row("a", "s1", "train", a), row("a2", "s1", "train", a), row("b", "s1", None, b)))


def test_subject_in_two_splits_is_named(tmp_path):
    rows = (row("a", "s1", "train", tmp_path / "a"), row("b", "s1", "test", tmp_path / "b"))
    with pytest.raises(
        CohortError, match=r"c\.tsv: subjects in more than one split \(1\): s1 \(test, train\)"
    ):
        check_leaks(cohort(*rows))


@pytest.mark.parametrize("spelling", ["a.png", "sub/../a.png", "link.png"])
def test_file_in_two_splits_is_found_under_any_name(tmp_path, spelling):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.png").touch()
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    rows = (row("a", "s1", "calibration", tmp_path / "a.png"), row("b", "s2", "test", tmp_path / spelling))
    with pytest.raises(
        CohortError, match=r"files in more than one split \(1\): .*a\.png \(calibration, test\)"
    ):
        check_leaks(cohort(*rows))


def test_many_leaks_are_counted(tmp_path):
    rows = [
        row(f"{split}{n}", f"s{n}", split, tmp_path / f"{split}{n}")
        for n in range(8)
        for split in ("train", "test")
    ]
    with pytest.raises(
        CohortError, match=r"subjects in more than one split \(8\): .* and 3 more; give every subject"
    ):
        check_leaks(cohort(*rows))
