"""The headers of the files that a volume was read from, for what is written beside them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.errors import ScanError
from sanum.core.grid import Grid
from sanum.core.source_series import SourceSeries
from sanum.formats.dicom.choice import choose
from sanum.formats.dicom.frames import Frame
from sanum.formats.dicom.series import Series, list_series
from sanum.formats.dicom.sources import Opener, sources
from sanum.formats.reader import Selection

LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])


def read_origin(path: Path, selection: Selection) -> SourceSeries:
    """The files of the series that `read` takes, with the place of each of its slices.

    Raises:
        ScanError, GeometryError: as `read_header`.
    """
    with sources(path) as openers:
        series = choose(path, list_series(path, openers)[0], selection).series
        files = list(dict.fromkeys(frame.source for frame in series.stack.frames))
        grid = Grid(series.stack.shape, series.stack.affine)
        return SourceSeries(
            tuple(_header(path, openers[file]) for file in files),
            tuple((files.index(frame.source), frame.index) for frame in series.stack.frames),
            np.array([_place(frame, grid) for frame in series.stack.frames]),
            grid,
        )


def read_any_origin(path: Path) -> SourceSeries:
    """One file of each series, without places: what a refusal can refer to where no volume could be chosen.

    Raises:
        ScanError: no DICOM, damaged, or more than one patient.
    """
    with sources(path) as openers:
        first = _first_files(list_series(path, openers)[0])
        return SourceSeries(tuple(_header(path, openers[file]) for file in first), (), np.empty(0), None)


def _first_files(listed: Iterable[Series]) -> list[int]:
    return sorted({one.uid: one.frames[0].source for one in listed if one.frames}.values())


def _place(frame: Frame, grid: Grid) -> float:
    position = np.array(frame.position) * LPS_TO_RAS
    return float(grid.to_voxel(position)[2])


def _header(path: Path, opener: Opener) -> Any:
    """Everything of a file but its pixels.

    Raises:
        ScanError: damaged.
    """
    from pydicom import dcmread

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's warnings quote values, which may be names
        try:
            with opener() as stream:
                return dcmread(io.BytesIO(stream.read()), stop_before_pixels=True)
        except Exception as error:  # on damaged files pydicom raises errors of any type
            raise ScanError(
                f"{path}: a DICOM file in it is damaged or cut short ({type(error).__name__}); copy it again"
            ) from error
