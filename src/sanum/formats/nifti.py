"""NIfTI-1 and NIfTI-2 in one file, plain or gzip.

nibabel interprets the header. Bytes are read here, exactly as many as the header declares, so that a
header or an archive that lies can't fill the memory.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import GeometryError, ScanError
from sanum.core.files import atomic_path
from sanum.core.grid import Grid
from sanum.core.names import NIFTI_SUFFIXES
from sanum.core.units import SAME_GRID_MM, Affine, Volume
from sanum.formats.checks import check_size
from sanum.formats.reader import Header
from sanum.formats.streams import opened, read_exactly

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image as Nifti1Image

MAX_OFFSET_BYTES = 64 * 2**20
"""Voxels never start later: header extensions are comments and embedded DICOM headers."""

MM_PER_UNIT = {"meter": 1000.0, "micron": 0.001}
"""Spatial units of a header other than millimetres; an unknown unit is read as mm, as everyone does."""

_NIFTI1_BYTES, _NIFTI2_BYTES = 348, 540


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where and how the voxels are stored."""

    header: Header
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    offset: int
    slope: float | None
    intercept: float | None


def read_header(path: Path) -> Header:
    """Read grid, facts and notes; no voxel.

    Raises:
        ScanError: not a NIfTI, damaged, or not one 3D volume of real numbers.
        GeometryError: an affine that is no geometry.
    """
    with opened(path) as stream:
        return _layout(path, stream)[0].header


def read(path: Path) -> tuple[Volume, Header]:
    """Read voxels (I, J, K) float32, scaled as the header says, in the file's own axis order.

    Raises:
        ScanError: as `read_header`, or cut short.
        GeometryError: an affine that is no geometry.
    """
    with opened(path) as stream:
        layout, position = _layout(path, stream)
        stream.read(layout.offset - position)
        stored = read_exactly(path, stream, layout.shape, layout.dtype)
        longer = len(stream.read(1)) > 0
    header = layout.header
    if longer:
        note = "the file is longer than the volume that its header describes; the rest was not read"
        header = replace(header, notes=(*header.notes, note))
    return _scaled(stored, layout), header


def write_volume(path: Path, values: NDArray[Any], grid: Grid, *, description: str = "") -> None:
    """Write a map or a mask, atomically; equal input gives equal bytes.

    Args:
        path: ends in .nii.gz or .nii.
        values: (I, J, K); bool and uint8 are stored as uint8, floats as float32, NaN allowed.
        grid: becomes the sform, and the qform too unless it is sheared, which a qform can't say; code 1.
        description: up to 79 characters for the header's `descrip`.

    Raises:
        GeometryError: values and grid have different shapes.
        ScanError: another suffix or data type.
        StorageError: the file can't be written.
    """
    if values.shape != grid.shape:
        raise GeometryError(f"{path}: expected values of the grid's shape {grid.shape}, got {values.shape}")
    if not path.name.lower().endswith(NIFTI_SUFFIXES):
        raise ScanError(f"{path}: a volume is written as {' or '.join(NIFTI_SUFFIXES)}; choose such a name")
    content = _nifti_bytes(_storable(path, values), grid, description)
    if path.name.lower().endswith(".gz"):
        from isal import igzip

        content = igzip.compress(content, compresslevel=1, mtime=0)
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def _layout(path: Path, stream: io.BufferedIOBase) -> tuple[_Layout, int]:
    """Interpret the header; also gives how many bytes were taken."""
    from nibabel.spatialimages import HeaderDataError

    stored, taken = _stored_header(path, stream)
    try:
        dtype = _dtype(path, stored)
        slope, intercept = stored.get_slope_inter()
        offset = _offset(path, stored, taken)
        affine, notes = _affine(stored)
        grid = Grid(_shape(path, stored), affine)
        notes += _disagreement(stored, grid)
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    except (HeaderDataError, ValueError, KeyError, OverflowError) as error:
        raise ScanError(f"{path}: damaged header ({error}); export the scan again") from error
    facts = {
        "dtype": str(dtype.newbyteorder("=")),
        "sform_code": int(stored["sform_code"]),
        "qform_code": int(stored["qform_code"]),
        "units": stored.get_xyzt_units()[0],
    }
    header = Header(grid, facts, notes=notes)
    return _Layout(header, grid.shape, dtype, offset, slope, intercept), taken


def _stored_header(path: Path, stream: io.BufferedIOBase) -> tuple[Any, int]:
    """The header as nibabel sees it, and its length in bytes."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    block = stream.read(_NIFTI1_BYTES)
    if len(block) == _NIFTI1_BYTES and block[344:347] == b"n+1":
        return Nifti1Header(block, check=False), len(block)
    if block[4:7] == b"n+2":
        block += stream.read(_NIFTI2_BYTES - len(block))
        if len(block) == _NIFTI2_BYTES:
            return Nifti2Header(block, check=False), len(block)
    if block[344:347] == b"ni1":
        raise ScanError(f"{path}: the header of a .hdr/.img pair; convert both into one .nii.gz")
    raise ScanError(f"{path}: not a NIfTI file, whatever its name says; convert the scan to NIfTI")


def _shape(path: Path, stored: Any) -> tuple[int, int, int]:
    """Three sizes; trailing axes of size 1 are dropped."""
    axes = int(stored["dim"][0])
    if not 1 <= axes <= 7:
        raise ScanError(f"{path}: the header declares {axes} axes; it is damaged, export the scan again")
    full = tuple(int(size) for size in stored.get_data_shape())
    shape = full
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if len(shape) != 3:
        raise ScanError(
            f"{path}: expected a 3D volume (I, J, K), got {full}; pick one frame and save it as a 3D file"
        )
    check_size(path, shape)
    return shape


def _dtype(path: Path, stored: Any) -> np.dtype[Any]:
    """Stored data type, byte order included; colour and complex numbers are refused."""
    try:
        dtype: np.dtype[Any] = stored.get_data_dtype()
    except KeyError as error:
        raise ScanError(f"{path}: unknown data type code {error}; the header is damaged") from error
    if dtype.fields is not None:
        raise ScanError(f"{path}: voxels are colours (RGB); expected one grey value a voxel")
    if dtype.kind == "c":
        raise ScanError(f"{path}: voxels are complex numbers; save the magnitude image")
    if dtype.kind not in "iuf":
        raise ScanError(f"{path}: data type {dtype} is not read; save the scan as int16 or float32")
    return dtype


def _offset(path: Path, stored: Any, taken: int) -> int:
    """First voxel's place in the file; 0 means right after the header, as some writers leave it."""
    smallest = taken + 4
    offset = int(float(stored["vox_offset"])) or smallest
    if not smallest <= offset <= MAX_OFFSET_BYTES:
        raise ScanError(f"{path}: voxels start at byte {offset}, which no NIfTI does; the header is damaged")
    return offset


def _affine(stored: Any) -> tuple[Affine, tuple[str, ...]]:
    """Affine in mm by nibabel's order (sform, qform, voxel sizes), and notes about it."""
    notes: tuple[str, ...] = ()
    if stored["sform_code"] != 0:
        affine = stored.get_sform()
    elif stored["qform_code"] != 0:
        affine = _qform(stored)
    else:
        _check_voxel_sizes(stored)
        affine = stored.get_base_affine()
        notes = ("neither sform nor qform is set; axes are taken as left, anterior, superior",)
    unit = stored.get_xyzt_units()[0]
    if unit in MM_PER_UNIT:
        affine = np.diag([*[MM_PER_UNIT[unit]] * 3, 1.0]) @ affine
        notes += (f"the header is in units of {unit}; converted to mm",)
    return affine, notes


def _qform(stored: Any) -> Affine:
    _check_voxel_sizes(stored)
    if stored["pixdim"][0] == 0:
        stored["pixdim"][0] = 1  # the standard reads 0 as 1
    qform: Affine = stored.get_qform()
    return qform


def _check_voxel_sizes(stored: Any) -> None:
    sizes = stored["pixdim"][1:4].astype(float)
    if not (sizes > 0).all():
        shown = " x ".join(f"{size:g}" for size in sizes)
        raise GeometryError(f"voxel sizes (pixdim) {shown} must be above 0; the header is damaged")


def _disagreement(stored: Any, grid: Grid) -> tuple[str, ...]:
    """A note where sform and qform are both set and put some corner in different places."""
    from nibabel.spatialimages import HeaderDataError

    if stored["sform_code"] == 0 or stored["qform_code"] == 0:
        return ()
    unit = MM_PER_UNIT.get(stored.get_xyzt_units()[0], 1.0)
    try:
        other = Grid(grid.shape, np.diag([unit, unit, unit, 1.0]) @ _qform(stored))
    except (HeaderDataError, ValueError, GeometryError) as error:
        return (f"the qform is not valid ({error}); the sform is used",)
    apart = float(np.linalg.norm(grid.corners() - other.corners(), axis=1).max())
    if apart <= SAME_GRID_MM:
        return ()
    return (f"sform and qform disagree by up to {apart:.1f} mm; the sform is used",)


def _scaled(stored: NDArray[Any], layout: _Layout) -> Volume:
    """Float32 with slope and intercept applied; wide types are scaled in double precision first."""
    exact = stored.dtype.itemsize <= 2 or stored.dtype == np.float32
    working: type[np.floating[Any]] = np.float32 if exact else np.float64
    with np.errstate(over="ignore", invalid="ignore"):
        values = stored.astype(working, copy=False)
        if layout.slope is not None and layout.intercept is not None:
            values = values * working(layout.slope) + working(layout.intercept)
        return values.astype(np.float32, copy=False)


def _storable(path: Path, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == np.bool_ or values.dtype == np.uint8:
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    raise ScanError(f"{path}: expected bool, uint8 or float values to write, got {values.dtype}")


def _nifti_bytes(values: NDArray[Any], grid: Grid, description: str) -> bytes:
    content: bytes = nifti_image(values, grid, description).to_bytes()
    return content


def nifti_image(values: NDArray[Any], grid: Grid, description: str = "") -> Nifti1Image:
    """Values (I, J, K) on a grid as a nibabel image, with sform and qform in mm."""
    from nibabel.nifti1 import Nifti1Image
    from nibabel.spatialimages import HeaderDataError

    image = Nifti1Image(values, grid.affine)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode("ascii", "replace")[:79]
    image.set_sform(grid.affine, code=1)
    try:
        image.set_qform(grid.affine, code=1, strip_shears=False)
    except HeaderDataError:
        image.header["qform_code"] = 0
    return image
