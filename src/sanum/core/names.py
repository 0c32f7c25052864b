"""What a file name says: whether it is a scan, the scan's stem and its modality."""

from __future__ import annotations

from pathlib import Path

from sanum.core.units import MODALITIES

NIFTI_SUFFIXES = (".nii.gz", ".nii")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy")

SCAN_SUFFIXES = NIFTI_SUFFIXES + IMAGE_SUFFIXES
"""Every suffix that a reader of `formats` takes, the longer of two that overlap first."""

_MODALITY_OF_TOKEN = {name.lower(): name for name in MODALITIES}


def is_scan(path: Path) -> bool:
    """Whether the name ends like a scan's; hidden files, such as half-written ones, are none."""
    return not path.name.startswith(".") and _suffix(path) is not None


def scan_stem(path: Path) -> str:
    """File name without its scan suffix ("a/b_T1w.nii.gz" gives "b_T1w"); other names stay whole."""
    suffix = _suffix(path)
    return path.name if suffix is None else path.name[: -len(suffix)]


def modality_of(path: Path) -> str | None:
    """Modality by the BIDS suffix of the name in any case, or None where it tells none.

    A T1w with a contrast entity (`_ce-gadolinium_T1w`) is T1ce.
    """
    *entities, last = scan_stem(path).lower().split("_")
    modality = _MODALITY_OF_TOKEN.get(last)
    if modality == "T1w" and any(entity.startswith("ce-") for entity in entities):
        return "T1ce"
    return modality


def _suffix(path: Path) -> str | None:
    name = path.name.lower()
    return next((suffix for suffix in SCAN_SUFFIXES if name.endswith(suffix)), None)
