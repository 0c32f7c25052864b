"""Splits by subject: nobody on both sides, the same every time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanum.cohort.splits import split_by_subject
from sanum.cohort.table import Cohort, Row
from sanum.core.errors import CohortError


def cohort(*subjects: tuple[str, str]) -> Cohort:
    """One row for each (subject, label)."""
    rows = tuple(
        Row(f"c{number}", subject, {"T1w": Path(f"/d/c{number}.nii.gz")}, label=label)
        for number, (subject, label) in enumerate(subjects)
    )
    return Cohort(Path("c.tsv"), rows, ("T1w",))


def healthy(count: int) -> Cohort:
    return cohort(*[(f"s{number}", "healthy") for number in range(count)])


def split_of(divided: Cohort) -> dict[str, str]:
    return {row.case: row.split for row in divided}


def test_shares_are_kept():
    counts = Counter(row.split for row in split_by_subject(healthy(100)))
    assert counts == {"train": 60, "calibration": 20, "test": 20}


def test_seed_decides_and_row_order_does_not():
    given_order = healthy(50)
    turned = replace(given_order, rows=given_order.rows[::-1])
    assert split_of(split_by_subject(given_order, seed=3)) == split_of(split_by_subject(turned, seed=3))
    assert split_of(split_by_subject(given_order, seed=3)) != split_of(split_by_subject(given_order, seed=4))


def test_split_is_the_same_on_every_machine():
    """Pinned: a published split must not change with a version of Python or numpy."""
    assert "".join(row.split[1] for row in split_by_subject(healthy(10))) == "rrerrrraae"


def test_rows_of_one_subject_stay_together():
    rows = [(f"s{number % 10}", "healthy") for number in range(40)]
    divided = split_by_subject(cohort(*rows))
    assert len({(row.subject, row.split) for row in divided}) == 10
    assert set(split_of(divided).values()) == {"train", "calibration", "test"}


def test_subjects_with_a_lesion_or_unknown_case_are_tested_as_a_whole():
    rows = [(f"s{number}", "healthy") for number in range(10)]
    divided = split_by_subject(cohort(*rows, ("s0", "lesion"), ("s1", "unknown"), ("x", "lesion")))
    for row in divided:
        if row.subject in ("s0", "s1", "x"):
            assert row.split == "test"
    assert {row.label for row in divided if row.split != "test"} == {"healthy"}
    assert divided.notes == (
        "subjects in the test split because a case of theirs is labelled unknown: 1; "
        "label cases healthy to train or calibrate on them",
    )


def test_unknown_everywhere_means_all_test_and_says_so():
    divided = split_by_subject(cohort(("a", "unknown"), ("b", "unknown")))
    assert {row.split for row in divided} == {"test"}
    assert "labelled unknown: 2" in divided.notes[0]


def test_earlier_splits_are_replaced():
    before = healthy(10)
    before = replace(before, rows=tuple(replace(row, split="train") for row in before))
    assert Counter(row.split for row in split_by_subject(before))["train"] == 6


@given(count=st.integers(3, 60), seed=st.integers(0, 5), train=st.integers(1, 8))
def test_every_share_gets_someone_and_nobody_is_lost(count, seed, train):
    shares = {"train": train / 10, "calibration": 0.1, "test": 0.9 - train / 10}
    counts = Counter(row.split for row in split_by_subject(healthy(count), shares, seed=seed))
    assert sum(counts.values()) == count
    assert min(counts[split] for split in shares) >= 1


@pytest.mark.parametrize("rest", [0.0, 1.0 - 0.8 - 0.2, 1.0 - 0.7 - 0.3])
def test_share_of_zero_gets_nobody(rest):
    """What binary fractions leave of 1 - 0.7 - 0.3 is no share."""
    shares = {"train": 0.8, "calibration": 0.2, "test": rest}
    assert "test" not in split_of(split_by_subject(healthy(20), shares)).values()


def test_impossible_shares_and_too_few_subjects_are_refused():
    with pytest.raises(
        CohortError, match=r"shares: expected shares of 0 or more that add up to 1, got train 0\.6"
    ):
        split_by_subject(healthy(9), {"train": 0.6, "test": 0.6})
    with pytest.raises(CohortError, match="add up to 1"):
        split_by_subject(healthy(9), {"train": 1.2, "test": -0.2})
    with pytest.raises(CohortError, match="unknown split 'validation'"):
        split_by_subject(healthy(9), {"train": 0.5, "validation": 0.5})
    with pytest.raises(CohortError, match=r"c\.tsv: 2 healthy subjects can't fill 3 splits"):
        split_by_subject(healthy(2))
