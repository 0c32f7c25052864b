"""The decision and its findings as a structured report after DICOM PS3.16, template 1500."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from highdicom import sr
from pydicom.sr.codedict import codes as standard

from sanum.core.findings import Finding
from sanum.core.records import NOTICE
from sanum.dicom import codes
from sanum.dicom.image_results import tracking_uid
from sanum.dicom.subject import Subject

RAS_TO_LPS = (-1.0, -1.0, 1.0)


def measurements(subject: Subject, findings: Sequence[Finding], segmented: Any | None) -> Any:
    """The report: one group for the case, one a finding.

    Args:
        subject: the case.
        findings: those to write.
        segmented: the segmentation with these findings in this order; None where there is none.
    """
    groups: list[Any] = [_case_group(subject)]
    if segmented is not None:
        groups += [_finding_group(subject, one, segmented, n) for n, one in enumerate(findings, start=1)]
    report = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=_device(subject)),
        procedure_reported=codes.PROCEDURES.get(subject.headers[0].get("Modality"), codes.PROCEDURES["MR"]),
        imaging_measurements=groups,
    )
    for text in _comments(subject):
        report[0].ContentSequence.append(sr.TextContentItem(codes.COMMENT, text, "CONTAINS"))
    made = sr.Comprehensive3DSR(
        evidence=[*subject.headers, *([] if segmented is None else [segmented])],
        content=report[0],
        is_complete=True,
        **subject.series("measurements"),
        **subject.device,
    )
    return subject.finish(made)


def _device(subject: Subject) -> sr.ObserverContext:
    told = subject.detection.provenance
    return sr.ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=sr.DeviceObserverIdentifyingAttributes(
            uid=subject.uid("device"),
            name="sanum",
            manufacturer_name="sanum",
            model_name=told.model_name,
            serial_number=told.model_sha256,
        ),
    )


def _algorithm(subject: Subject) -> sr.AlgorithmIdentification:
    told = subject.detection.provenance
    return sr.AlgorithmIdentification(
        told.model_name, f"sanum {told.version}", parameters=[f"model_sha256={told.model_sha256}"]
    )


def _case_group(subject: Subject) -> sr.MeasurementsAndQualitativeEvaluations:
    found = subject.detection
    values = [
        (codes.SCORE, found.score),
        (codes.THRESHOLD, found.threshold),
        (codes.P_VALUE, found.p_value),
        (codes.LEVEL, None if found.rule is None or found.score is None else found.rule.level),
    ]
    answers = [sr.QualitativeEvaluation(codes.DECISION, codes.ours(found.status, found.status))]
    if found.rule is not None:
        answers.append(sr.QualitativeEvaluation(codes.RULE, codes.ours(found.rule.name, found.rule.name)))
    return sr.MeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(subject.uid("case"), "Whole scan"),
        finding_type=codes.DEPARTURE,
        algorithm_id=_algorithm(subject),
        finding_sites=[sr.FindingSite(codes.BRAIN)],
        measurements=[_measured(name, value) for name, value in values if value is not None],
        qualitative_evaluations=answers,
    )


def _finding_group(
    subject: Subject, finding: Finding, segmented: Any, number: int
) -> sr.VolumetricROIMeasurementsAndQualitativeEvaluations:
    lps = [value * sign for value, sign in zip(finding.peak_mm, RAS_TO_LPS, strict=True)]
    values = [
        _measured(codes.VOLUME, finding.size, codes.MILLILITRE),
        _measured(codes.PEAK, finding.peak_score, codes.SURPRISE),
        _measured(codes.MEAN, finding.mean_score, codes.SURPRISE),
        *(_measured(name, value, codes.MILLIMETRE) for name, value in zip(codes.POSITION, lps, strict=True)),
    ]
    if finding.mni_mm is not None:
        places = zip(codes.MNI_POSITION, finding.mni_mm, strict=True)
        values += [_measured(name, value, codes.MILLIMETRE) for name, value in places]
    tested = ((codes.SCORE, finding.score), (codes.P_VALUE, finding.p_value))
    values += [_measured(name, value) for name, value in tested if value is not None]
    label = f"Finding {finding.rank}{', ' + finding.region if finding.region else ''}"
    first = subject.headers[0]
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        sr.TrackingIdentifier(tracking_uid(subject, finding), label[:64]),
        referenced_segment=sr.ReferencedSegment(
            segmented.SOPClassUID,
            segmented.SOPInstanceUID,
            number,
            source_series=sr.SourceSeriesForSegmentation(first.SeriesInstanceUID),
        ),
        finding_type=codes.DEPARTURE,
        algorithm_id=_algorithm(subject),
        finding_sites=[sr.FindingSite(codes.BRAIN)],
        measurements=values,
        qualitative_evaluations=[
            sr.QualitativeEvaluation(codes.SIGNIFICANT, codes.SIGNIFICANCE[finding.significant])
        ],
    )


def _measured(name: Any, value: float, unit: Any = codes.NO_UNIT) -> sr.Measurement:
    return sr.Measurement(name, float(f"{value:.6g}"), unit)


def _comments(subject: Subject) -> list[str]:
    found = subject.detection
    reason = [f"Not judged: {found.reason}"] if found.status == "refused" else []
    return [NOTICE, *reason, *found.warnings]
