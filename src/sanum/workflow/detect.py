"""One scan in, one decision out, with everything a person needs to check it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import sanum
from sanum.calibration.explain import with_healthy_place, with_members
from sanum.calibration.findings import Regions, find_regions, finding_level, map_scale
from sanum.calibration.groups import Person
from sanum.calibration.judge import control_sentence, finding_level_alpha, judge_findings, judge_slices
from sanum.calibration.rules import decide
from sanum.cohort.table import Row
from sanum.core.errors import CalibrationError, ScanError
from sanum.core.modalities import AnyOf
from sanum.core.records import Calibration, Finding, MemberMap, Prepared, Provenance, Scan
from sanum.model import Model
from sanum.prepare.contrast import contrast_warnings
from sanum.prepare.presets import Preparation, Template
from sanum.prepare.way_back import labels_to_model, reconstruction_to_native, to_native
from sanum.workflow.detection import CaseDetection as CaseDetection
from sanum.workflow.disagreement import (
    made_warning,
    named,
    pair_warnings,
    sides,
    single_modality,
    single_modality_warning,
)
from sanum.workflow.fluid import in_fluid
from sanum.workflow.prepare import prepare_scans, read_row


def _quiet(stage: str) -> None:
    del stage


def detect(
    model: Model, row: Row, *, on_stage: Callable[[str], None] = _quiet, reconstruct: bool = True
) -> CaseDetection:
    """Judge one case. A scan that can't be judged is refused with the reason, never called normal.

    Args:
        model: calibrated.
        row: names the files.
        on_stage: told what comes next: "reading", "preparing", "scoring", "deciding".
        reconstruct: rebuild the scan as it would look in health too, where the detector can.

    Raises:
        CalibrationError: the model is not calibrated.
    """
    model.calibrated()
    if isinstance(model.takes, AnyOf):
        return _detect_any(model, row, on_stage, reconstruct)
    who = Person(row.site, row.age, row.sex)
    started = time.perf_counter()
    scan: Scan | None = None
    try:
        on_stage("reading")
        present = usable_modalities(model, row)
        files = read_row(row, present)
        scan = files.scans.get(present[0])
        on_stage("preparing")
        _require_input_kind(model, scan)
        preparation = replace(model.preparation, modalities=present)
        prepared = prepare_scans(files, preparation)
        only = single_modality(model, present)
        calibration = model.calibrated(only)
        on_stage("scoring")
        scored, members = model.detector.score_with_members(prepared)
        restored = model.detector.restored(prepared) if reconstruct else None
        on_stage("deciding")
        score = scored.summary(calibration.summary)
        native = to_native(scored, prepared)
        native.inside()
        decision = decide(score, calibration, who)
        regions = find_regions(native, finding_level(calibration), is_image=prepared.is_image)
        on_model = Regions(regions.findings, labels_to_model(regions.labels, prepared))
        found = judge_findings(on_model, scored, calibration, who)
    except (ScanError, CalibrationError) as error:
        return refused(model, row, scan, str(error), started)
    doubts = (*contrast_warnings(prepared.steps), *_warnings(decision.warning, model, present))
    return CaseDetection(
        case=row.case,
        status="abnormal" if decision.abnormal else "normal",
        provenance=_provenance(model, started, prepared),
        score=score,
        threshold=decision.threshold,
        p_value=decision.p_value,
        rule=calibration.rule,
        findings=named(
            _explained(found, prepared, model.preparation, calibration, who, members), scored, prepared
        ),
        anomaly_map=native,
        map_scale=map_scale(calibration),
        is_image=prepared.is_image,
        modality=present[0],
        slices=judge_slices(scored, calibration, who),
        finding_control=control_sentence(calibration),
        healthy_group=decision.healthy_group,
        healthy_count=decision.healthy_count,
        healthy_as_high=decision.healthy_as_high,
        warnings=(*doubts, *pair_warnings(scored)),
        rate_guaranteed=not doubts,
        restored=None
        if restored is None or scan is None
        else reconstruction_to_native(restored, prepared, preparation, scan),
        scan=scan,
        card=model.card,
        sides=sides(files.scans, prepared, scored),
        labels=regions.labels,
    )


def _detect_any(model: Model, row: Row, on_stage: Callable[[str], None], reconstruct: bool) -> CaseDetection:
    """Judge each modality that the case has by itself, and fuse where there are several."""
    from sanum.workflow.each_modality import fuse, modalities_at_hand

    found = {
        name: _detect_one_modality(model, row, name, on_stage, reconstruct)
        for name in modalities_at_hand(row, model.takes)
    }
    if not found:
        lacking = f"{row.case}: model {model.name} judges any of {', '.join(model.takes)}; the case has "
        reason = lacking + (f"{', '.join(row.scans)} only" if row.scans else "no scan")
        return refused(model, row, None, reason, time.perf_counter())
    if len(found) == 1:
        return next(iter(found.values()))
    return fuse(found, finding_level_alpha(model.calibrated().rule))


def _detect_one_modality(
    model: Model, row: Row, name: str, on_stage: Callable[[str], None], reconstruct: bool
) -> CaseDetection:
    started = time.perf_counter()
    try:
        narrow = model.suited_to(replace(model.preparation, modalities=(name,)))
    except CalibrationError as error:
        return refused(model, row, None, str(error), started)
    only = replace(row, scans={name: row.scans[name]})
    return detect(narrow, only, on_stage=on_stage, reconstruct=reconstruct)


def usable_modalities(model: Model, row: Row) -> tuple[str, ...]:
    """The modalities of a row that a model can judge it by: all it takes, or fewer where it was trained so.

    The first one is always needed, because masks and registration lie on its grid; but for a single one that the
    detector judges alone.
    """
    wanted = model.preparation.modalities
    here = tuple(name for name in wanted if name in row.scans)
    if single_modality(model, here):
        return here
    if not model.detector.takes_missing or wanted[0] not in row.scans:
        return wanted
    return here


def _warnings(given: str, model: Model, present: tuple[str, ...]) -> tuple[str, ...]:
    lacking = [name for name in model.preparation.modalities if name not in present]
    without = (
        f"judged without {', '.join(lacking)}: the healthy scores it is compared with had all modalities, so the "
        "guarantee about false alarms does not hold"
    )
    by_itself = single_modality_warning(model, present) or made_warning(model)
    return tuple(text for text in (given, by_itself or (without if lacking else "")) if text)


def _explained(
    found: tuple[Finding, ...],
    prepared: Prepared,
    preparation: Preparation,
    calibration: Calibration,
    who: Person,
    members: Sequence[MemberMap],
) -> tuple[Finding, ...]:
    """Findings with what members say of them; on the template also what is near and what healthy maps show there."""
    from sanum.report.regions import region_name

    explained = []
    for one in found:
        i, j, k = (float(value) for value in (prepared.to_model @ [*one.peak_mm, 1.0])[:3])
        one = with_members(one, (i, j, k), prepared.grid, members)
        if isinstance(preparation, Template):
            one = with_healthy_place(one, (i, j, k), prepared.grid, calibration, who)
            mni = (round(i, 1), round(j, 1), round(k, 1))
            region = region_name((i, j, k), fluid=in_fluid(one, (i, j, k), prepared))
            one = replace(one, region=region, mni_mm=mni)
        explained.append(one)
    return tuple(explained)


def _require_input_kind(model: Model, scan: Scan | None) -> None:
    """Healthy scores of volumes say nothing about a picture's score, nor the other way round."""
    learned = model.facts.get("input")
    if scan is None or learned is None:
        return
    shown = "image" if scan.is_image else "volume"
    if shown != learned:
        raise ScanError(
            f"{scan.source.path}: a {_KINDS[shown]}, but model {model.name} was trained and calibrated on "
            f"{_KINDS[learned]}s"
        )


_KINDS = {"image": "2D image", "volume": "3D volume"}


def refused(model: Model, row: Row, scan: Scan | None, reason: str, started: float) -> CaseDetection:
    """A case that was not judged, and why; `started` by `time.perf_counter`."""
    return CaseDetection(
        case=row.case,
        status="refused",
        reason=reason,
        provenance=_provenance(model, started, None),
        is_image=scan is not None and scan.is_image,
        scan=scan,
        card=model.card,
    )


def _provenance(model: Model, started: float, prepared: Prepared | None) -> Provenance:
    return Provenance(
        model_name=model.name,
        model_sha256=model.sha256,
        detector=model.detector.name,
        version=sanum.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 3),
        sources=() if prepared is None else prepared.sources,
        steps=() if prepared is None else prepared.steps,
    )
