"""The decision in words. Careful ones: a normal result is no bill of health, and a refusal is neither."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sanum.core.errors import CalibrationError
from sanum.core.findings import Finding
from sanum.core.records import Detection


@dataclass(frozen=True)
class Verdict:
    """What stands on top of a report.

    Attributes:
        headline: the decision, a few words.
        sentence: what it means and what it does not.
        symbol: a mark beside the headline, so that colour is never the only sign.
    """

    headline: str
    sentence: str
    symbol: str


def verdict(detection: Detection) -> Verdict:
    """The decision in words.

    Raises:
        CalibrationError: a decision without a score; it must not look like a normal one.
    """
    if detection.status == "refused":
        return Verdict(
            "No decision: the scan could not be judged",
            f"Reason: {detection.reason or 'none was recorded'}. This says nothing about the brain itself.",
            "–",
        )
    if detection.score is None or detection.threshold is None or detection.score != detection.score:
        raise CalibrationError(f"{detection.case}: status {detection.status!r} without a score and threshold")
    if detection.status == "abnormal":
        return Verdict("Abnormal: departs from the healthy reference", _regions(detection), "▲")
    return Verdict(
        "No departure from the healthy reference found at this rule",
        "This does not show that the scan is healthy: a change that the model can't see is not found.",
        "○",
    )


def _regions(detection: Detection) -> str:
    count = len(detection.findings)
    if count == 0:
        return "The score is above the threshold, though no single region stands out."
    named = "One region stands" if count == 1 else f"{count} regions stand"
    ending = _significance(_significant(detection), count) if findings_are_tested(detection) else ""
    return f"The score is above the threshold. {named} out above the healthy level{ending}; see the findings."


def _significance(significant: int, count: int) -> str:
    if count == 1:
        return ", significantly" if significant else ", but not significantly by itself"
    if significant == 0:
        return ", none of them significantly by itself: together they raise the score"
    how_many = {1: "one", count: "all"}.get(significant, str(significant))
    return f", {how_many} of them significantly"


def findings_are_tested(detection: Detection) -> bool:
    """Whether the calibration gave findings their own p-values."""
    return any(finding.p_value is not None for finding in detection.findings)


def _significant(detection: Detection) -> int:
    return sum(finding.significant is True for finding in detection.findings)


def finding_sentence(finding: Finding) -> str:
    """What stands behind a finding: healthy maps at its place, members of an ensemble; empty where none is known."""
    return " ".join(part for part in (_beside_healthy(finding), _members(finding)) if part)


def _beside_healthy(finding: Finding) -> str:
    if finding.healthy_mean is None:
        return ""
    if finding.healthy_as_high == 0:
        return f"Its peak lies beyond all {len(finding.healthy_peaks)} healthy subjects nearby."
    said = []
    if finding.deviations is not None:
        side = "above" if finding.deviations >= 0 else "below"
        said.append(
            f"its peak lies {abs(finding.deviations):.1f} standard deviations {side} the healthy mean there"
        )
    if finding.healthy_as_high is not None:
        reach = "reaches" if finding.healthy_as_high == 1 else "reach"
        said.append(
            f"{finding.healthy_as_high} of {len(finding.healthy_peaks)} healthy subjects {reach} it nearby"
        )
    sentence = "; ".join(said)
    return f"{sentence[:1].upper()}{sentence[1:]}." if sentence else ""


def _members(finding: Finding) -> str:
    if not finding.members:
        return ""
    agree = [one.name for one in finding.members if one.agrees]
    others = [one.name for one in finding.members if not one.agrees]
    said = f"{len(agree)} of {len(finding.members)} members would find it alone"
    return f"{said}: {', '.join(agree) or 'none'}" + (f"; not {', '.join(others)}." if others else ".")


def p_value_sentence(detection: Detection, card: Mapping[str, Any]) -> str:
    """What the conformal p-value counts: p = (1 + number of healthy scores as high) / (healthy + 1)."""
    if detection.p_value is None:
        return ""
    whose = f" of group {detection.healthy_group}" if detection.healthy_group else ""
    healthy, as_high = detection.healthy_count, detection.healthy_as_high
    if (healthy is None or as_high is None) and not whose and (healthy := healthy_count(card)) is not None:
        as_high = round(detection.p_value * (healthy + 1)) - 1
    if healthy is None or as_high is None:
        return f"Share of healthy reference scans{whose} that score as high, this one counted in."
    scored = "scored" if as_high != 1 else "scan scored"
    least = "" if as_high else f" p = {detection.p_value:.3f} is the least that so few can give."
    return f"Of {healthy} healthy reference scans{whose}, {as_high} {scored} as high.{least}"


def rule_sentence(detection: Detection) -> str:
    """The rule and what it guarantees."""
    rule = detection.rule
    if rule is None:
        return "not recorded"
    if rule.name == "mean+3std":
        return (
            f"Score above mean + {rule.level:g} standard deviations of the healthy reference scores. "
            "The classic rule: it makes no guarantee about false alarms."
        )
    if rule.name == "quantile":
        return (
            f"Score above the {rule.level:g} quantile of the healthy reference scores. "
            "An estimate from the reference: it makes no guarantee about false alarms."
        )
    if not detection.rate_guaranteed:
        return (
            f"Split-conformal p-value of at most {rule.level:g}. No rate of false alarms is guaranteed here: the warning "
            "above says why."
        )
    return (
        f"Split-conformal p-value of at most {rule.level:g}. Guarantee: on average at most "
        f"{100 * rule.level:g} in 100 healthy scans are called abnormal, as long as they are exchangeable with "
        "the reference (same kind of people, scanner and sequence). It guarantees nothing about missed lesions."
    )


def healthy_count(card: Mapping[str, Any]) -> int | None:
    """Number of healthy subjects the decision was calibrated on, from the model card."""
    calibration = card.get("calibration")
    count = calibration.get("subjects") if isinstance(calibration, Mapping) else None
    return count if isinstance(count, int) else None
