"""NRRD and MetaImage, in one file or with detached voxels, through SimpleITK.

ITK's world is LPS millimetres; the affine here is RAS+, so its first two rows change sign.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.errors import GeometryError, ScanError
from sanum.core.files import detached_data
from sanum.core.grid import Grid
from sanum.core.units import Affine, Volume
from sanum.formats.checks import check_size
from sanum.formats.reader import Header

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_header(path: Path) -> Header:
    """Read grid, facts and notes; no voxel.

    Raises:
        ScanError: damaged, or not one 3D volume of real numbers.
        GeometryError: an affine that is no geometry.
    """
    return _header(path, _opened(path))


def read(path: Path) -> tuple[Volume, Header]:
    """Read voxels (I, J, K) float32 in the file's own axis order.

    Raises:
        ScanError: as `read_header`, or cut short.
        GeometryError: an affine that is no geometry.
    """
    reader = _opened(path)
    header = _header(path, reader)
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise ScanError(
            f"{path}: damaged or cut short ({_reason(error)}); copy or export it again"
        ) from error
    stored = importlib.import_module("SimpleITK").GetArrayViewFromImage(image)
    voxels = np.asarray(stored).transpose(2, 1, 0).astype(np.float32)
    if voxels.ndim != 3 or voxels.shape != header.grid.shape:
        raise ScanError(f"{path}: voxels {voxels.shape} are not what the header declares; export it again")
    return voxels, header


def _opened(path: Path) -> Any:
    """A SimpleITK reader that has read the header."""
    _check_detached(path)
    sitk = importlib.import_module("SimpleITK")
    reader = sitk.ImageFileReader()
    reader.SetImageIO("MetaImageIO" if path.suffix.lower() in (".mha", ".mhd") else "NrrdImageIO")
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise ScanError(f"{path}: damaged header ({_reason(error)}); export the scan again") from error
    return reader


def _check_detached(path: Path) -> None:
    """Voxels beside the header must lie in its folder: a header from elsewhere must not open other files."""
    data = detached_data(path)
    if data is None:
        return
    if data.parent != path.parent or not data.name:
        raise ScanError(f"{path}: names voxels outside its own folder; put both into one folder")
    if not data.is_file():
        raise ScanError(f"{path}: its voxels {data.name} are not beside it; copy both files")


def _header(path: Path, reader: Any) -> Header:
    size, components = reader.GetSize(), int(reader.GetNumberOfComponents())
    if components != 1:
        raise ScanError(f"{path}: {components} values a voxel; expected one grey value, save one channel")
    shape = tuple(int(length) for length in size)
    check_size(path, shape)
    if len(shape) != 3:
        raise ScanError(f"{path}: expected a 3D volume (I, J, K), got {shape}; save one 3D volume")
    kind = importlib.import_module("SimpleITK").GetPixelIDValueAsString(reader.GetPixelIDValue())
    if "complex" in kind:
        raise ScanError(f"{path}: voxels are complex numbers; save the magnitude image")
    try:
        grid = Grid((shape[0], shape[1], shape[2]), _affine(reader))
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    return Header(grid, {"dtype": kind})


def _affine(reader: Any) -> Affine:
    spacing = np.array(reader.GetSpacing(), dtype=np.float64)
    if not (spacing > 0).all():
        raise GeometryError(f"voxel sizes {spacing.tolist()} must be above 0; the header is damaged")
    affine = np.eye(4)
    affine[:3, :3] = np.array(reader.GetDirection()).reshape(3, 3) * spacing
    affine[:3, 3] = reader.GetOrigin()
    return np.asarray(LPS_TO_RAS @ affine)


def _reason(error: RuntimeError) -> str:
    """The last line of ITK's message, which says what happened, without where in ITK's source."""
    return " ".join(str(error).strip().splitlines()[-1].split())[-160:]
