"""Independent readings of DICOM results: pixels to world positions by the standard's own equation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def frame_world(dataset: Dataset, frame: int) -> np.ndarray:
    """World RAS+ mm (rows, columns, 3) of a frame's pixels, DICOM PS3.3 equation C.7.6.2.1-1."""
    shared, own = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence[frame]
    along = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, dtype=float)
    between_rows, between_columns = map(float, shared.PixelMeasuresSequence[0].PixelSpacing)
    corner = np.array(own.PlanePositionSequence[0].ImagePositionPatient, dtype=float)
    rows, columns = np.mgrid[: dataset.Rows, : dataset.Columns]
    lps = (
        corner + columns[..., None] * between_columns * along[:3] + rows[..., None] * between_rows * along[3:]
    )
    return lps * LPS_TO_RAS


def segment_points(path: Path) -> dict[int, np.ndarray]:
    """World mm (n, 3) of the voxels of each segment of a binary segmentation."""
    dataset = dcmread(path)
    frames = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    points: dict[int, list[np.ndarray]] = {}
    for number, frame in enumerate(frames):
        own = dataset.PerFrameFunctionalGroupsSequence[number]
        group = own if "SegmentIdentificationSequence" in own else dataset.SharedFunctionalGroupsSequence[0]
        segment = int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        points.setdefault(segment, []).append(frame_world(dataset, number)[frame > 0])
    return {segment: np.concatenate(parts) for segment, parts in points.items()}


def map_points(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """World mm (n, 3) and value (n,) of the voxels of a parametric map that are not padding."""
    dataset = dcmread(path)
    frames = np.frombuffer(dataset.FloatPixelData, "<f4").reshape(-1, dataset.Rows, dataset.Columns)
    world = np.stack([frame_world(dataset, number) for number in range(len(frames))])
    known = frames > dataset.FloatPixelPaddingValue
    return world[known], frames[known]


def errors_of(path: Path) -> list[str]:
    """What `dciodvfy` (Debian package dicom3tools) calls an error; the test is skipped where it is not installed."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not installed; apt-get install dicom3tools")
    told = subprocess.run([tool, str(path)], capture_output=True, text=True, timeout=60, check=False)
    return [line for line in told.stderr.splitlines() if line.startswith("Error")]
