"""One decision over several modalities of a case that a detector judges one by one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sanum.calibration.judge import finding_level_alpha
from sanum.cohort.table import Row
from sanum.core.errors import CalibrationError, ScanError
from sanum.core.records import Finding, Scan
from sanum.formats import inspect_scan
from sanum.model import Model
from sanum.workflow.detection import CaseDetection

if TYPE_CHECKING:
    from sanum.workflow.one_head import OneHead

DetectOne = Callable[[Model, Row], CaseDetection]
Refuse = Callable[[Model, Row, Scan | None, str, float], CaseDetection]


def detect_each(model: Model, row: Row, detect_one: DetectOne, refused: Refuse) -> CaseDetection:
    """Judge each modality that the case has by itself, and fuse where there are several.

    Args:
        model: calibrated, judges each of its modalities.
        row: names the files.
        detect_one: judges a case of one modality by a model of one.
        refused: makes the detection of a case that can't be judged.
    """
    started = time.perf_counter()
    found: dict[str, CaseDetection] = {}
    for name in modalities_at_hand(row, model.takes):
        only = replace(row, scans={name: row.scans[name]})
        begun = time.perf_counter()
        try:
            narrow = model.suited_to(replace(model.preparation, modalities=(name,)))
        except CalibrationError as error:
            found[name] = refused(model, row, None, str(error), begun)
        else:
            found[name] = detect_one(narrow, only)
    if not found:
        has = f"{', '.join(row.scans)} only" if row.scans else "no scan"
        reason = (
            f"{row.case}: model {model.name} judges any of {', '.join(model.takes)}; the case has {has}; "
            "`sanum models` lists which model reads what"
        )
        return refused(model, row, None, reason, started)
    if len(found) == 1:
        return next(iter(found.values()))
    heads, unasked = asked_for_one_head(found)
    fused = fuse(found, finding_level_alpha(model.calibrated().rule), heads)
    return replace(fused, warnings=(*fused.warnings, *unasked))


def modalities_at_hand(row: Row, wanted: Sequence[str]) -> tuple[str, ...]:
    """Those of the wanted modalities that a case has.

    A DICOM study may stand for all of them; then those count that one of its series shows or is taken for. Where none
    does, or the study can't be read, the first stays, so that the reason is told once.
    """
    named = tuple(name for name in wanted if name in row.scans)
    if len(named) < 2 or len({row.scans[name] for name in named}) > 1:
        return named
    try:
        listed = inspect_scan(row.scans[named[0]]).get("series")
    except ScanError:
        return named[:1]
    if listed is None:
        return named
    shown = {name for series in listed for name in (series["modality"], *series.get("taken_for", ()))}
    return tuple(name for name in named if name in shown) or named[:1]


def asked_for_one_head(
    by_modality: Mapping[str, CaseDetection],
) -> tuple[tuple[OneHead, ...], tuple[str, ...]]:
    """Whether CT and each judged sequence beside it show one head, and why that could not be asked."""
    scans = {
        name: one.scan
        for name, one in by_modality.items()
        if one.status != "refused" and one.scan is not None and not one.is_image
    }
    ct = scans.pop("CT", None)
    if ct is None or not scans:
        return (), ()
    from sanum.workflow.one_head import one_head

    heads, unasked = [], []
    for name, scan in scans.items():
        try:
            found = one_head(ct, replace(scan, modality=name))
        except ScanError as error:
            unasked.append(f"Whether CT and {name} are of one head could not be told: {error}")
        else:
            heads += [] if found is None else [found]
    return tuple(heads), tuple(unasked)


def fuse(
    by_modality: Mapping[str, CaseDetection], level: float, heads: Sequence[OneHead] = ()
) -> CaseDetection:
    """The detection of the modality with the most evidence, decided over all of them.

    The case's p-value is the least one times the number of modalities that could be judged (Bonferroni), so that its
    false-alarm rate is at most the level whatever the modalities share. Scans that do not seem to be of one head make
    it abnormal whatever they show, at a level of their own that adds a thousandth a pair.

    Args:
        by_modality: the detection of each modality by itself, one or more.
        level: at or below which a p-value is abnormal.
        heads: whether CT and what stands beside it show one head.
    """
    judged = {name: one for name, one in by_modality.items() if one.status != "refused"}
    if not judged:
        first = next(iter(by_modality.values()))
        reasons = "; ".join(f"{name}: {one.reason}" for name, one in by_modality.items())
        return replace(first, reason=reasons)
    leading = min(judged, key=lambda name: (_p(judged[name]), -_excess(judged[name])))
    best = judged[leading]
    p = min(1.0, _p(best) * len(judged))
    others = tuple(_sentence(name, one) for name, one in by_modality.items() if name != leading)
    warned = [text for one in (best, *judged.values()) for text in one.warnings]
    count = len(judged)
    rest = (
        f", the modality with the most evidence of {count}; p is its own times {count}" if count > 1 else ""
    )
    decided = f"Judged by {leading}{rest}."
    doubted = [one for one in heads if one.doubted]
    told = [one.sentence() for one in heads if not one.doubted]
    return replace(
        best,
        status="abnormal" if doubted or p <= level + 1e-12 else "normal",
        p_value=min([p, *(one.p_value for one in doubted)]),
        findings=tuple(_of_several(one, leading, count, level) for one in best.findings),
        warnings=(*(one.sentence() for one in doubted), decided, *others, *told, *dict.fromkeys(warned)),
        rate_guaranteed=not doubted and all(one.rate_guaranteed for one in judged.values()),
    )


def _p(one: CaseDetection) -> float:
    """A rule without p-values says no more than abnormal or normal."""
    if one.p_value is not None:
        return one.p_value
    return 0.0 if one.status == "abnormal" else 1.0


def _excess(one: CaseDetection) -> float:
    assert one.score is not None
    return one.score / one.threshold if one.threshold else one.score


def _of_several(finding: Finding, modality: str, count: int, level: float) -> Finding:
    """Its p-value grows as the case's does, so that no finding is significant in a case that is normal."""
    if finding.p_value is None:
        return replace(finding, modality=modality)
    p = min(1.0, finding.p_value * count)
    significant = finding.significant is True and p <= level + 1e-12
    return replace(finding, modality=modality, p_value=p, significant=significant)


def _sentence(name: str, one: CaseDetection) -> str:
    if one.status == "refused":
        return f"{name}: refused, because {one.reason}"
    p = "" if one.p_value is None else f", p = {one.p_value:.3g}"
    return f"{name} by itself: {one.status}{p}."
