"""Decisions below the case: which slices and which findings stand out from healthy ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sanum.calibration.conformal import benjamini_hochberg, family_p_values, nested_p_values
from sanum.calibration.groups import NOBODY, Person, reference_group
from sanum.core.records import AnomalyMap, Calibration, Finding, Rule, SliceScore

LEVEL = 0.05
"""Level of findings where the case's rule has no false-alarm level of its own."""


def finding_level_alpha(rule: Rule) -> float:
    """The error rate that findings are judged by: that of a conformal rule, else `LEVEL`."""
    return rule.level if rule.name == "conformal" else LEVEL


def judge_findings(
    found: Sequence[Finding], calibration: Calibration, person: Person = NOBODY
) -> tuple[Finding, ...]:
    """Give each finding of a case its p-value by the calibration's control, and say which are significant.

    Findings stay as they are where the calibration holds no healthy findings.
    """
    if calibration.finding_scores is None or any(one.excess is None for one in found):
        return tuple(found)
    healthy = calibration.finding_scores[reference_group(calibration, person).rows]
    scores = np.array([one.excess for one in found], float)
    if calibration.control == "family-wise":
        p = family_p_values(scores, healthy)
    else:
        p = benjamini_hochberg(nested_p_values(scores, healthy))
    alpha = finding_level_alpha(calibration.rule)
    return tuple(
        replace(one, p_value=float(value), significant=bool(value <= alpha + 1e-12))
        for one, value in zip(found, p, strict=True)
    )


def control_sentence(calibration: Calibration) -> str:
    """What is guaranteed about the findings of one case together; empty where nothing is."""
    if calibration.finding_scores is None:
        return ""
    alpha = finding_level_alpha(calibration.rule)
    if calibration.control == "family-wise":
        return (
            f"Family-wise control at {alpha:g}: at most {alpha:.0%} of healthy cases have any significant "
            "finding (each is compared with the strongest finding of every healthy subject)."
        )
    return (
        f"False-discovery control at {alpha:g} (Benjamini-Hochberg): of the significant findings about {alpha:.0%} "
        "or fewer are expected to be chance."
    )


def judge_slices(
    scored: AnomalyMap, calibration: Calibration, person: Person = NOBODY
) -> tuple[SliceScore, ...]:
    """Each axial slice of a map on the model grid with its p-value; none where the calibration has no slices.

    The guarantee: of the slices of new healthy subjects at most a share alpha has p <= alpha. It is not about
    the most striking slice of a case; that is what the case's own p-value with the summary "slice" tells.
    """
    if calibration.slice_scores is None:
        return ()
    means = scored.slice_means()
    known = np.flatnonzero(~np.isnan(means))
    p = nested_p_values(means[known], calibration.slice_scores[reference_group(calibration, person).rows])
    return tuple(SliceScore(int(k), float(means[k]), float(value)) for k, value in zip(known, p, strict=True))
