"""Which series a source holds, and what each of them is."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from sanum.core.errors import ScanError
from sanum.formats.dicom.acquisition import Acquisition, positive
from sanum.formats.dicom.contrast import contrast_of
from sanum.formats.dicom.frames import Frame, Head, read_head
from sanum.formats.dicom.kinds import unfit
from sanum.formats.dicom.sources import Opener
from sanum.formats.dicom.stack import SAME_PLACE_MM, Stack, stack_of

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)

KINDS = ("MR", "CT")


@dataclass(frozen=True, eq=False)
class Series:
    """One volume of a series, or a series that is none.

    Attributes:
        number: as the scanner counts, with ".1", ".2", … where a series holds several volumes.
        uid: series instance UID.
        study: study instance UID.
        description: as the scanner's operator wrote it.
        kind: DICOM modality, "MR" or "CT".
        contrast: "CT", or what an MR series' headers say plainly; else None.
        frames: its slices.
        arranged: how they make a volume; None with a fault.
        acquisition: how it was acquired.
        fault: why they make none.
        label: what tells the volume from the others of its series.
        unfit: what it is where it is no plain volume of a head: a localizer, a map, …
    """

    number: str
    uid: str
    study: str
    description: str
    kind: str
    contrast: str | None
    frames: tuple[Frame, ...]
    arranged: Stack | None
    acquisition: Acquisition
    fault: str = ""
    label: str = ""
    unfit: str = ""

    @property
    def stack(self) -> Stack:
        """How the frames make a volume; only for series without a fault."""
        if self.arranged is None:
            raise ScanError(f"series {self.number}: {self.fault}")
        return self.arranged

    @property
    def types(self) -> frozenset[str]:
        """Values of ImageType and FrameType, upper case."""
        return _types(self.frames[0])

    @property
    def coverage_mm(self) -> float:
        """Length of the stack along its slices."""
        return self.stack.shape[2] * float(np.linalg.norm(self.stack.affine[:3, 2]))

    @property
    def order(self) -> tuple[float, ...]:
        """As the scanner counts; series without a number come last."""
        try:
            return tuple(float(part) for part in self.number.split("."))
        except ValueError:
            return (float("inf"),)

    @property
    def name(self) -> str:
        """Number and description."""
        return f"{self.number} {self.description or self.contrast or self.kind}"

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON form for a list."""
        shape = self.frames[0].shape if self.arranged is None else self.arranged.shape
        told = {"label": self.label, "kind": self.unfit, "fault": self.fault}
        return {
            "number": self.number,
            "description": self.description,
            "modality": self.contrast or self.kind,
            "frames": len(self.frames),
            "shape": list(shape),
            **{name: text for name, text in told.items() if text},
        }

    def __str__(self) -> str:
        told = self.to_dict()
        size = " x ".join(str(length) for length in told["shape"])
        parts = [f"{told['modality']} {self.description}".strip(), f"{len(self.frames)} frames, {size}"]
        return "; ".join(
            [f"{self.number}: {parts[0]}", *parts[1:], *filter(None, [self.label, self.unfit, self.fault])]
        )


def list_series(path: Path, openers: Sequence[Opener]) -> tuple[list[Series], int]:
    """All series of one patient, in the order of their numbers, and how many files are no DICOM picture.

    Raises:
        ScanError: no DICOM, damaged, or files of more than one patient.
    """
    heads = []
    for source, opener in enumerate(openers):
        with opener() as stream:
            head = read_head(path, stream, source)
        if head is not None:
            heads.append(head)
    if not heads:
        raise ScanError(
            f"{path}: no DICOM picture among {len(openers)} files; expected the files of a series as exported"
        )
    patients = {head.patient for head in heads}
    if len(patients) > 1:
        raise ScanError(
            f"{path}: files of {len(patients)} patients; give each patient's files their own folder"
        )
    listed = [one for group in _groups(heads, lambda head: head.series) for one in _series(group)]
    return sorted(listed, key=lambda one: one.order), len(openers) - len(heads)


def _series(heads: Sequence[Head]) -> list[Series]:
    """The volumes of one series; files that are there twice count once."""
    first = heads[0]
    frames = {(frame.uid, frame.index, frame.position): frame for head in heads for frame in head.frames}
    fault = next((head.fault for head in heads if head.fault), "")
    if first.modality not in KINDS:
        fault = f"modality {first.modality or 'not told'}, neither MR nor CT"
    elif first.modality == "CT" and any(frame.intercept is None for frame in frames.values()):
        fault = "CT without rescale intercept, so Hounsfield units are not known"
    parts = [("", list(frames.values()))] if fault else _volumes(list(frames.values()))
    repeated = sum(len(head.frames) for head in heads) - len(frames)
    notes = (f"{repeated} files are there twice and count once",) if repeated > 0 else ()
    return [
        _volume(first, index if len(parts) > 1 else None, label, part, fault, notes)
        for index, (label, part) in enumerate(parts, 1)
    ]


def _volume(
    head: Head, index: int | None, label: str, frames: list[Frame], fault: str, notes: tuple[str, ...]
) -> Series:
    arranged = None
    if not fault:
        try:
            arranged = stack_of(frames)
        except ScanError as error:
            fault = str(error)
    if arranged is not None and notes:
        arranged = replace(arranged, notes=(*arranged.notes, *notes))
    number = (head.number or "0") if index is None else f"{head.number or '0'}.{index}"
    echo = positive(_label(frames[0], "echo time") or _label(frames[0], "classic echo time"))
    told = contrast_of(head.description, head.contrast_agent, head.acquisition, echo)
    kind = unfit(
        head.description,
        head.acquisition,
        _types(frames[0]),
        is_ct=head.modality == "CT",
        b_value=positive(_label(frames[0], "b-value")) or 0.0,
        slices=None if fault else len(frames),
    )
    return Series(
        number,
        head.series,
        head.study,
        head.description,
        head.modality,
        "CT" if head.modality == "CT" else told,
        tuple(frames),
        arranged,
        head.acquisition,
        fault,
        label,
        kind,
    )


def _types(frame: Frame) -> frozenset[str]:
    told = "/".join(_label(frame, name) for name in ("type", "image type", "kind"))
    return frozenset(told.upper().split("/")) - {""}


def _volumes(frames: list[Frame]) -> list[tuple[str, list[Frame]]]:
    """Frames told apart by one label, or by all, where several lie at one place; each with its label."""
    if _places(frames) == len(frames):
        return [("", frames)]
    names = [name for name in dict(frames[0].labels) if len({_label(frame, name) for frame in frames}) > 1]
    for chosen in [*([name] for name in names), names]:
        parts = _groups(frames, functools.partial(_labels, names=chosen))
        if len(parts) > 1 and all(_places(part) == len(part) for part in parts):
            parts.sort(key=lambda part: _natural(", ".join(_labels(part[0], names))))
            return [(", ".join(f"{n} {_label(part[0], n)}" for n in chosen), part) for part in parts]
    return [("", frames)]


def _natural(text: str) -> list[tuple[bool, float, str]]:
    """Order in which 9 comes before 10."""
    words = re.findall(r"[0-9.]*[0-9]|[^0-9]+", text)
    return [
        (word[0].isalpha(), float(word) if re.fullmatch(r"\d+(\.\d+)?", word) else 0.0, word)
        for word in words
    ]


def _places(frames: Iterable[Frame]) -> int:
    """Number of different places, orientation included."""
    return len(
        {
            tuple(round(value / SAME_PLACE_MM) for value in (*(frame.position or ()), *(frame.along or ())))
            for frame in frames
        }
    )


def _label(frame: Frame, name: str) -> str:
    return dict(frame.labels).get(name, "")


def _labels(frame: Frame, names: Sequence[str]) -> tuple[str, ...]:
    return tuple(_label(frame, name) for name in names)


def _groups(items: Iterable[Item], key: Callable[[Item], Key]) -> list[list[Item]]:
    found: dict[Key, list[Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return list(found.values())
