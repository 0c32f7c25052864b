"""From a detector's opinion of a prepared case to the decision, with the findings and what stands behind each."""

from __future__ import annotations

from dataclasses import replace

from sanum.calibration.explain import with_healthy_place, with_members
from sanum.calibration.findings import Regions, find_regions, finding_level, map_scale
from sanum.calibration.groups import ReferenceGroup
from sanum.calibration.judge import control_sentence, judge_findings, judge_slices
from sanum.calibration.rules import decide_within
from sanum.core.records import Finding, Prepared, Provenance
from sanum.detectors.base import Opinion
from sanum.prepare.way_back import labels_to_model, to_native
from sanum.workflow.detection import CaseDetection
from sanum.workflow.fluid import in_fluid


def decide_case(
    opinion: Opinion,
    prepared: Prepared,
    healthy: ReferenceGroup,
    provenance: Provenance,
    *,
    on_template: bool,
) -> CaseDetection:
    """Compare a case with healthy subjects.

    Args:
        opinion: of the detector.
        prepared: the case that it is about.
        healthy: with whom it is compared.
        provenance: of the detection.
        on_template: places of the case mean the same as in the healthy subjects.

    Raises:
        CalibrationError: the rule asks more than the healthy subjects support.
        GeometryError: the map has no voxel inside the mask on the scan's own grid.
    """
    calibration = healthy.calibration
    score = opinion.map.summary(calibration.summary)
    native = to_native(opinion.map, prepared)
    native.inside()
    decision = decide_within(score, healthy)
    regions = find_regions(native, finding_level(calibration), is_image=prepared.is_image)
    on_model = Regions(regions.findings, labels_to_model(regions.labels, prepared))
    return CaseDetection(
        case=prepared.case,
        status="abnormal" if decision.abnormal else "normal",
        provenance=provenance,
        score=score,
        threshold=decision.threshold,
        p_value=decision.p_value,
        rule=calibration.rule,
        findings=tuple(
            _explained(one, opinion, prepared, healthy, on_template)
            for one in judge_findings(on_model, opinion.map, healthy)
        ),
        anomaly_map=native,
        map_scale=map_scale(calibration),
        is_image=prepared.is_image,
        slices=judge_slices(opinion.map, calibration),
        finding_control=control_sentence(calibration),
        healthy_group=decision.healthy_group,
        healthy_count=decision.healthy_count,
        healthy_as_high=decision.healthy_as_high,
        warnings=(decision.warning, *opinion.warnings) if decision.warning else opinion.warnings,
        rate_guaranteed=calibration.rule.name == "conformal" and not decision.warning,
        labels=regions.labels,
    )


def _explained(
    one: Finding, opinion: Opinion, prepared: Prepared, healthy: ReferenceGroup, on_template: bool
) -> Finding:
    """The finding with what members say of it; on the template also what is near and what healthy maps show there."""
    from sanum.report.regions import region_name

    i, j, k = (float(value) for value in (prepared.to_model @ [*one.peak_mm, 1.0])[:3])
    one = with_members(one, (i, j, k), prepared.grid, opinion.members)
    if not on_template:
        return one
    one = with_healthy_place(one, (i, j, k), prepared.grid, healthy.calibration)
    region = region_name((i, j, k), fluid=in_fluid(one, (i, j, k), prepared))
    return replace(one, region=region, mni_mm=(round(i, 1), round(j, 1), round(k, 1)))
