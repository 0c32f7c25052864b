"""Scans that lie in memory: written as the file that the readers then check like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMS = (
    "a path, a nibabel image, a 3D array with its affine, a 2D array (a picture), a mapping from modality to one of "
    "these, or a list of them"
)
"""What may be given as a scan, for messages."""


def is_nibabel_image(given: Any) -> bool:
    """Whether this is a nibabel image, or behaves as one."""
    return hasattr(given, "get_fdata") and hasattr(given, "affine")


def is_array(given: Any) -> bool:
    """Whether this is an array of numbers: numpy, or what turns into one, such as a tensor."""
    return hasattr(given, "__array__") and not is_nibabel_image(given)


def own_name(given: Any) -> str:
    """File name of a nibabel image that was read from a file, else ""."""
    return Path(getattr(given, "get_filename", lambda: None)() or "").name


def write_in_memory(given: Any, affine: Any, stem: Path) -> Path:
    """Write an image or array as a file.

    Args:
        given: a nibabel image; an array (I, J, K) in the affine's voxel order; or an array (rows, columns), a picture.
        affine: (4, 4) voxel index to world RAS+ mm, for an array of three axes.
        stem: where to write, without suffix.

    Raises:
        TypeError: an array of other axes or of no numbers, or one of three axes without an affine.
    """
    if is_nibabel_image(given):
        return _write_image(given, stem)
    array = np.asarray(given)
    if array.dtype.kind not in "buif":
        raise TypeError(f"an array of {array.dtype} is no scan; give real numbers")
    if array.ndim == 2:
        path = stem.with_name(stem.name + ".npy")
        np.save(path, array)
        return path
    if array.ndim != 3:
        raise TypeError(
            f"an array {array.shape} is no scan; give (I, J, K) with its affine, or (rows, columns)"
        )
    if affine is None:
        raise TypeError(
            "an array (I, J, K) needs its affine, voxel index to world mm: detect(array, affine=affine)"
        )
    return _write_array(array, np.asarray(affine, np.float64), stem)


def _write_array(array: NDArray[Any], affine: NDArray[np.float64], stem: Path) -> Path:
    from nibabel.nifti1 import Nifti1Image

    if affine.shape != (4, 4):
        raise TypeError(f"affine: expected shape (4, 4), got {affine.shape}")
    image = Nifti1Image(array.astype(np.float32), affine)
    image.header.set_xyzt_units("mm")
    return _write_image(image, stem)


def _write_image(image: Any, stem: Path) -> Path:
    import nibabel
    from nibabel.freesurfer.mghformat import MGHImage
    from nibabel.nifti1 import Nifti1Image

    suffix = ".mgz" if isinstance(image, MGHImage) else ".nii"
    path = stem.with_name(stem.name + suffix)
    nibabel.save(image if isinstance(image, Nifti1Image | MGHImage) else Nifti1Image.from_image(image), path)
    return path
