"""How a series was acquired, as its headers tell; attributes of DICOM PS3.3 C.7.6.1, C.8.3 and C.8.13."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TAGS = (
    *("SOPClassUID", "ProtocolName", "SequenceName", "PulseSequenceName", "ScanningSequence"),
    *("MRAcquisitionType", "RepetitionTime", "ConvolutionKernel"),
)
"""What is read of a header for this alone."""

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
"""SOP class of pictures of a screen or of paper; its multi-frame forms go on from it."""


@dataclass(frozen=True)
class Acquisition:
    """What the headers say of the sequence; empty or None where they say nothing.

    Attributes:
        protocol: name of the protocol, as the scanner's operator or vendor wrote it.
        sequence: the vendor's name of the pulse sequence, lower case: "tfl3d1" is MPRAGE.
        techniques: of the classic header: "SE", "GR", "IR", "EP", …
        three_d: whether slices were acquired as one volume.
        repetition_ms: time between excitations.
        inversion_ms: time from the inversion pulse.
        kernel: of CT, how it was reconstructed, lower case.
        captured: a picture of a screen or of paper.
    """

    protocol: str = ""
    sequence: str = ""
    techniques: frozenset[str] = frozenset()
    three_d: bool | None = None
    repetition_ms: float | None = None
    inversion_ms: float | None = None
    kernel: str = ""
    captured: bool = False


def acquisition_of(told: Callable[[str, str], Any]) -> Acquisition:
    """Read it; `told(group, name)` looks in the functional groups of an enhanced file, then at its top."""
    dimensions = str(told("", "MRAcquisitionType") or "")
    return Acquisition(
        protocol=" ".join(str(told("", "ProtocolName") or "").split()),
        sequence=str(told("", "SequenceName") or told("", "PulseSequenceName") or "").lower().lstrip("*"),
        techniques=frozenset(texts(told("", "ScanningSequence"))),
        three_d={"3D": True, "2D": False}.get(dimensions),
        repetition_ms=positive(told("MRTimingAndRelatedParametersSequence", "RepetitionTime")),
        inversion_ms=positive(told("MRModifierSequence", "InversionTimes") or told("", "InversionTime")),
        kernel=" ".join(texts(told("", "ConvolutionKernel"))).lower(),
        captured=str(told("", "SOPClassUID") or "").startswith(SECONDARY_CAPTURE),
    )


def texts(value: Any) -> list[str]:
    """The values of an attribute as text; none where it is missing."""
    if value is None:
        return []
    return [str(value)] if isinstance(value, (str, int, float)) else [str(item) for item in value]


def positive(value: Any) -> float | None:
    """A number above 0, None where it is missing or makes no sense: such values only help to guess."""
    try:
        number = float(texts(value)[0])
    except (IndexError, ValueError):
        return None
    return number if math.isfinite(number) and number > 0 else None
