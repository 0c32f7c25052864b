"""FreeSurfer's MGH, plain or gzip (MGZ). nibabel interprets the header; bytes are read here, as for NIfTI.

Layout: https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from sanum.core.errors import GeometryError, ScanError
from sanum.core.grid import Grid
from sanum.core.units import Volume
from sanum.formats.checks import check_size
from sanum.formats.reader import Header
from sanum.formats.streams import opened, read_exactly

_HEADER_BYTES = 284
_VERSION = 1


def read_header(path: Path) -> Header:
    """Read grid, facts and notes; no voxel.

    Raises:
        ScanError: not an MGH, damaged, or not one 3D volume.
        GeometryError: an affine that is no geometry.
    """
    with opened(path) as stream:
        return _header(path, stream)[0]


def read(path: Path) -> tuple[Volume, Header]:
    """Read voxels (I, J, K) float32 in the file's own axis order.

    Raises:
        ScanError: as `read_header`, or cut short.
        GeometryError: an affine that is no geometry.
    """
    with opened(path) as stream:
        header, dtype = _header(path, stream)
        stored = read_exactly(path, stream, header.grid.shape, dtype)
    return stored.astype(np.float32), header


def _header(path: Path, stream: io.BufferedIOBase) -> tuple[Header, np.dtype[Any]]:
    from nibabel.freesurfer.mghformat import MGHHeader
    from nibabel.spatialimages import HeaderDataError

    block = stream.read(_HEADER_BYTES)
    if len(block) < _HEADER_BYTES or int.from_bytes(block[:4], "big") != _VERSION:
        raise ScanError(f"{path}: not an MGH file, whatever its name says; convert the scan to NIfTI")
    try:
        stored = MGHHeader(block, check=False)
        dtype = np.dtype(stored.get_data_dtype())
        shape = tuple(int(size) for size in stored["dims"])
        check_size(path, shape)
        if shape[3] != 1:
            raise ScanError(
                f"{path}: expected a 3D volume (I, J, K), got {shape}; pick one frame and save it as a 3D file"
            )
        sizes = stored["delta"].astype(float)
        if not (sizes > 0).all():
            raise GeometryError(f"voxel sizes {sizes.tolist()} must be above 0; the header is damaged")
        grid = Grid((shape[0], shape[1], shape[2]), stored.get_affine())
    except GeometryError as error:
        raise GeometryError(f"{path}: {error}") from error
    except (HeaderDataError, ValueError, KeyError, OverflowError) as error:
        raise ScanError(f"{path}: damaged header ({error}); export the scan again") from error
    notes = (
        ()
        if stored["goodRASFlag"]
        else ("the header holds no directions; FreeSurfer's usual ones are taken",)
    )
    return Header(grid, {"dtype": str(dtype.newbyteorder("="))}, notes=notes), dtype
