"""Tables over the records of a benchmark: Markdown, CSV and HTML."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sanum.core.files import write_text

COLUMNS = (
    ("false alarms", ("decisions", 0, "false_alarms", "value")),
    ("sensitivity", ("decisions", 0, "sensitivity", "value")),
    ("Dice at 1 % of healthy voxels", ("pixels", "dice", "1 % of healthy voxels", "value")),
    ("pixel AP", ("pixels", "ap", "value")),
    ("prevalence", ("pixels", "prevalence")),
    ("AP per case", ("pixels", "subject_ap", "value")),
    ("case AUROC", ("case_auroc", "model", "value")),
    ("lesions found at 1 false finding", ("lesions", "sensitivity", "1", "value")),
    ("best-possible Dice *", ("pixels", "best_dice", "value")),
    ("seconds a case", ("facts", "seconds_a_case")),
)
"""Heading and place of each figure in a record's evaluation; thresholds from healthy scans stand first."""

NOTE = "Mean ± SD over seeds. * The threshold is chosen on the test lesions, so it can't be reached without labels."


def write_tables(records: Sequence[dict[str, Any]], out: Path) -> None:
    """Write `results.md`, `results.csv` and `results.html`, one row a detector and test set.

    Raises:
        StorageError: the folder can't be written.
    """
    from sanum.report.table import table_page

    header = ["test set", "detector", "seeds", *(name for name, _ in COLUMNS)]
    rows = [_row(group) for group in _groups(records)]
    write_text(out / "results.md", _markdown(header, rows))
    write_text(out / "results.csv", _csv(header, rows))
    write_text(out / "results.html", table_page("Benchmark", header, rows, NOTE))


def _groups(records: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        groups.setdefault((record["test"], record["detector"]), []).append(record)
    return [groups[key] for key in sorted(groups, key=lambda key: key[0])]


def _row(group: Sequence[dict[str, Any]]) -> list[str]:
    done = [record for record in group if record["status"] == "done"]
    seeds = f"{len(done)}" if len(done) == len(group) else f"{len(done)} of {len(group)}"
    figures = [_cell([_at(record["evaluation"], place) for record in done]) for _, place in COLUMNS]
    return [group[0]["test"], group[0]["detector"], seeds, *figures]


def _at(values: Any, place: Sequence[str | int]) -> float | None:
    for step in place:
        if values is None or (isinstance(values, dict) and step not in values):
            return None
        values = values[step]
    return None if values is None else float(values)


def _cell(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = statistics.fmean(known)
    return f"{mean:.3f}" if len(known) == 1 else f"{mean:.3f} ± {statistics.stdev(known):.3f}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{NOTE}\n"


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
