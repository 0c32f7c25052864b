"""The decision as a FHIR R4B `DiagnosticReport` that refers to the DICOM study; it holds nothing of the patient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sanum.core.findings import Finding
from sanum.core.records import NOTICE
from sanum.dicom import codes
from sanum.dicom.subject import Subject

UCUM = "http://unitsofmeasure.org"
SYSTEMS = {"UCUM": UCUM, "SCT": "http://snomed.info/sct", "LN": "http://loinc.org"}
OWN_SYSTEM = "urn:sanum:codes"
"""For words of our own, `codes.SCHEME` in DICOM."""

DICOM_UID, ANY_URI = "urn:dicom:uid", "urn:ietf:rfc:3986"
IMAGING = {"system": SYSTEMS["LN"], "code": "18748-4", "display": "Diagnostic imaging study"}
RADIOLOGY = {"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "RAD", "display": "Radiology"}
STATUS = "preliminary"
"""No person has looked at it."""


def diagnostic_report(subject: Subject, findings: Sequence[Finding]) -> dict[str, Any]:
    """The report as plain JSON, with one contained observation for the case and one a finding.

    Its identifier follows from the source, the model and the program, as those of the DICOM results do.

    Args:
        subject: the case.
        findings: those that are written as segments too.
    """
    observations = [_case(subject), *(_finding(one) for one in findings)]
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": ANY_URI, "value": f"urn:oid:{subject.uid('fhir')}"}],
        "status": STATUS,
        "category": [{"coding": [RADIOLOGY]}],
        "code": {"coding": [IMAGING]},
        "issued": subject.detection.provenance.created,
        "imagingStudy": [
            {
                "type": "ImagingStudy",
                "identifier": {"system": DICOM_UID, "value": f"urn:oid:{subject.study}"},
            }
        ],
        "result": [{"reference": f"#{one['id']}"} for one in observations],
        "conclusion": _conclusion(subject),
        "contained": [_device(subject), *observations],
    }


def _conclusion(subject: Subject) -> str:
    found = subject.detection
    decided = f"Not judged: {found.reason}" if found.status == "refused" else f"Decision: {found.status}."
    return " ".join([NOTICE, decided, *found.warnings])


def _device(subject: Subject) -> dict[str, Any]:
    told = subject.detection.provenance
    return {
        "resourceType": "Device",
        "id": "sanum",
        "manufacturer": "sanum",
        "deviceName": [{"name": told.model_name, "type": "model-name"}],
        "version": [{"value": f"sanum {told.version}"}, {"value": f"model_sha256={told.model_sha256}"}],
    }


def _case(subject: Subject) -> dict[str, Any]:
    found = subject.detection
    level = None if found.rule is None or found.score is None else found.rule.level
    values = (
        (codes.SCORE, found.score),
        (codes.THRESHOLD, found.threshold),
        (codes.P_VALUE, found.p_value),
        (codes.LEVEL, level),
    )
    return {
        **_observation("case", codes.DECISION),
        "valueCodeableConcept": _concept(codes.ours(found.status, found.status)),
        **_components([_quantity(name, value) for name, value in values if value is not None]),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    lps = [value * sign for value, sign in zip(finding.peak_mm, (-1.0, -1.0, 1.0), strict=True)]
    values = [
        _quantity(codes.VOLUME, finding.size, codes.MILLILITRE),
        _quantity(codes.PEAK, finding.peak_score),
        *(_quantity(name, value, codes.MILLIMETRE) for name, value in zip(codes.POSITION, lps, strict=True)),
    ]
    tested = ((codes.SCORE, finding.score), (codes.P_VALUE, finding.p_value))
    values += [_quantity(name, value) for name, value in tested if value is not None]
    significance = {
        "code": _concept(codes.SIGNIFICANT),
        "valueCodeableConcept": _concept(codes.SIGNIFICANCE[finding.significant]),
    }
    place = {"bodySite": {**_concept(codes.BRAIN), **({"text": finding.region} if finding.region else {})}}
    return {
        **_observation(f"finding-{finding.rank}", codes.DEPARTURE),
        **place,
        **_components([*values, significance]),
    }


def _observation(name: str, what: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": STATUS,
        "code": _concept(what),
        "device": {"reference": "#sanum"},
    }


def _components(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"component": parts} if parts else {}


def _quantity(name: Any, value: float, unit: Any = codes.NO_UNIT) -> dict[str, Any]:
    amount = {"value": float(f"{value:.6g}"), "system": UCUM, "code": unit.value}
    return {"code": _concept(name), "valueQuantity": amount}


def _concept(code: Any) -> dict[str, Any]:
    system = SYSTEMS.get(code.scheme_designator, OWN_SYSTEM)
    return {"coding": [{"system": system, "code": code.value, "display": code.meaning}]}
