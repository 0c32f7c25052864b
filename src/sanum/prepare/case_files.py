"""One prepared case as files: an array a file, laid out by slices, and the rest as plain JSON."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from sanum.core.grid import Grid
from sanum.core.quality import CaseQuality
from sanum.core.records import Prepared, Source, Step

ARRAYS_A_CASE = 3
"""Files that an open case maps at most: slices, mask, lesion."""

MOST_OPEN = 10_000
"""Cases open at once where the limit on files allows more: Linux gives a process 65,530 mapped areas."""

OTHER_FILES = 128
"""Left to everything else in the process: libraries, logs, other stores."""


def save_arrays(folder: Path, prepared: Prepared) -> None:
    """Write `slices.npy` (K, C, I, J) float32, `mask.npy` (K, I, J) and, where there is one, `lesion.npy`.

    Voxels in half precision stay so.
    """
    kind = np.float16 if prepared.voxels.dtype == np.float16 else np.float32
    np.save(folder / "slices.npy", np.ascontiguousarray(prepared.voxels.transpose(3, 0, 1, 2), kind))
    np.save(folder / "mask.npy", np.ascontiguousarray(prepared.mask.transpose(2, 0, 1)))
    if prepared.lesion is not None:
        np.save(folder / "lesion.npy", np.ascontiguousarray(prepared.lesion.transpose(2, 0, 1)))


def facts_of(prepared: Prepared) -> dict[str, Any]:
    """All of a case but its name and arrays, as plain JSON."""
    plain = {
        "subject": prepared.subject,
        "modalities": prepared.modalities,
        "preparation": prepared.preparation,
        "grid": prepared.grid.to_dict(),
        "native": prepared.native.to_dict(),
        "to_model": prepared.to_model.tolist(),
        "is_image": prepared.is_image,
        "sources": prepared.sources,
        "steps": prepared.steps,
        "lesion": prepared.lesion is not None,
        "half": prepared.voxels.dtype == np.float16,
        "quality": prepared.quality,
    }
    return cast(dict[str, Any], msgspec.to_builtins(plain))


def open_case(folder: Path, case: str, facts: dict[str, Any]) -> Prepared:
    """Inverse of `save_arrays` and `facts_of`; the arrays are memory-mapped, read-only views.

    Raises:
        OSError, KeyError, TypeError, ValueError, EOFError: a file is missing, damaged, or does not fit the facts.
    """
    grid = Grid.from_dict(facts["grid"])
    i, j, k = grid.shape
    modalities = tuple(facts["modalities"])
    kind = np.float16 if facts.get("half") else np.float32
    voxels = _mapped(folder / "slices.npy", (k, len(modalities), i, j), kind)
    mask = _mapped(folder / "mask.npy", (k, i, j), np.bool_)
    lesion = _mapped(folder / "lesion.npy", (k, i, j), np.bool_) if facts["lesion"] else None
    return Prepared(
        case=case,
        subject=facts["subject"],
        voxels=voxels.transpose(1, 2, 3, 0),
        mask=mask.transpose(1, 2, 0),
        grid=grid,
        modalities=modalities,
        preparation=facts["preparation"],
        native=Grid.from_dict(facts["native"]),
        to_model=np.array(facts["to_model"], dtype=np.float64),
        is_image=facts["is_image"],
        sources=msgspec.convert(facts["sources"], tuple[Source, ...]),
        steps=tuple(Step(**step) for step in facts["steps"]),
        lesion=None if lesion is None else lesion.transpose(1, 2, 0),
        quality=msgspec.convert(facts.get("quality"), CaseQuality | None),
    )


def open_at_once(cases: int) -> int:
    """How many of so many cases this process may have open: each mapped array holds a file open.

    The limit on open files is raised as far as the system allows where it is too low for all.
    """
    try:
        import resource
    except ImportError:
        return min(cases, MOST_OPEN)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < cases * ARRAYS_A_CASE + OTHER_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return min(cases, MOST_OPEN)
    return max(1, min(cases, MOST_OPEN, (soft - OTHER_FILES) // ARRAYS_A_CASE))


def _mapped(path: Path, shape: tuple[int, ...], kind: type[Any]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        if error.errno != errno.EMFILE or not _allow_more_files():
            raise
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.shape != shape or array.dtype != kind:
        raise ValueError(f"{path.name}: expected {shape} {kind.__name__}, got {array.shape} {array.dtype}")
    return array


def _allow_more_files() -> bool:
    """Raise this process's limit on open files to what the system allows: each mapped array holds one open."""
    try:
        import resource
    except ImportError:
        return False
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True
