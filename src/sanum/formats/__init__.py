"""Files in, `Scan` out, and maps back to files. A new format is one module, and one entry of `core.names.FORMATS`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError, ScanError
from sanum.core.files import content_sha256
from sanum.core.grid import Grid
from sanum.core.names import (
    FORMATS,
    SCAN_SUFFIXES,
    is_scan,
    modality_of,
    scan_stem,
    split_part,
    with_part,
)
from sanum.core.records import Scan, Source
from sanum.core.source_series import SourceSeries
from sanum.core.units import MODALITIES, Volume
from sanum.formats import dicom
from sanum.formats.checks import check_contrast, check_finite
from sanum.formats.dicom import study_of
from sanum.formats.image import write_image, write_map_image
from sanum.formats.nifti import nifti_image, write_volume
from sanum.formats.reader import Header, Reader, Selection, reader_of

__all__ = [
    "READERS",
    "Header",
    "Reader",
    "inspect_scan",
    "is_dicom_source",
    "is_scan",
    "modality_of",
    "nifti_image",
    "read_any_origin",
    "read_grid",
    "read_map",
    "read_mask",
    "read_origin",
    "read_scan",
    "scan_stem",
    "split_part",
    "study_of",
    "with_part",
    "write_image",
    "write_map",
    "write_map_image",
    "write_volume",
]

READERS = tuple(reader_of(one) for one in FORMATS)
"""Every format that is read; the file name's suffix chooses one, and a folder is DICOM."""

_DICOM = next(reader for reader in READERS if reader.name == "DICOM")


def read_scan(path: Path | str, modality: str | None = None, *, series: str | None = None) -> Scan:
    """Read one scan in its own grid, with its own axis order and units of intensity.

    Args:
        path: a file with a suffix that `READERS` knows, or a folder of DICOM files. `path#part` is a part of
            it: a DICOM series by number or UID ending, or a channel of a colour image from 1 on.
        modality: what it shows; by default what its name says, else what the file itself says, if anything.
        series: the same as the part, for DICOM.

    Raises:
        ScanError: missing, damaged or foreign file; not one 3D volume or grey picture; several series that
            fit; NaN, infinity or no contrast; or a name that tells another modality.
        GeometryError: an affine that is no geometry.
        ConfigError: a modality that sanum does not know.
    """
    path = Path(path)
    place = with_part(path, series)
    known = _modality(path, modality)
    voxels, header = _read(place, known)
    check_contrast(path, voxels)
    return _scan(place, voxels, header, known or header.modality)


def read_mask(path: Path) -> Scan:
    """Read a mask: voxels 1.0 where the file holds more than 0, else 0.0. An empty mask is a mask.

    Raises:
        ScanError: as `read_scan`, except for contrast.
        GeometryError: as `read_scan`.
    """
    voxels, header = _read(path)
    return _scan(path, (voxels > 0).astype(np.float32), header, None)


def read_grid(path: Path, modality: str | None = None) -> Grid:
    """Read where a scan's voxels lie, without reading them; the modality helps to choose a DICOM series.

    Raises:
        ScanError: missing, damaged or foreign file.
        GeometryError: an affine that is no geometry.
    """
    reader, file, selection = _asked(path, modality)
    return reader.read_header(file, selection).grid


def is_dicom_source(path: Path) -> bool:
    """Whether the DICOM reader takes a path.

    Raises:
        ScanError: there is no such file, or no reader takes it.
    """
    return _asked(path, None)[0] is _DICOM


def read_origin(path: Path, modality: str | None = None) -> SourceSeries:
    """The headers of the DICOM files that `read_scan` takes, and where its slices lie in them.

    Raises:
        ScanError, GeometryError: as `read_scan`.
    """
    _, file, selection = _asked(path, modality)
    return dicom.read_origin(file, selection)


def read_any_origin(path: Path) -> SourceSeries:
    """One DICOM header of each series, for what refers to a study of which no series could be chosen.

    Raises:
        ScanError: no DICOM, damaged, or of several patients.
    """
    return dicom.read_any_origin(_asked(path, None)[1])


def read_map(path: Path) -> tuple[Volume, Grid]:
    """Read an anomaly map or labels that `write_map` or `write_volume` wrote: (I, J, K) float32, and their grid.

    Raises:
        ScanError: missing or damaged.
        GeometryError: an affine that is no geometry.
    """
    reader, file, selection = _asked(path, None)
    values, header = reader.read(file, selection)
    return values, header.grid


def inspect_scan(path: Path | str) -> dict[str, Any]:
    """Header facts of a scan as plain JSON values, without reading voxels; `spacing_mm` is null for images.

    Of DICOM, `series` lists all series with what each is taken for or why not; where nothing decides which one is
    meant, `chosen` is null and there is no shape.

    Raises:
        ScanError: missing, damaged or foreign file.
        GeometryError: an affine that is no geometry.
    """
    path = Path(path)
    reader, file, selection = _asked(path, modality_of(path))
    told = {
        "path": str(path),
        "format": reader.name,
        "bytes": sum(part.stat().st_size for part in ([file] if file.is_file() else file.rglob("*"))),
    }
    if reader is not _DICOM:
        return told | _header_facts(path, reader.read_header(file, selection))
    header, facts = dicom.inspect_study(file, selection)
    return told | facts | ({} if header is None else _header_facts(path, header))


def _header_facts(path: Path, header: Header) -> dict[str, Any]:
    return {
        "modality": modality_of(path) or header.modality,
        "shape": list(header.grid.shape),
        "spacing_mm": None if header.is_image else [round(size, 4) for size in header.grid.spacing],
        "axes": header.grid.axis_codes,
        **header.facts,
        "notes": list(header.notes),
    }


def write_map(folder: Path, values: Volume, grid: Grid, scale: tuple[float, float], is_image: bool) -> Path:
    """Write an anomaly map into a folder: `anomaly_map.nii.gz`, or `anomaly_map.png` for a picture.

    Args:
        folder: made when missing.
        values: (I, J, K) float32, NaN outside the mask.
        grid: where they lie.
        scale: map values where the colour scale starts and ends; a PNG runs from 0 to its end, see
            `write_map_image`. A NIfTI keeps the values as they are.
        is_image: the case is a 2D picture.

    Returns:
        The file written.

    Raises:
        GeometryError: values do not fit the grid.
        StorageError: the file can't be written.
    """
    if is_image:
        path = folder / "anomaly_map.png"
        write_map_image(path, values, (0.0, scale[1]))
    else:
        path = folder / "anomaly_map.nii.gz"
        write_volume(path, values, grid, description="anomaly map")
    return path


def _asked(path: Path, modality: str | None) -> tuple[Reader, Path, Selection]:
    """The reader of a path, the file or folder itself, and what of it is asked for."""
    file, part = split_part(path)
    if not file.exists():
        raise ScanError(f"{file}: no such file; check the path")
    name = file.name.lower()
    reader = next((reader for reader in READERS if name.endswith(reader.suffixes)), None)
    if file.is_dir():
        reader = _DICOM
    if reader is None:
        raise ScanError(f"{file}: not a format that sanum reads; expected {', '.join(SCAN_SUFFIXES)}")
    if part is not None and not reader.parts:
        raise ScanError(f"{path}: a {reader.name} file holds one scan; leave out #{part}")
    return reader, file, Selection(part, modality)


def _read(path: Path, modality: str | None = None) -> tuple[Volume, Header]:
    reader, file, selection = _asked(path, modality)
    voxels, header = reader.read(file, selection)
    check_finite(path, voxels)
    return voxels, header


def _scan(path: Path, voxels: Volume, header: Header, modality: str | None) -> Scan:
    file = split_part(path)[0]
    read = path if header.part is None else with_part(file, header.part)
    source = Source(str(read), content_sha256(file), header.part_name, header.notes)
    return Scan(voxels, header.grid, modality, source, header.is_image)


def _modality(path: Path, given: str | None) -> str | None:
    if given is not None and given not in MODALITIES:
        raise ConfigError(f"modality {given!r} is not known; {did_you_mean(given, MODALITIES)}")
    named = modality_of(path)
    if given is not None and named is not None and given != named:
        raise ScanError(
            f"{path}: named _{named} but given as {given}; correct the name or the table, or take a model that reads "
            f"{named} (`sanum models`)"
        )
    return named if given is None else given
