"""Minimal valid DICOM files made from volumes, for tests."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
NAME = "Geheim^Anna"


def picture(modality: str = "MR", **tags) -> Dataset:
    """A dataset without geometry and pixels; further tags by keyword."""
    dataset = Dataset()
    dataset.SOPClassUID = {"MR": MRImageStorage, "CT": CTImageStorage}.get(modality, MRImageStorage)
    dataset.SOPInstanceUID = generate_uid()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3.4", "1.2.3.4.5"
    dataset.Modality, dataset.SeriesNumber = modality, 5
    dataset.PatientName, dataset.PatientID = NAME, "GEHEIM77"
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    for name, value in tags.items():
        setattr(dataset, name, value)
    return dataset


def save(dataset: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> None:
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def slices(stored: np.ndarray, affine: np.ndarray, modality: str = "MR", **tags) -> list[Dataset]:
    """One dataset a K slice of integers (I, J, K) on a RAS+ affine."""
    lps = RAS_TO_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    made = []
    for k in range(stored.shape[2]):
        one = picture(modality, **tags)
        one.Columns, one.Rows = stored.shape[:2]
        one.PixelSpacing = [_text(spacing[1]), _text(spacing[0])]
        one.SliceThickness = _text(spacing[2])
        one.ImageOrientationPatient = [
            _text(v) for v in (*(lps[:3, 0] / spacing[0]), *(lps[:3, 1] / spacing[1]))
        ]
        one.ImagePositionPatient = [_text(value) for value in (lps @ [0, 0, k, 1])[:3]]
        one.InstanceNumber = k + 1
        one.PixelRepresentation = int(stored.dtype.kind == "i")
        one.PixelData = np.ascontiguousarray(stored[:, :, k].T).tobytes()
        made.append(one)
    return made


def write_series(folder: Path, datasets: list[Dataset], seed: int = 0) -> Path:
    """Write datasets under names that say nothing of their order."""
    names = list(range(1000, 1000 + len(datasets)))
    random.Random(seed).shuffle(names)
    for name, dataset in zip(names, datasets, strict=True):
        save(dataset, folder / f"IM{name}")
    return folder


def enhanced(volumes: list[np.ndarray], affine: np.ndarray, **tags) -> Dataset:
    """An enhanced multi-frame file of uint16 volumes (I, J, K), one a temporal position; slope 2 for odd frames."""
    flat = [datasets for volume in volumes for datasets in [slices(volume, affine)]]
    top = picture("MR", **tags)
    top.SOPClassUID = EnhancedMRImageStorage
    top.Rows, top.Columns = flat[0][0].Rows, flat[0][0].Columns
    index = Dataset()
    index.DimensionIndexPointer = 0x00209057
    top.DimensionIndexSequence = Sequence([index])
    groups, pixels = [], []
    for time, datasets in enumerate(flat, 1):
        for number, one in enumerate(datasets, 1):
            groups.append(_groups(one, time, number))
            pixels.append(one.PixelData)
    order = list(range(len(groups)))
    random.Random(1).shuffle(order)
    top.PerFrameFunctionalGroupsSequence = Sequence([groups[place] for place in order])
    measures = Dataset()
    measures.PixelSpacing, measures.SliceThickness = flat[0][0].PixelSpacing, flat[0][0].SliceThickness
    orientation = Dataset()
    orientation.ImageOrientationPatient = flat[0][0].ImageOrientationPatient
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    top.SharedFunctionalGroupsSequence = Sequence([shared])
    top.NumberOfFrames = len(groups)
    top.PixelData = b"".join(pixels[place] for place in order)
    return top


def _groups(one: Dataset, time: int, number: int) -> Dataset:
    content, position, values = Dataset(), Dataset(), Dataset()
    content.TemporalPositionIndex, content.InStackPositionNumber, content.StackID = time, number, "1"
    content.DimensionIndexValues = [number]
    position.ImagePositionPatient = one.ImagePositionPatient
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = (2 if number % 2 else 1), 0, "US"
    group = Dataset()
    group.FrameContentSequence = Sequence([content])
    group.PlanePositionSequence = Sequence([position])
    group.PixelValueTransformationSequence = Sequence([values])
    return group


def _text(value: float) -> str:
    """A decimal string of DICOM has at most 16 characters."""
    return f"{value:.9f}"[:16]
