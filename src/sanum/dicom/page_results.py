"""Results that any PACS shows: pages as secondary captures, and the report as an encapsulated PDF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from highdicom.sc import SCImage
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian

from sanum.dicom.subject import PATIENT_AND_STUDY, Subject


def pages(subject: Subject, pictures: Sequence[NDArray[np.uint8]]) -> list[Any]:
    """One secondary capture a picture (rows, columns, 3) RGB, in the order given."""
    return [_page(subject, number, picture) for number, picture in enumerate(pictures, start=1)]


def _page(subject: Subject, number: int, picture: NDArray[np.uint8]) -> Any:
    made = SCImage.from_ref_dataset(
        subject.headers[0],
        picture,
        "RGB",
        8,
        "PATIENT",
        **subject.series("pages", number),
        patient_orientation=("L", "F"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    made.PatientOrientation = []  # several slices of several directions on one page
    made.BurnedInAnnotation = "NO"  # asks for identities; the notice in the pixels is none
    made.ConversionType = "WSD"
    return subject.finish(made)


def report(subject: Subject, pdf: bytes) -> Any:
    """A PDF as a DICOM object of its own series."""
    shared = subject.series("report")
    made = Dataset()
    for name in ("SpecificCharacterSet", *PATIENT_AND_STUDY):
        if name in subject.headers[0]:
            made[name] = subject.headers[0][name]
    made.StudyInstanceUID = subject.study
    made.SeriesInstanceUID, made.SOPInstanceUID = shared["series_instance_uid"], shared["sop_instance_uid"]
    made.SOPClassUID = EncapsulatedPDFStorage
    made.Modality, made.SeriesNumber, made.InstanceNumber = "DOC", shared["series_number"], 1
    made.SeriesDescription, made.Manufacturer = shared["series_description"], "sanum"
    told = subject.detection.provenance
    made.ManufacturerModelName, made.SoftwareVersions = told.model_name[:64], f"sanum {told.version}"
    made.ConversionType, made.BurnedInAnnotation = "WSD", "NO"
    made.ContentDate, made.ContentTime, made.AcquisitionDateTime = "", "", ""
    made.DocumentTitle, made.ConceptNameCodeSequence = "sanum report", []
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    made.EncapsulatedDocument = pdf + b"\0" * (len(pdf) % 2)
    made.EncapsulatedDocumentLength = len(pdf)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return subject.finish(made)
