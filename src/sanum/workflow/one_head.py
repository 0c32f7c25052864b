"""Whether a CT and an MRI scan show one head: another patient, swapped sides or a slip are told before anything else."""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ScanError
from sanum.core.records import Scan
from sanum.core.shipped import FOLDER
from sanum.detectors.pair_expectation import Pair, belonging
from sanum.detectors.surprise import slice_table, surprise
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices
from sanum.prepare.steps.brain_mask import find_extracted

QUESTIONS = ("unexplained", "mirrored", "displaced")
"""In the order of `belonging`."""

HEALTHY = FOLDER / "one_head.tsv"
"""Answers of healthy pairs: columns sequence, and one a question."""

DOUBTED = 3.0
"""Decades of surprise from which a pair counts as none: one made pair of one head in a thousand reaches them."""

MEANS = {
    "unexplained": "they may be of two patients, or of one before and after surgery",
    "mirrored": "left and right of one may be exchanged",
    "displaced": "their registration slipped",
}


@dataclass(frozen=True)
class OneHead:
    """The answer for two scans.

    Attributes:
        sequence: of the MRI scan that stands beside CT.
        surprise: of each of `QUESTIONS`, how unusual the pair is beside pairs of one head, in decades.
    """

    sequence: str
    surprise: Mapping[str, float]

    @property
    def p_value(self) -> float:
        """Of the most unusual answer, times the number of questions."""
        return float(min(1.0, len(self.surprise) * 10.0 ** -max(self.surprise.values())))

    @property
    def doubted(self) -> bool:
        """Whether the two scans do not seem to be of one head."""
        return max(self.surprise.values()) >= DOUBTED

    def sentence(self) -> str:
        """What a person should know and do."""
        told = ", ".join(f"{name} {value:.1f}" for name, value in self.surprise.items())
        if not self.doubted:
            return f"CT and {self.sequence} seem to be of one head ({told} decades of surprise)."
        worst = max(self.surprise, key=lambda name: self.surprise[name])
        return (
            f"CT and {self.sequence} do not seem to be of one head: {MEANS[worst]} ({told} decades of surprise). Check "
            "names, dates and side markers before anything else."
        )


def one_head(ct: Scan, mri: Scan) -> OneHead | None:
    """Ask whether a CT and an MRI scan show one head, whole with skull and scalp.

    Each predicts the other place by place by a table read off the pair itself (`sanum.detectors.pair_expectation`); how
    much stays unexplained, and how much more would be explained mirrored or displaced, is compared with made pairs.

    Args:
        ct: in Hounsfield units, a volume.
        mri: volume of T1w, T2w or FLAIR; it is registered to the CT where it lies on another grid.

    Returns:
        None where it can't be asked: of another sequence, of an extracted brain.

    Raises:
        ScanError: the two can't be laid on each other, or show no outline of a head.
    """
    sequence = mri.modality
    if sequence not in healthy_answers() or sequence is None or find_extracted(mri) is not None:
        return None
    answers, tables = belonging_of(ct, mri), healthy_answers()[sequence]
    found = {
        name: float(surprise(np.array(answer), slice_table(own)))
        for name, answer, own in zip(QUESTIONS, answers, tables.T, strict=True)
    }
    return OneHead(sequence, found)


def belonging_of(ct: Scan, mri: Scan) -> NDArray[np.float64]:
    """(3,) the answers to `QUESTIONS`, each the lower the better the two belong together.

    Raises:
        ScanError: see `one_head`.
    """
    name = mri.modality
    if name is None:
        raise ScanError(
            f"{mri.source.path}: of no known sequence, so that nothing says what it should look like"
        )
    how = Slices(("CT", name), region="head", ct_windows=("bone",))
    prepared = prepare({"CT": ct, name: mri}, how, case="pair", subject="pair", as_called=True)
    return belonging(Pair.of(prepared))


@functools.cache
def healthy_answers() -> Mapping[str, NDArray[np.float64]]:
    """(n, 3) answers of pairs of one head, by the sequence beside CT."""
    rows: dict[str, list[list[float]]] = {}
    with HEALTHY.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream, delimiter="\t"):
            rows.setdefault(row["sequence"], []).append([float(row[name]) for name in QUESTIONS])
    return {sequence: np.array(answers) for sequence, answers in rows.items()}
