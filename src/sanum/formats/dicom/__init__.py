"""DICOM: a folder of files under any names, one multi-frame file, or a zip archive of either.

Slices are put in order by their position along the slice normal, never by name or number.
"""

from __future__ import annotations

from pathlib import Path

from sanum.core.errors import GeometryError
from sanum.core.grid import Grid
from sanum.core.units import Volume
from sanum.formats.checks import check_size
from sanum.formats.dicom.pixels import read_voxels
from sanum.formats.dicom.series import Series, choose, list_series
from sanum.formats.dicom.sources import Opener, sources
from sanum.formats.reader import Header, Selection

__all__ = ["read", "read_header"]


def read_header(path: Path, selection: Selection) -> Header:
    """Choose a series and tell its grid; no voxel is read. `facts["series"]` lists all series.

    Raises:
        ScanError: no DICOM, damaged, more than one patient, or no series that the rule can choose.
        GeometryError: positions that are no geometry.
    """
    with sources(path) as openers:
        return _chosen(path, openers, selection)[1]


def read(path: Path, selection: Selection) -> tuple[Volume, Header]:
    """Read one series: voxels (I, J, K) float32, I along a row, J down a column, K along the slice normal.

    CT values are Hounsfield units; MR values are scaled by the file's own slope and intercept.

    Raises:
        ScanError: as `read_header`, or pixels that are cut short or can't be decoded.
        GeometryError: positions that are no geometry.
    """
    with sources(path) as openers:
        series, header = _chosen(path, openers, selection)
        return read_voxels(path, openers, series), header


def _chosen(path: Path, openers: list[Opener], selection: Selection) -> tuple[Series, Header]:
    listed = list_series(path, openers)
    series, notes = choose(path, listed, selection)
    check_size(path, series.stack.shape)
    check_size(path, (len(series.frames), *series.stack.shape[:2]))
    try:
        grid = Grid(series.stack.shape, series.stack.affine)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    facts = {"chosen": series.number, "series": [one.to_dict() for one in listed]}
    return series, Header(grid, facts, notes=(*series.stack.notes, *notes), modality=series.contrast)
