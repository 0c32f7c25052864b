"""Batches of slices from cases that may be far larger than memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import TrainingError
from sanum.core.files import json_sha256
from sanum.core.records import MIN_SLICE_VOXELS, Prepared

T = TypeVar("T")

WHOLE = -1
"""Depth of a stack that holds all slices of its case."""

Images = NDArray[np.float32]
"""A batch of slices (N, C, I, J), or of stacks of adjacent slices (N, C, K, I, J), values in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Slices:
    """The axial slices of some cases that show enough of the brain.

    Attributes:
        cases: where the voxels lie; only slices of a batch are read, so memory maps stay on disk.
        index: (n, 2), case number and k of each slice.
        depth: adjacent slices around each that are read with it; 0 reads the slice alone.
    """

    cases: Sequence[Prepared]
    index: NDArray[np.int64]
    depth: int = 0

    @staticmethod
    def of(cases: Sequence[Prepared], depth: int = 0) -> Slices:
        """Index the slices of `cases` that hold `MIN_SLICE_VOXELS` of mask (or the case's most, if fewer).

        With `depth` each comes as a stack (C, depth, I, J) around it; the ends of a case are repeated. `WHOLE` gives
        each case once, as one stack of all its slices.

        Raises:
            TrainingError: the cases' slices differ in size, or whole cases in their number.
        """
        _refuse_mixed_sizes(cases, whole=depth == WHOLE)
        if depth == WHOLE:
            height = cases[0].voxels.shape[3] if cases else 0
            middles = [(number, height // 2) for number in range(len(cases))]
            return Slices(cases, np.array(middles, dtype=np.int64).reshape(-1, 2), height)
        rows = [(number, k) for number, case in enumerate(cases) for k in _usable_slices(case)]
        return Slices(cases, np.array(rows, dtype=np.int64).reshape(-1, 2), depth)

    def __len__(self) -> int:
        return len(self.index)

    def batches(self, size: int, order: NDArray[np.int64] | None = None) -> Iterator[Images]:
        """Yield batches of `size` slices (the last may be smaller), in `order` or as indexed."""
        rows = self.index if order is None else self.index[order]
        for start in range(0, len(rows), size):
            yield self._gather(rows[start : start + size])

    def shuffled(self, size: int, seed: int, epoch: int) -> Iterator[Images]:
        """Yield one epoch of batches in an order that depends on seed and epoch alone."""
        return self.batches(size, np.random.default_rng([seed, epoch]).permutation(len(self)))

    def _gather(self, rows: NDArray[np.int64]) -> Images:
        channels, *plane, _ = self.cases[0].voxels.shape
        depth = (self.depth,) if self.depth else ()
        images = np.empty((len(rows), channels, *depth, *plane), dtype=np.float32)
        stack = np.arange(self.depth) - self.depth // 2
        for image, (number, k) in zip(images, rows, strict=True):
            voxels = self.cases[number].voxels
            if self.depth == 0:
                image[...] = voxels[..., k]
            else:
                image[...] = np.moveaxis(voxels[..., (k + stack).clip(0, voxels.shape[3] - 1)], 3, 1)
        return images


class CaseSubset(Sequence[Prepared]):
    """Some of the cases, in an order; a case is asked for only when it is used, so that it may stay on disk.

    Args:
        cases: all of them.
        numbers: which.
    """

    def __init__(self, cases: Sequence[Prepared], numbers: Sequence[int]) -> None:
        self._cases, self._numbers = cases, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Prepared: ...
    @overload
    def __getitem__(self, index: slice) -> CaseSubset: ...
    def __getitem__(self, index: int | slice) -> Prepared | CaseSubset:
        if isinstance(index, slice):
            return CaseSubset(self._cases, self._numbers[index])
        return self._cases[self._numbers[index]]


def split_subjects(cases: Sequence[Prepared], share: float, seed: int) -> tuple[CaseSubset, CaseSubset]:
    """Part cases into training and validation, never a subject into both.

    With share above 0 and two subjects or more at least one subject validates and at least one trains; a
    single subject always trains.

    Args:
        cases: healthy cases.
        share: part of the subjects kept for validation, 0 to below 1.
        seed: decides which; the order of the cases does not.
    """
    shown = [case.subject for case in cases]
    subjects = sorted(set(shown))
    count = min(max(1, round(share * len(subjects))), len(subjects) - 1) if share > 0.0 else 0
    chosen = {subjects[n] for n in np.random.default_rng(seed).permutation(len(subjects))[:count]}
    training = [number for number, subject in enumerate(shown) if subject not in chosen]
    validation = [number for number, subject in enumerate(shown) if subject in chosen]
    return CaseSubset(cases, training), CaseSubset(cases, validation)


def cases_sha256(cases: Sequence[Prepared]) -> str:
    """Identity of a training set, from what each case came from; voxels are not read."""
    facts = [
        [
            case.case,
            case.subject,
            case.preparation,
            list(case.modalities),
            list(case.grid.shape),
            [source.sha256 for source in case.sources],
        ]
        for case in cases
    ]
    return json_sha256(facts)


def prefetched(items: Iterator[T]) -> Iterator[T]:
    """Pass items on while a thread already makes the next one, so that reading hides behind computing."""
    with ThreadPoolExecutor(max_workers=1) as worker:
        pending = worker.submit(next, items, None)
        while (item := pending.result()) is not None:
            pending = worker.submit(next, items, None)
            yield item


def _usable_slices(case: Prepared) -> NDArray[np.int64]:
    counts = case.mask.sum(axis=(0, 1))
    floor = max(1, min(MIN_SLICE_VOXELS, int(counts.max())))
    return np.flatnonzero(counts >= floor)


def _refuse_mixed_sizes(cases: Sequence[Prepared], *, whole: bool) -> None:
    first, axes = (cases[0] if cases else None), 4 if whole else 3
    for case in cases:
        if first is not None and case.voxels.shape[:axes] != first.voxels.shape[:axes]:
            what = "voxels (C, I, J, K)" if whole else "slices (C, I, J)"
            raise TrainingError(
                f"{case.case}: {what} = {case.voxels.shape[:axes]}, but {first.case} has "
                f"{first.voxels.shape[:axes]}; prepare all training cases with one preset"
            )
