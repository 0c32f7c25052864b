"""Which rows of a table are not scans of one head, by a pair model's own scores of the pair."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from sanum.cohort.table import Cohort, Row
from sanum.core.errors import CohortError, ScanError
from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.model import Model, load
from sanum.workflow.detect import require_input_kind
from sanum.workflow.one_head import healthy_answers, one_head
from sanum.workflow.prepare import prepare_scans, read_row

PAIR, FUSED = "pair: ", "mispaired"
"""Start of the names of a map's parts that are about the pair as a whole, and the one in which they are fused."""

LEVEL = 0.05
"""Share of true pairs that may be told apart: as often healthy pairs of the model's training exceed `TOLD`."""

TOLD = -math.log10(LEVEL)
"""Decades of surprise from which a pair is told apart."""

COLUMN = "not_one_head"
"""Column of the table that names the doubt of a row."""

MOST = 1 / 3
"""Share of pairs told apart from which a table counts as none: re-paired heads are not all told."""

NAMED = 10
"""Rows that a sentence names at most."""

MEANING: Mapping[str, str] = {
    "mirrored": "left and right exchanged?",
    "displaced": "slipped, or another head?",
    "unexplained": "another head, visit or body part?",
    FUSED: "another head, sides exchanged or slipped?",
}
"""What a score of the pair hints at most; re-paired heads raise the first two as well."""


@runtime_checkable
class OfPairs(Protocol):
    """A detector that can be asked of the pair alone."""

    def of_the_pair(self, case: Prepared) -> dict[str, float]:
        """Decades of surprise, by the names of the map's parts."""
        ...


@dataclass(frozen=True)
class Doubt:
    """A row whose scans don't look like one head.

    Attributes:
        case: of the row.
        decades: surprise of the pair's fused score beside healthy pairs.
        by: the score that is most surprised.
    """

    case: str
    decades: float
    by: str

    def __str__(self) -> str:
        return f"{self.decades:.1f} decades, {MEANING[self.by]}"


@dataclass(frozen=True)
class PairDoubts:
    """What a pair model says of the pairs of a table.

    Attributes:
        model: its name.
        judged: pairs that could be compared.
        doubts: those told apart at `LEVEL`, the most surprising first.
        refused: pairs that could not be compared, and why.
    """

    model: str
    judged: int
    doubts: tuple[Doubt, ...]
    refused: Mapping[str, str]

    @property
    def really(self) -> bool:
        """Whether the table counts as pairs: not if more than `MOST` of them are told apart."""
        return len(self.doubts) <= MOST * self.judged

    def sentence(self) -> str:
        """What a person should know."""
        told = (
            f"{self.model} tells {len(self.doubts)} of {self.judged} pairs from pairs of one head "
            f"(by chance about {LEVEL * self.judged:.0f})"
        )
        refused = [f"; {len(self.refused)} could not be compared"] if self.refused else []
        if self.really:
            named = [f"{one.case} ({one})" for one in self.doubts[:NAMED]]
            look = [f"; look at these first: {', '.join(named)}"] if named else []
            return "".join([f"pairs checked: {told}", *refused, *look])
        return "".join(
            [f"NOT REALLY PAIRED: {told}", *refused, "; nothing may be learned from comparing them"]
        )


def check_pairs(cohort: Cohort, model: Model, on_done: Callable[[str], None] = lambda _: None) -> PairDoubts:
    """Ask a pair model of every row that has both its modalities whether they are one head.

    Args:
        cohort: with the files of both modalities in a row.
        model: of two modalities, of a recipe that scores the pair; it need not be calibrated. Or one that judges each
            modality by itself, such as `sanum-pair`: then CT is asked beside T1w, T2w or FLAIR (`one_head`), as volumes.
        on_done: called with the name of each row.

    Raises:
        CohortError: a model of other modalities than the table's, or one that has no score of the pair.
    """
    wanted = model.preparation.modalities
    rows = [row for row in cohort if _pair_of(model, row)]
    if not rows:
        raise CohortError(
            f"{model.name} takes {', '.join(wanted)}, the rows of {cohort.path} have {', '.join(cohort.modalities)}; "
            "give a model of two modalities that rows have"
        )
    found: dict[str, Doubt] = {}
    refused: dict[str, str] = {}
    for row in rows:
        try:
            found[row.case] = _doubt(model, row)
        except ScanError as error:
            refused[row.case] = str(error)
        on_done(row.case)
    doubts = [one for one in found.values() if one.decades >= TOLD]
    doubts.sort(key=lambda one: -one.decades)
    return PairDoubts(model.name, len(found), tuple(doubts), refused)


def ask(cohort: Cohort, model: Path, on_done: Callable[[str], None]) -> tuple[Cohort, PairDoubts]:
    """`check_pairs` by a model file or a shipped model, and the table with its doubts marked."""
    found = check_pairs(cohort, load(find_model(model)), on_done)
    return marked(cohort, found), found


def marked(cohort: Cohort, found: PairDoubts) -> Cohort:
    """The table with a column that names the doubt of each row told apart."""
    doubts = {one.case: str(one) for one in found.doubts}
    rows = [
        replace(row, extra={**row.extra, COLUMN: doubts[row.case]}) if row.case in doubts else row
        for row in cohort
    ]
    return replace(cohort, rows=tuple(rows))


def pair_surprises(model: Model, prepared: Prepared) -> dict[str, float]:
    """Decades of surprise of each of a model's scores of the pair, by the names in `MEANING`.

    Raises:
        CohortError: the model has none.
    """
    if isinstance(model.detector, OfPairs):
        found = model.detector.of_the_pair(prepared)
    else:
        parts = model.detector.score(prepared).parts
        found = {name: float(np.nanmax(values)) for name, values in parts.items()}
    named = {kind: found[PAIR + kind] for kind in MEANING if PAIR + kind in found}
    if FUSED not in named:
        raise CohortError(
            f"{model.name} has no score of the pair; give a model of recipe pair-fit or cross-modal"
        )
    return named


def _pair_of(model: Model, row: Row) -> tuple[str, ...]:
    """The two modalities of a row that are asked; none where it lacks them, or the model takes other than two."""
    wanted = model.preparation.modalities
    if model.takes_each:
        wanted = ("CT", next((name for name in healthy_answers() if name in row.scans), ""))
    return wanted if len(wanted) == 2 and set(wanted) <= set(row.scans) else ()


def _asked_of_scans(row: Row, pair: tuple[str, ...]) -> dict[str, float]:
    """Decades by the names in `MEANING`, from made pairs of whole heads and no model."""
    ct, mri = read_row(row, pair).scans.values()
    if ct.is_image:
        raise ScanError(
            f"{ct.source.path}: a 2D image, of which one head is asked by a model of pictures only"
        )
    found = one_head(ct, replace(mri, modality=pair[1]))
    if found is None:
        raise ScanError(
            f"{mri.source.path}: no whole head with skull and scalp, so nothing tells whose it is"
        )
    return {**found.surprise, FUSED: -math.log10(found.p_value)}


def _doubt(model: Model, row: Row) -> Doubt:
    pair = _pair_of(model, row)
    if model.takes_each:
        surprises = _asked_of_scans(row, pair)
    else:
        files = read_row(row, pair)
        require_input_kind(model, files.scans[pair[0]])
        surprises = pair_surprises(model, prepare_scans(files, model.preparation))
    decades = surprises.pop(FUSED)
    by = max(surprises, key=lambda kind: surprises[kind], default=FUSED)
    return Doubt(row.case, decades, by)
