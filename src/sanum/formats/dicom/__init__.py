"""DICOM: a folder of files under any names, one multi-frame file, or a zip archive of either.

Slices are put in order by their position along the slice normal, never by name or number.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sanum.core.errors import GeometryError, ScanError
from sanum.core.grid import Grid
from sanum.core.units import Volume
from sanum.formats.checks import check_size
from sanum.formats.dicom.choice import Choice, choose, used
from sanum.formats.dicom.origin import read_any_origin, read_origin
from sanum.formats.dicom.pixels import read_voxels
from sanum.formats.dicom.series import Series, list_series
from sanum.formats.dicom.sources import Opener, sources
from sanum.formats.dicom.study import study_of
from sanum.formats.reader import Header, Selection

__all__ = ["inspect_study", "read", "read_any_origin", "read_header", "read_origin", "study_of"]


def read_header(path: Path, selection: Selection) -> Header:
    """Choose a series and tell its grid; no voxel is read.

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


def inspect_study(path: Path, selection: Selection) -> tuple[Header | None, dict[str, Any]]:
    """The header of the series that is meant, None where nothing decides; and plain JSON facts on all of them.

    Each series is listed with the modalities that it is taken for, or with the reason why it is not.

    Raises:
        ScanError: no DICOM, damaged, more than one patient, or a series that is asked for and can't be read.
        GeometryError: positions that are no geometry.
    """
    with sources(path) as openers:
        listed, strays = list_series(path, openers)
    facts = {"chosen": None, "series": used(listed), "files_without_picture": strays}
    try:
        choice = choose(path, listed, selection)
    except ScanError:
        if selection.part is not None:
            raise
        return None, facts
    return _header(path, choice, selection, strays), facts | {"chosen": choice.series.number}


def _chosen(path: Path, openers: list[Opener], selection: Selection) -> tuple[Series, Header]:
    listed, strays = list_series(path, openers)
    choice = choose(path, listed, selection)
    return choice.series, _header(path, choice, selection, strays)


def _header(path: Path, choice: Choice, selection: Selection, strays: int) -> Header:
    series = choice.series
    check_size(path, series.stack.shape)
    check_size(path, (len(series.frames), *series.stack.shape[:2]))
    try:
        grid = Grid(series.stack.shape, series.stack.affine)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    passed = (f"files passed over, no DICOM picture in them: {strays}",) if strays else ()
    return Header(
        grid,
        notes=(*series.stack.notes, *choice.notes(selection.modality), *passed),
        modality=series.contrast,
        part=series.number if choice.others else None,
        part_name=series.name if choice.others else "",
    )
