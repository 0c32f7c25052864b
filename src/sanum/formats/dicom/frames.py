"""One DICOM file to its frames: what the headers say of each, without a pixel.

Attributes are those of DICOM PS3.3; an enhanced file tells them in its functional groups, once for all
frames or frame by frame, where a classic file tells them at its top.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sanum.core.errors import ScanError
from sanum.formats.dicom.acquisition import TAGS as ACQUISITION_TAGS
from sanum.formats.dicom.acquisition import Acquisition, acquisition_of, texts

DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax whose whole header is compressed without a size: refused, it could fill the memory."""

TAGS = (
    *ACQUISITION_TAGS,
    *("StudyInstanceUID", "SOPInstanceUID", "SeriesInstanceUID"),
    *("SeriesNumber", "SeriesDescription", "Modality", "ImageType"),
    *("PatientID", "PatientName", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "BitsAllocated"),
    *("PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient", "SliceThickness"),
    *("RescaleSlope", "RescaleIntercept", "ContrastBolusAgent", "EchoTime", "InversionTime", "TriggerTime"),
    *("TemporalPositionIdentifier", "AcquisitionNumber", "DiffusionBValue", "PhotometricInterpretation"),
    *("DimensionIndexSequence", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
"""All that is read of a header; the patient's ID and name only to tell two patients apart."""

IN_STACK_POSITION = 0x00209057
POSITION = 0x00200032


@dataclass(frozen=True)
class Frame:
    """One slice.

    Attributes:
        source: index of its file.
        index: of the frame in the file.
        uid: SOP instance UID of the file.
        shape: columns, rows.
        spacing: mm between columns, between rows.
        position: LPS mm of the first pixel's centre; None where the file does not say.
        along: unit vectors along a row and down a column, six numbers, LPS.
        thickness: mm; 0 where the file does not say.
        slope: stored value times slope plus intercept is the value.
        intercept: see slope; None where the file does not say either.
        labels: what may tell it from a frame at the same place: echo, time, kind, …
    """

    source: int
    index: int
    uid: str
    shape: tuple[int, int]
    spacing: tuple[float, float] | None
    position: tuple[float, ...] | None
    along: tuple[float, ...] | None
    thickness: float
    slope: float
    intercept: float | None
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Head:
    """One file: which series, study and patient it belongs to, and its frames. `fault` says why it is no slice."""

    series: str
    study: str
    number: str
    description: str
    modality: str
    contrast_agent: bool
    patient: str
    frames: tuple[Frame, ...]
    acquisition: Acquisition
    fault: str = ""


def read_head(path: Path, stream: BinaryIO, source: int) -> Head | None:
    """Read the header of one file; None where it is no DICOM, or a DICOM without a picture.

    Raises:
        ScanError: damaged or cut short; names the source only, because member names may tell the patient's.
    """
    if stream.read(132)[128:] != b"DICM":
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values, which may be names
        try:
            dataset = _dataset(path, stream)
            if not _is_picture(dataset):
                return None
            return _head(dataset, source)
        except ScanError:
            raise
        except Exception as error:  # on damaged files pydicom raises errors of any type
            raise ScanError(
                f"{path}: a DICOM file in it is damaged or cut short ({type(error).__name__}); copy it again"
            ) from error


def _dataset(path: Path, stream: BinaryIO) -> Any:
    from pydicom import dcmread
    from pydicom.filereader import read_dataset

    meta = read_dataset(stream, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") == DEFLATED:
        raise ScanError(f"{path}: deflated DICOM is not read; export it in another transfer syntax")
    stream.seek(0)
    return dcmread(stream, stop_before_pixels=True, specific_tags=list(TAGS))


def _is_picture(dataset: Any) -> bool:
    """Whether a file holds a picture; an image class without a size was cut short."""
    if "Rows" in dataset and "Columns" in dataset:
        return True
    if dataset.file_meta.MediaStorageSOPClassUID.name.endswith(("MR Image Storage", "CT Image Storage")):
        raise ValueError("no size")
    return False


def _head(dataset: Any, source: int) -> Head:
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = (dataset.get("SharedFunctionalGroupsSequence") or [None])[0]
    count = int(dataset.get("NumberOfFrames") or 1)
    groups = list(per_frame) if per_frame else [None]
    fault = ""
    if count != len(groups):
        fault = f"{count} frames, but positions of {len(groups)}"
    elif int(dataset.get("SamplesPerPixel") or 1) != 1:
        fault = "colour"
    elif "MOSAIC" in texts(dataset.get("ImageType")):
        fault = "a mosaic, all slices in one picture; export it as single slices"
    pointers = [int(item.DimensionIndexPointer) for item in dataset.get("DimensionIndexSequence") or []]
    return Head(
        series=str(dataset.get("SeriesInstanceUID") or ""),
        study=str(dataset.get("StudyInstanceUID") or ""),
        number=str(dataset.get("SeriesNumber") or ""),
        description=" ".join(str(dataset.get("SeriesDescription") or "").split()),
        modality=str(dataset.get("Modality") or ""),
        contrast_agent=bool(str(dataset.get("ContrastBolusAgent") or "").strip()),
        patient=_patient(dataset),
        frames=tuple(
            _frame(_Told(dataset, shared, group), source, index, pointers)
            for index, group in enumerate(groups)
        ),
        acquisition=acquisition_of(_Told(dataset, shared, groups[0])),
        fault=fault,
    )


def _patient(dataset: Any) -> str:
    """Tells two patients apart, and is never shown."""
    return str(dataset.get("PatientID") or dataset.get("PatientName") or "")


class _Told:
    """Attributes of one frame: from its own groups, else from the shared ones, else from the top."""

    def __init__(self, top: Any, shared: Any, own: Any) -> None:
        self.top, self.shared, self.own = top, shared, own

    def __call__(self, group: str, name: str) -> Any:
        for place in (self.own, self.shared):
            items = None if place is None else place.get(group)
            if items and name in items[0]:
                return items[0].get(name)
        return self.top.get(name)


def _frame(told: _Told, source: int, index: int, pointers: list[int]) -> Frame:
    spacing = _numbers(told("PixelMeasuresSequence", "PixelSpacing"), 2)
    slope = told("PixelValueTransformationSequence", "RescaleSlope")
    intercept = told("PixelValueTransformationSequence", "RescaleIntercept")
    return Frame(
        source,
        index,
        str(told.top.get("SOPInstanceUID") or source),
        (int(told.top.Columns), int(told.top.Rows)),
        None if spacing is None else (spacing[1], spacing[0]),
        _numbers(told("PlanePositionSequence", "ImagePositionPatient"), 3),
        _numbers(told("PlaneOrientationSequence", "ImageOrientationPatient"), 6),
        _finite(told("PixelMeasuresSequence", "SliceThickness") or 0.0),
        1.0 if slope is None else _finite(slope),
        None if intercept is None else _finite(intercept),
        _labels(told, pointers),
    )


def _labels(told: _Told, pointers: list[int]) -> tuple[tuple[str, str], ...]:
    values = told("FrameContentSequence", "DimensionIndexValues")
    indices = [values] if isinstance(values, int) else list(values or [])
    places = (IN_STACK_POSITION, POSITION)
    others = [str(value) for pointer, value in zip(pointers, indices, strict=False) if pointer not in places]
    named = {
        "stack": told("FrameContentSequence", "StackID"),
        "kind": told("MRImageFrameTypeSequence", "ComplexImageComponent"),
        "type": told("MRImageFrameTypeSequence", "FrameType")
        or told("CTImageFrameTypeSequence", "FrameType"),
        "image type": told.top.get("ImageType"),
        "echo time": told("MREchoSequence", "EffectiveEchoTime"),
        "classic echo time": told.top.get("EchoTime"),
        "inversion time": told.top.get("InversionTime"),
        "b-value": told("MRDiffusionSequence", "DiffusionBValue"),
        "time": told("FrameContentSequence", "TemporalPositionIndex"),
        "classic time": told.top.get("TemporalPositionIdentifier"),
        "trigger time": told.top.get("TriggerTime"),
        "acquisition": told.top.get("AcquisitionNumber"),
        "dimensions": others or None,
    }
    return tuple((name, "/".join(texts(value))) for name, value in named.items() if value is not None)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    return None if value is None or len(value) != count else tuple(_finite(item) for item in value)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("NaN or infinity in the header")
    return number
