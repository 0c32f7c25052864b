"""Mondrian groups: own kind, counted before scores are seen, and no guarantee where nobody was seen."""

import numpy as np
import pytest

from sanum.calibration.groups import (
    Person,
    group_name,
    group_sizes,
    merged_groups,
    needed_in_group,
    reference_group,
)
from sanum.calibration.rules import decide
from sanum.core.errors import CalibrationError
from sanum.core.records import Calibration, Grouping, Rule, Summary


def calibration(groups, scores, small="merge", rule=None) -> Calibration:
    return Calibration(
        np.asarray(scores, float),
        Summary(),
        rule or Rule("conformal", 0.2),
        np.zeros(7),
        "d",
        "p",
        grouping=Grouping(("site",), small=small),
        groups=tuple(groups),
    )


def test_a_group_is_the_combination_of_its_columns():
    grouping = Grouping(("site", "age", "sex"))
    assert group_name(grouping, Person("A", 40.0, "F")) == "site=A, age=40-60, sex=F"
    assert group_name(grouping, Person(None, 80.0, None)) == "site=?, age=75+, sex=?"
    assert group_name(Grouping(("age",)), Person(age=12.0)) == "age=0-40"


def test_each_group_is_judged_by_its_own_scores():
    groups = ["site=A"] * 6 + ["site=B"] * 6
    scores = [*range(6), *range(100, 106)]
    kept = calibration(groups, scores)
    assert decide(50.0, kept, Person("A")).abnormal
    assert not decide(50.0, kept, Person("B")).abnormal
    assert decide(50.0, kept, Person("B")).healthy_group == "site=B"
    assert group_sizes(kept) == {"site=A": 6, "site=B": 6}


def test_small_groups_are_joined_until_they_are_large_enough():
    assert merged_groups(["a"] * 9 + ["b"] * 2 + ["c"] * 3, 5) == {"a": "a", "b": "b or c", "c": "b or c"}
    assert merged_groups(["a"] * 9 + ["b"] * 5 + ["c"], 5) == {"a": "a", "b": "b or c", "c": "b or c"}
    assert set(merged_groups(["a"] * 2 + ["b"], 5).values()) == {"a or b"}


def test_a_group_nobody_saw_has_no_guarantee():
    kept = calibration(["site=A"] * 6 + ["site=B"] * 6, range(12))
    found = decide(3.0, kept, Person("C"))
    assert "no guarantee" in found.warning
    assert found.healthy_group == "all"


def test_a_small_group_is_refused_where_asked():
    kept = calibration(["site=A"] * 6 + ["site=B"] * 2, range(8), small="refuse")
    assert len(reference_group(kept, Person("A")).calibration.scores) == 6
    with pytest.raises(CalibrationError, match=r"'site=B': 2 healthy subjects, but the rule needs 4"):
        decide(3.0, kept, Person("B"))


def test_groups_keep_the_guarantee_where_one_calibration_for_all_breaks_it():
    """Two scanners with different scores: pooled, one is flagged far too often; by group, neither."""
    rng = np.random.default_rng(0)
    pooled, grouped = [], []
    for _ in range(1500):
        scores = np.concatenate([rng.normal(0, 1, 30), rng.normal(3, 1, 10)])
        names = ["site=A"] * 30 + ["site=B"] * 10
        order = np.argsort(scores)
        rule = Rule("conformal", 0.1)
        kept = calibration([names[i] for i in order], scores[order], rule=rule)
        new = rng.normal(3, 1)
        grouped.append(decide(new, kept, Person("B")).abnormal)
        pooled.append(
            decide(new, Calibration(scores[order], Summary(), rule, np.zeros(7), "d", "p")).abnormal
        )
    assert np.mean(pooled) > 0.2
    assert 0.06 < np.mean(grouped) <= 0.12


def test_impossible_groupings_are_refused():
    with pytest.raises(ValueError, match="one or more different columns"):
        Grouping(())
    with pytest.raises(ValueError, match="must rise"):
        Grouping(("age",), age_edges=(60.0, 40.0))


def test_small_groups_join_the_smallest_large_one_and_enough_is_not_small():
    groups = ["a"] * 9 + ["z"] * 2 + ["b"] * 7 + ["c"] * 5
    assert merged_groups(groups, 5) == {"z": "c or z", "c": "c or z", "b": "b", "a": "a"}
    assert merged_groups(["a"] * 5 + ["b"] * 5, 5) == {"a": "a", "b": "b"}


def test_rules_without_a_level_of_their_own_need_ten_subjects_a_group():
    assert needed_in_group(Rule("mean+3std", 3.0)) == 10
    assert needed_in_group(Rule("conformal", 0.2)) == 4
