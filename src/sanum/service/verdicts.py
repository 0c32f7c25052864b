"""What readers say of findings, so that a site can measure the model by its own eyes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from sanum.service.database import cases, verdicts

Word = Literal["agree", "disagree", "unsure"]
WORDS: tuple[str, ...] = get_args(Word)

COLUMNS = (
    *("case", "created", "model", "decision", "score", "p_value"),
    *("finding", "reader", "verdict", "given"),
)
"""Of the exported table: no label, which may name a patient."""


@dataclass(frozen=True)
class ReaderVerdict:
    """What one reader said of one finding; a later word takes the place of an earlier one.

    Attributes:
        finding: its rank.
        reader: name of the token.
        verdict: "agree", "disagree" or "unsure".
        given: seconds since 1970.
    """

    finding: int
    reader: str
    verdict: Word
    given: float


def give(engine: Engine, case: str, finding: int, reader: str, verdict: Word) -> None:
    """Keep a verdict; safe to do twice."""
    key = {"case": case, "finding": finding, "reader": reader}
    with engine.begin() as connection:
        connection.execute(verdicts.delete().filter_by(**key))
        connection.execute(verdicts.insert().values(**key, verdict=verdict, given=time.time()))


def of_case(engine: Engine, case: str) -> list[ReaderVerdict]:
    """All verdicts on a case, by finding and reader."""
    table = verdicts.c
    query = sa.select(table.finding, table.reader, table.verdict, table.given).where(table.case == case)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(table.finding, table.reader)).all()
    return [ReaderVerdict(*row) for row in rows]


def table(engine: Engine, submitters: frozenset[str] | None) -> str:
    """Every verdict as TSV, one a line, with the case's decision.

    Args:
        engine: the service's database.
        submitters: whose cases are shown; None for all.
    """
    joined = sa.join(verdicts, cases, verdicts.c.case == cases.c.id)
    query = sa.select(
        *(cases.c[name] for name in ("id", "created", "model", "decision", "score", "p_value")),
        *(verdicts.c[name] for name in ("finding", "reader", "verdict", "given")),
    ).select_from(joined)
    if submitters is not None:
        query = query.where(cases.c.submitter.in_(sorted(submitters)))
    with engine.connect() as connection:
        rows = connection.execute(
            query.order_by(cases.c.created, verdicts.c.finding, verdicts.c.reader)
        ).all()
    lines = ["\t".join("" if value is None else str(value) for value in row) for row in rows]
    return "\n".join(["\t".join(COLUMNS), *lines]) + "\n"
