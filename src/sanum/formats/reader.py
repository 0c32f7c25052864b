"""What a reader is: two functions, one for the header and one for header and voxels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sanum.core.grid import Grid
from sanum.core.units import Volume


@dataclass(frozen=True, eq=False)
class Header:
    """What a file says about itself.

    Attributes:
        grid: where its voxels lie.
        facts: further plain JSON values for a person, such as the stored data type.
        is_image: a 2D picture without millimetres.
        notes: what is worth telling: units converted, sform and qform that disagree, …
    """

    grid: Grid
    facts: dict[str, Any] = field(default_factory=dict)
    is_image: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """One file format.

    Attributes:
        name: as people call it.
        suffixes: lower-case endings of its file names, the longer of two that overlap first.
        read_header: opens a file and reads no voxel.
        read: gives voxels (I, J, K) float32, not yet checked for contrast, and the header.

    Both functions raise ScanError, or GeometryError for a bad affine, with the file's name.
    """

    name: str
    suffixes: tuple[str, ...]
    read_header: Callable[[Path], Header]
    read: Callable[[Path], tuple[Volume, Header]]
