"""Mondrian groups: each compared with its own kind, so that the guarantee holds for it by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.conformal import subjects_needed
from sanum.core.errors import CalibrationError
from sanum.core.records import Calibration, Grouping, Rule

MIN_GROUP = 10
"""Subjects that a group needs under a rule without a guarantee, to estimate a mean, a spread or a quantile."""

UNKNOWN = "?"
"""Stands for a value that the cohort table does not tell; such subjects are a group of their own."""


@dataclass(frozen=True)
class Person:
    """What the cohort table says about a subject, as far as groups ask for it."""

    site: str | None = None
    age: float | None = None
    sex: str | None = None


NOBODY = Person()
"""Someone of whom nothing is known."""


@dataclass(frozen=True, eq=False)
class ReferenceGroup:
    """The healthy subjects with which a case is compared.

    Attributes:
        calibration: the model's, narrowed to these subjects.
        name: of their group; empty where there is no grouping.
        warning: why the guarantee does not hold for this case, else empty.
    """

    calibration: Calibration
    name: str = ""
    warning: str = ""


def group_name(grouping: Grouping, person: Person) -> str:
    """The group of a subject, such as "site=A, age=40-60, sex=F"."""
    values = {"site": person.site, "age": _band(grouping.age_edges, person.age), "sex": person.sex}
    return ", ".join(f"{column}={values[column] or UNKNOWN}" for column in grouping.columns)


def group_sizes(calibration: Calibration) -> dict[str, int]:
    """Subjects of each group after merging, largest first; empty without grouping."""
    merged = merged_groups(calibration.groups, needed_in_group(calibration.rule))
    return dict(Counter(merged[name] for name in calibration.groups).most_common())


def reference_group(calibration: Calibration, person: Person = NOBODY) -> ReferenceGroup:
    """The healthy subjects of a case's group.

    Raises:
        CalibrationError: the group has too few healthy subjects and the grouping refuses small ones.
    """
    if calibration.grouping is None:
        return ReferenceGroup(calibration)
    name = group_name(calibration.grouping, person)
    needed = needed_in_group(calibration.rule)
    own = np.array([group == name for group in calibration.groups])
    if calibration.grouping.small == "refuse":
        if own.sum() < needed:
            raise CalibrationError(
                f"group {name!r}: {own.sum()} healthy subjects, but the rule needs {needed}; calibrate with more of "
                "this group, or let small groups be merged"
            )
        return ReferenceGroup(_narrowed(calibration, own), name)
    merged = merged_groups(calibration.groups, needed)
    if name not in merged:
        warning = f"no healthy subject of group {name!r} was seen, so no guarantee is made for it"
        return ReferenceGroup(replace(calibration, grouping=None, groups=()), "all", warning)
    joined = np.array([merged[group] == merged[name] for group in calibration.groups])
    return ReferenceGroup(_narrowed(calibration, joined), merged[name])


def _narrowed(calibration: Calibration, rows: NDArray[np.bool_]) -> Calibration:
    """The calibration of some of its subjects; mean and spread of healthy maps by place stay those of all."""
    by_subject = ("scores", "slice_scores", "finding_scores", "place_peaks")
    kept = {name: values[rows] for name in by_subject if (values := getattr(calibration, name)) is not None}
    return replace(calibration, **kept, grouping=None, groups=())


def merged_groups(groups: Sequence[str], needed: int) -> dict[str, str]:
    """Join the groups that are too small into one, with the smallest large ones until it is large enough.

    Only counts decide, never scores: the groups stay a partition chosen before any score was seen, so each
    merged group keeps its guarantee.

    Args:
        groups: of each calibration subject.
        needed: subjects that a group must have.

    Returns:
        The name of each group's merged group; a merged name lists its members.
    """
    counts = Counter(groups)
    ascending = sorted(counts, key=lambda name: (counts[name], name))
    small = [name for name in ascending if counts[name] < needed]
    large = ascending[len(small) :]
    while small and large and sum(counts[name] for name in small) < needed:
        small.append(large.pop(0))
    joined = " or ".join(sorted(small))
    return {name: joined if name in small else name for name in counts}


def needed_in_group(rule: Rule) -> int:
    """Healthy subjects that a group needs for a rule."""
    return subjects_needed(rule.level) if rule.name == "conformal" else MIN_GROUP


def _band(edges: Sequence[float], age: float | None) -> str | None:
    if age is None:
        return None
    place = int(np.searchsorted(edges, age, side="right"))
    low = f"{edges[place - 1]:g}" if place > 0 else "0"
    return f"{low}-{edges[place]:g}" if place < len(edges) else f"{low}+"
