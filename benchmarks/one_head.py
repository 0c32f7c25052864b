"""Answers of pairs of one head, and how far those of strangers, mirrored and displaced ones lie from them.

    python -m benchmarks.one_head table made/cohort.tsv [more.tsv …] --out one_head.tsv
    python -m benchmarks.one_head check made/cohort.tsv

`table` writes what `sanum.workflow.one_head` compares with; `check` asks each pair of a cohort that gave no row of it
as it is, with its MRI mirrored, and with the next subject's MRI, and prints AUROC and how many are doubted.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.cohort.table import Row, read_cohort
from sanum.core.records import Scan
from sanum.evaluation.metrics import auroc
from sanum.formats import read_scan
from sanum.workflow.one_head import QUESTIONS, belonging_of, one_head

SEQUENCES = ("T1w", "T2w", "FLAIR")


def write_table(tables: Sequence[Path], out: Path) -> None:
    """A row a pair."""
    with out.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(("sequence", *QUESTIONS))
        for row in (row for table in tables for row in read_cohort(table).rows):
            for ct, mri in _pairs(row):
                writer.writerow((mri.modality, *(f"{value:.5f}" for value in belonging_of(ct, mri))))
                stream.flush()


def check(table: Path) -> None:
    """Print one line a sequence."""
    rows = read_cohort(table).rows
    for sequence in SEQUENCES:
        asked: dict[str, list[float]] = {"one head": [], "mirrored": [], "of another": []}
        doubted = dict.fromkeys(asked, 0)
        for number, row in enumerate(rows):
            ct, mri = read_scan(row.scans["CT"], "CT"), read_scan(row.scans[sequence], sequence)
            stranger = read_scan(_stranger(rows, number).scans[sequence], sequence)
            mirrored = replace(mri, voxels=np.ascontiguousarray(mri.voxels[::-1]))
            for kind, other in zip(asked, (mri, mirrored, stranger), strict=True):
                found = one_head(ct, other)
                assert found is not None
                asked[kind].append(max(found.surprise.values()))
                doubted[kind] += found.doubted
        own = asked.pop("one head")
        print(
            json.dumps(
                {
                    "pair": f"CT and {sequence}",
                    "n": len(own),
                    "highest of one head": round(max(own), 2),
                    "doubted": doubted,
                }
                | {
                    f"AUROC {kind}": round(
                        auroc(np.r_[own, found], np.r_[np.zeros(len(own)), np.ones(len(found))] > 0), 3
                    )
                    for kind, found in asked.items()
                }
                | {f"lowest {kind}": round(min(found), 2) for kind, found in asked.items()}
            ),
            flush=True,
        )


def _pairs(row: Row) -> Iterator[tuple[Scan, Scan]]:
    ct = read_scan(row.scans["CT"], "CT")
    for sequence in SEQUENCES:
        if sequence in row.scans:
            yield ct, read_scan(row.scans[sequence], sequence)


def _stranger(rows: Sequence[Row], number: int) -> Row:
    """The next row of another label map: persons of one map have one head, changed a little."""
    own = rows[number].subject.split("-")[0]
    others = [row for row in (*rows[number:], *rows[:number]) if row.subject.split("-")[0] != own]
    return others[0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("table", "check"))
    parser.add_argument("cohorts", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("one_head.tsv"))
    given = parser.parse_args()
    if given.verb == "table":
        write_table(given.cohorts, given.out)
    else:
        check(given.cohorts[0])
