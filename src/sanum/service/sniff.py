"""What a file is, by its first bytes: what a client calls it or says of its type is not asked.

NRRD and MetaImage are not taken: their headers may name another file for the voxels, and it would be one of ours.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

ZIP = ".zip"
DICOM = ".dcm"

_HEAD_BYTES = 552
"""Enough for every mark below, the longest being that of a NIfTI-2 header (540 bytes)."""

_MARKS = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
    (b"II+\x00", ".tif"),
    (b"MM\x00+", ".tif"),
    (b"\x93NUMPY", ".npy"),
    (b"PK\x03\x04", ZIP),
)


def suffix_of(path: Path) -> str | None:
    """The suffix under which a file can be read, `ZIP`, or None for anything else."""
    with path.open("rb") as stream:
        return suffix_of_head(stream.read(_HEAD_BYTES))


def suffix_of_head(head: bytes) -> str | None:
    """The same by the first bytes of a file, `_HEAD_BYTES` or more where it is as long."""
    head = head[:_HEAD_BYTES]
    zipped = head.startswith(b"\x1f\x8b")
    inside = _inflated(head) if zipped else head
    if _is_nifti(inside):
        return ".nii.gz" if zipped else ".nii"
    if _is_mgh(inside):
        return ".mgz" if zipped else ".mgh"
    if zipped:
        return None
    if head[128:132] == b"DICM":
        return DICOM
    return next((suffix for mark, suffix in _MARKS if head.startswith(mark)), None)


def _is_nifti(head: bytes) -> bool:
    return head[344:347] in (b"n+1", b"ni1") or head[4:7] == b"n+2"


def _is_mgh(head: bytes) -> bool:
    """Version 1, sizes above 0, one frame, and a type of voxel that the format has."""
    if len(head) < 24:
        return False
    version, *sizes, frames, kind = struct.unpack(">6i", head[:24])
    return version == 1 and min(sizes) > 0 and frames == 1 and kind in (0, 1, 3, 4)


def _inflated(head: bytes) -> bytes:
    """The start of what a gzip file holds; never more than asked for, whatever the file would give."""
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _HEAD_BYTES)
    except zlib.error:
        return b""
