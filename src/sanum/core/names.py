"""What a file name says: whether it is a scan, the scan's stem, its modality, and which part of it is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sanum.core.units import MODALITIES

NIFTI_SUFFIXES = (".nii.gz", ".nii")
DICOM_SUFFIXES = (".dcm.gz", ".dcm", ".zip")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class Format:
    """A file format that is read.

    Attributes:
        name: as people call it.
        suffixes: lower-case endings of its file names, the longer of two that overlap first.
        module: reads it by `read_header(path)` and `read(path)`; with parts both take a `Selection` too.
        notes: what a person should know, for the documentation.
        parts: what the parts of a file are called; "" where a file is one scan.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    notes: str
    parts: str = ""


FORMATS = (
    Format(
        "NIfTI",
        NIFTI_SUFFIXES,
        "sanum.formats.nifti",
        "NIfTI-1 and 2; one 3D volume; sform before qform, a disagreement is told",
    ),
    Format("MGH", (".mgz", ".mgh"), "sanum.formats.mgh", "of FreeSurfer; one 3D volume"),
    Format(
        "NRRD or MetaImage",
        (".nrrd", ".nhdr", ".mha", ".mhd"),
        "sanum.formats.itk",
        "one 3D volume; detached voxels must lie beside their header",
    ),
    Format(
        "DICOM",
        DICOM_SUFFIXES,
        "sanum.formats.dicom",
        "or a folder; MR and CT, classic and enhanced multi-frame, compressed or not",
        parts="series",
    ),
    Format(
        "image",
        IMAGE_SUFFIXES,
        "sanum.formats.image",
        "2D; grey, or one channel of a colour picture",
        parts="channel",
    ),
)
"""Every format, in the order in which suffixes are looked for. The cohort tools go by it without any reader."""

SCAN_SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)
"""Every suffix that a reader of `formats` takes."""

SHORT_NAMES = {
    **dict.fromkeys(("t1", "t1n"), "T1w"),
    **dict.fromkeys(("t1c", "t1gd", "t1post", "t1km"), "T1ce"),
    "t2": "T2w",
    **dict.fromkeys(("fl", "t2f"), "FLAIR"),
    "pd": "PDw",
}
"""What data sets without BIDS names call the modalities: BraTS, NiChart and others."""

_MODALITY_OF_TOKEN = {**{name.lower(): name for name in MODALITIES}, **SHORT_NAMES}

PART_MARK = "#"
"""Stands between a path and the part of it that is meant: `study.zip#5`, `slice.tif#2`."""


def split_part(path: Path) -> tuple[Path, str | None]:
    """A path and the part of it that is meant: a series number or UID ending, or a channel from 1 on.

    A file whose own name holds the mark is taken as it is.
    """
    name, mark, part = path.name.rpartition(PART_MARK)
    if not mark or not name or not part or path.exists():
        return path, None
    return path.with_name(name), part


def with_part(path: Path, part: str | None) -> Path:
    """The path with the part that is meant; the inverse of `split_part`."""
    return path if part is None else path.with_name(f"{path.name}{PART_MARK}{part}")


def is_scan(path: Path) -> bool:
    """Whether the name ends like a scan's; hidden files, such as half-written ones, are none."""
    return not path.name.startswith(".") and _suffix(path) is not None


def scan_stem(path: Path) -> str:
    """File name without its scan suffix ("a/b_T1w.nii.gz" gives "b_T1w"); other names stay whole."""
    suffix, name = _suffix(path), split_part(path)[0].name
    return name if suffix is None else name[: -len(suffix)]


def modality_of(path: Path) -> str | None:
    """Modality by the last part of the name in any case, a BIDS suffix or a short name; None where it tells none.

    A T1w with a contrast entity (`_ce-gadolinium_T1w`) is T1ce.
    """
    *entities, last = scan_stem(path).lower().split("_")
    modality = modality_called(last) or modality_called(last.rpartition("-")[2])
    if modality == "T1w" and any(entity.startswith("ce-") for entity in entities):
        return "T1ce"
    return modality


def modality_called(word: str) -> str | None:
    """The modality that a word means, in any case: "T1w", "t1", "FL"; None for any other word."""
    return _MODALITY_OF_TOKEN.get(word.lower())


def _suffix(path: Path) -> str | None:
    name = split_part(path)[0].name.lower()
    return next((suffix for suffix in SCAN_SUFFIXES if name.endswith(suffix)), None)
