"""What a reader is: two functions, one for the header and one for header and voxels."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sanum.core.grid import Grid
from sanum.core.names import Format
from sanum.core.units import Volume


@dataclass(frozen=True, eq=False)
class Header:
    """What a file says about itself.

    Attributes:
        grid: where its voxels lie.
        facts: further plain JSON values for a person, such as the stored data type.
        is_image: a 2D picture without millimetres.
        notes: what is worth telling: units converted, sform and qform that disagree, …
        modality: what the scan shows, where the file itself says so.
        part: which of several parts the reader chose; None where it had no choice.
        part_name: what the part is called, for a person.
    """

    grid: Grid
    facts: dict[str, Any] = field(default_factory=dict)
    is_image: bool = False
    notes: tuple[str, ...] = ()
    modality: str | None = None
    part: str | None = None
    part_name: str = ""


@dataclass(frozen=True)
class Selection:
    """What of a file is asked for.

    Attributes:
        part: a series or a channel of it; None for the only one, or the one that a rule chooses.
        modality: what it should show; None where nobody said.
    """

    part: str | None = None
    modality: str | None = None


@dataclass(frozen=True)
class Reader:
    """One file format.

    Attributes:
        name: as people call it.
        suffixes: lower-case endings of its file names, the longer of two that overlap first.
        read_header: opens a file and reads no voxel.
        read: gives voxels (I, J, K) float32, not yet checked for contrast, and the header.
        parts: what the parts of a file are called; "" where a file is one scan.

    Both functions raise ScanError, or GeometryError for a bad affine, with the file's name.
    """

    name: str
    suffixes: tuple[str, ...]
    read_header: Callable[[Path, Selection], Header]
    read: Callable[[Path, Selection], tuple[Volume, Header]]
    parts: str = ""


def reader_of(one: Format) -> Reader:
    """The reader of a format, by its module's functions."""
    module = importlib.import_module(one.module)
    if one.parts:
        return Reader(one.name, one.suffixes, module.read_header, module.read, one.parts)
    return Reader(
        one.name, one.suffixes, lambda path, _: module.read_header(path), lambda path, _: module.read(path)
    )
