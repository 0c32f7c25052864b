"""Audit messages after DICOM PS3.15 A.5, of the events that a listener has. People and studies stand under pseudonyms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, tostring

Code = tuple[str, str]
"""Code of the coding scheme DCM, and its meaning."""

Event = Literal["start", "stop", "begin", "transferred", "export", "import", "alert"]

EVENTS: dict[Event, tuple[Code, str, Code | None]] = {
    "start": (("110100", "Application Activity"), "E", ("110120", "Application Start")),
    "stop": (("110100", "Application Activity"), "E", ("110121", "Application Stop")),
    "begin": (("110102", "Begin Transferring DICOM Instances"), "E", None),
    "transferred": (("110104", "DICOM Instances Transferred"), "C", None),
    "export": (("110106", "Export"), "R", None),
    "import": (("110107", "Import"), "C", None),
    "alert": (("110113", "Security Alert"), "E", ("110126", "Node Authentication")),
}
"""Event, what was done (Create, Read, Execute), and the kind of event where there are several."""

APPLICATION, DESTINATION, SOURCE = ("110150", "Application"), ("110152", "Destination"), ("110153", "Source")
DESTINATION_MEDIA, SOURCE_MEDIA = ("110154", "Destination Media"), ("110155", "Source Media")
URI = ("110037", "URI")


@dataclass(frozen=True)
class Party:
    """Who takes part: an application by its AE title, or a service by its URI.

    Attributes:
        user: AE title or URI; the address where nothing else is known.
        role: of the codes above; None where the event has no roles.
        address: IP address; empty where none is known.
        asks: whether it began what happens.
    """

    user: str
    role: Code | None
    address: str = ""
    asks: bool = False


@dataclass(frozen=True)
class Subject:
    """What was transferred: instances of one study.

    Attributes:
        patient, study: pseudonyms, see `sanum.dicom.deidentify`.
        instances: how many.
    """

    patient: str
    study: str
    instances: int


def audit_message(
    event: Event, parties: Sequence[Party], subject: Subject | None, moment: str, *, failed: bool = False
) -> str:
    """One message, in one line.

    Args:
        event: what happened.
        parties: one or more.
        subject: of a transfer.
        moment: ISO 8601 with its zone.
        failed: whether it was turned away.
    """
    root = Element("AuditMessage")
    code, action, kind = EVENTS[event]
    outcome = "8" if failed else "0"
    facts = {"EventActionCode": action, "EventDateTime": moment, "EventOutcomeIndicator": outcome}
    identification = SubElement(root, "EventIdentification", facts)
    _code(identification, "EventID", code)
    if kind is not None:
        _code(identification, "EventTypeCode", kind)
    for party in parties:
        _party(root, party)
    source = SubElement(root, "AuditSourceIdentification", {"AuditSourceID": "sanum"})
    SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    if subject is not None:
        study = _object(root, subject.study, ("2", "3"), ("110180", "Study Instance UID"), "DCM")
        described = SubElement(study, "ParticipantObjectDescription")
        SubElement(described, "SOPClass", {"NumberOfInstances": str(subject.instances)})
        _object(root, subject.patient, ("1", "1"), ("2", "Patient Number"), "RFC-3881")
    return tostring(root, encoding="unicode")


def _party(root: Element, party: Party) -> None:
    facts = {"UserID": party.user, "UserIsRequestor": "true" if party.asks else "false"}
    if "://" not in party.user and party.user != party.address:
        facts["AlternativeUserID"] = f"AETITLES={party.user}"
    if party.address:
        facts |= {"NetworkAccessPointID": party.address, "NetworkAccessPointTypeCode": "2"}
    made = SubElement(root, "ActiveParticipant", facts)
    if party.role is not None:
        _code(made, "RoleIDCode", party.role)
    if party.role in (DESTINATION_MEDIA, SOURCE_MEDIA):
        _code(SubElement(made, "MediaIdentifier"), "MediaType", URI)


def _object(root: Element, name: str, kind_and_role: tuple[str, str], code: Code, scheme: str) -> Element:
    """The schema asks for a name; it is the pseudonym again."""
    kind, role = kind_and_role
    facts = {
        "ParticipantObjectID": name,
        "ParticipantObjectTypeCode": kind,
        "ParticipantObjectTypeCodeRole": role,
    }
    made = SubElement(root, "ParticipantObjectIdentification", facts)
    _code(made, "ParticipantObjectIDTypeCode", code, scheme)
    SubElement(made, "ParticipantObjectName").text = name
    return made


def _code(parent: Element, name: str, code: Code, scheme: str = "DCM") -> None:
    SubElement(parent, name, {"csd-code": code[0], "codeSystemName": scheme, "originalText": code[1]})
