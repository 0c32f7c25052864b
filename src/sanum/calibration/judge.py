"""Decisions below the case: which slices and which findings stand out from healthy ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sanum.calibration.conformal import nested_p_values
from sanum.calibration.findings import Regions
from sanum.calibration.groups import ReferenceGroup
from sanum.calibration.rules import decide_within
from sanum.core.records import AnomalyMap, Calibration, Finding, Rule, SliceScore

LEVEL = 0.05
"""Level of findings where the case's rule has no false-alarm level of its own."""


def finding_level_alpha(rule: Rule) -> float:
    """The error rate that findings are judged by: that of a conformal rule, else `LEVEL`."""
    return rule.level if rule.name == "conformal" else LEVEL


def judge_findings(found: Regions, scored: AnomalyMap, healthy: ReferenceGroup) -> tuple[Finding, ...]:
    """Give each finding of a case its score and p-value, and say which are significant.

    A finding's score is what a typical healthy scan would score with this finding alone in it, and at most the score
    of the case. It is decided on like a case, so a significant finding lies in abnormal cases only, and the cases'
    guarantee is a family-wise one for findings.

    Args:
        found: the findings, and their labels on the grid of `scored`.
        scored: the map that the case's score is taken from.
        healthy: subjects of the case's group.
    """
    scores = _scores_alone(found, scored, healthy.calibration)
    decisions = [decide_within(score, healthy) for score in scores]
    judged = tuple(
        replace(one, score=score, p_value=decision.p_value, significant=decision.abnormal)
        for one, score, decision in zip(found.findings, scores, decisions, strict=True)
    )
    if healthy.calibration.control == "family-wise":
        return judged
    return _with_false_discovery_control(judged, scored, healthy)


def _scores_alone(found: Regions, scored: AnomalyMap, calibration: Calibration) -> list[float]:
    if not found.findings:
        return []
    highest = scored.summary(calibration.summary)
    typical = np.float32(np.median(calibration.scores))
    elsewhere = np.where(np.isnan(scored.values), np.float32(np.nan), typical)
    scores = []
    for one in found.findings:
        values = np.where(found.labels == one.rank, scored.values, elsewhere)
        scores.append(min(highest, replace(scored, values=values, parts={}).summary(calibration.summary)))
    return scores


def _with_false_discovery_control(
    judged: tuple[Finding, ...], scored: AnomalyMap, healthy: ReferenceGroup
) -> tuple[Finding, ...]:
    """By excess against the findings of healthy subjects, and only where the case itself is abnormal.

    P-values that share a calibration set are positively dependent: Benjamini and Hochberg's procedure keeps its guarantee
    for independent new parts (Bates, Candès, Lei, Romano, Sesia 2023).
    """
    calibration = healthy.calibration
    if calibration.finding_scores is None or any(one.excess is None for one in judged):
        return tuple(replace(one, p_value=None, significant=None) for one in judged)
    from scipy.stats import false_discovery_control

    case = decide_within(scored.summary(calibration.summary), healthy)
    excesses = np.array([one.excess for one in judged], float)
    p = false_discovery_control(nested_p_values(excesses, calibration.finding_scores))
    p = np.maximum(p, case.p_value)
    alpha = finding_level_alpha(calibration.rule)
    return tuple(
        replace(one, p_value=float(value), significant=case.abnormal and bool(value <= alpha + 1e-12))
        for one, value in zip(judged, p, strict=True)
    )


def control_sentence(calibration: Calibration) -> str:
    """What is guaranteed about the findings of one case together; empty where nothing is."""
    alpha = finding_level_alpha(calibration.rule)
    if calibration.control == "family-wise":
        meaning = "a typical healthy scan with this region alone in it would be called abnormal"
        if calibration.rule.name != "conformal":
            return f"A region is significant where {meaning} by the same rule, which guarantees no false-alarm rate."
        return (
            f"Family-wise control at {alpha:g}: a region is significant where {meaning}. No region scores higher than "
            f"its case, so at most {alpha:.0%} of healthy cases have any significant region."
        )
    if calibration.finding_scores is None:
        return ""
    return (
        f"False-discovery control at {alpha:g} (Benjamini-Hochberg) in abnormal cases: of the significant regions about "
        f"{alpha:.0%} or fewer are expected to be chance. The least p-value of a lone region among m is "
        f"m / {len(calibration.scores) + 1}."
    )


def judge_slices(scored: AnomalyMap, calibration: Calibration) -> tuple[SliceScore, ...]:
    """Each axial slice of a map on the model grid with its p-value; none where the calibration has no slices.

    Args:
        scored: the map.
        calibration: of the case's group.

    The guarantee: of the slices of new healthy subjects at most a share alpha has p <= alpha. It is not about
    the most striking slice of a case; that is what the case's own p-value with the summary "slice" tells.
    """
    if calibration.slice_scores is None:
        return ()
    means = scored.slice_means()
    known = np.flatnonzero(~np.isnan(means))
    p = nested_p_values(means[known], calibration.slice_scores)
    return tuple(SliceScore(int(k), float(means[k]), float(value)) for k, value in zip(known, p, strict=True))
