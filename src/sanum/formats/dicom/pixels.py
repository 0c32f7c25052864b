"""Pixels of a chosen series to voxels; compressed transfer syntaxes through pylibjpeg."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ScanError
from sanum.core.units import Volume
from sanum.formats.dicom.frames import Frame
from sanum.formats.dicom.series import Series
from sanum.formats.dicom.sources import Opener

HEADER_BYTES = 64 * 2**20
"""A file may be longer than its pixels by this: headers, private data, icons, overlays."""

MAX_BYTES_PER_PIXEL = 4


def read_voxels(path: Path, openers: Sequence[Opener], series: Series) -> Volume:
    """Read a series: voxels (I, J, K) float32.

    Raises:
        ScanError: pixels are cut short, or can't be decoded.
    """
    stack = series.stack
    columns, rows, _ = stack.shape
    slices = np.empty((len(stack.frames), rows, columns), np.float32)
    places: dict[int, list[int]] = {}
    for place, frame in enumerate(stack.frames):
        places.setdefault(frame.source, []).append(place)
    for source, own in places.items():
        frames = [stack.frames[place] for place in own]
        for place, values in zip(own, _decoded(path, openers[source], frames, series.kind), strict=True):
            slices[place] = values
    if not (stack.share == 0.0).all() or len(stack.below) != len(slices):
        share = stack.share.astype(np.float32)[:, None, None]
        slices = (
            slices[stack.below] * (1 - share) + slices[np.minimum(stack.below + 1, len(slices) - 1)] * share
        )
    return np.ascontiguousarray(slices.transpose(2, 1, 0))


def _decoded(path: Path, opener: Opener, frames: Sequence[Frame], kind: str) -> list[NDArray[np.float32]]:
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values, which may be names
        try:
            dataset = dcmread(io.BytesIO(_content(path, opener, frames)))
            several = int(dataset.get("NumberOfFrames") or 1) > 1
            stored = [pixel_array(dataset, index=frame.index if several else 0, raw=True) for frame in frames]
            return [_values(dataset, one, frame, kind) for one, frame in zip(stored, frames, strict=True)]
        except ScanError:
            raise
        except Exception as error:  # pydicom and its decoders raise errors of any type
            raise ScanError(
                f"{path}: pixels of a DICOM file are cut short or can't be decoded "
                f"({type(error).__name__}: {error}); copy or export the series again"
            ) from error


def _content(path: Path, opener: Opener, frames: Sequence[Frame]) -> bytes:
    """The bytes of one file, and no more than its header lets expect."""
    everything = max(frame.index for frame in frames) + 1
    pixels = math.prod(frames[0].shape) * max(everything, len(frames)) * MAX_BYTES_PER_PIXEL
    limit = pixels * 2 + HEADER_BYTES
    with opener() as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise ScanError(f"{path}: a DICOM file holds far more bytes than its header declares; it is damaged")
    return content


def _values(dataset: Any, stored: NDArray[Any], frame: Frame, kind: str) -> NDArray[np.float32]:
    """Stored integers to values (rows, columns). Bits above those in use are overlays of old scanners.

    Raises:
        ScanError: another size than the header's.
    """
    columns, rows = frame.shape
    if stored.shape != (rows, columns):
        raise ScanError(f"pixels {stored.shape} where the header declares {(rows, columns)}")
    used = int(dataset.BitsStored)
    if stored.dtype.kind in "iu":
        unused = stored.dtype.itemsize * 8 - used
        stored = (stored << unused) >> unused if unused > 0 else stored
    values = stored.astype(np.float64)
    if dataset.PhotometricInterpretation == "MONOCHROME1" and kind != "CT":
        values = (2.0**used - 1 if dataset.PixelRepresentation == 0 else -1.0) - values
    return (values * frame.slope + (frame.intercept or 0.0)).astype(np.float32)
