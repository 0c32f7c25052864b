"""Tables over the records of a benchmark: Markdown, CSV and HTML."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sanum.core.files import write_text

SECONDS = ("facts", "seconds_a_case")
"""0 where the maps of an earlier run were taken."""

COLUMNS = (
    ("false alarms", ("decisions", 0, "false_alarms")),
    ("sensitivity", ("decisions", 0, "sensitivity")),
    ("Dice at 1 % of healthy voxels", ("pixels", "dice", "1 % of healthy voxels")),
    ("pixel AP", ("pixels", "ap")),
    ("AP per case", ("pixels", "subject_ap")),
    ("case AUROC", ("case_auroc", "model")),
    ("slice AUROC", ("slice_auroc", "top 0.5 %")),
    ("lesions found at 1 false finding", ("lesions", "sensitivity", "1")),
    ("best-possible Dice *", ("pixels", "best_dice")),
    ("seconds a case", SECONDS),
)
"""Heading and place of each figure in a record's evaluation; thresholds from healthy scans stand first."""

NOTE = (
    "Figure [95 % interval over subjects; exact for rates]; over several seeds mean ± SD [mean bounds]. "
    "* The threshold is chosen on the test lesions, so it can't be reached without labels."
)


def write_tables(records: Sequence[dict[str, Any]], out: Path) -> None:
    """Write `results.md`, `results.csv` and `results.html`, one row a detector and test set.

    Raises:
        StorageError: the folder can't be written.
    """
    from sanum.report.table import table_page

    header = [
        "test set",
        "detector",
        "seeds",
        "healthy + lesion",
        "prevalence",
        *(name for name, _ in COLUMNS),
    ]
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
    found = [record["evaluation"] for record in done]
    size = f"{found[0]['healthy']} + {found[0]['lesion']}" if found else "–"
    prevalence = _cell([_at(one, ("pixels", "prevalence")) for one in found[:1]])
    figures = [_cell([_at(one, place) for one in found]) for _, place in COLUMNS]
    return [group[0]["test"], group[0]["detector"], seeds, size, prevalence, *figures]


def _at(values: Any, place: Sequence[str | int]) -> tuple[float, ...] | None:
    """The figure at a place, with the bounds of its interval where it has one; None where it is undefined."""
    for step in place:
        if values is None or (isinstance(values, dict) and step not in values):
            return None
        values = values[step]
    if not isinstance(values, dict):
        taken_over = place == SECONDS and values == 0.0
        return None if values is None or taken_over else (float(values),)
    bounds = [values.get(name) for name in ("value", "low", "high")]
    return None if bounds[0] is None else tuple(float(one) for one in bounds if one is not None)


def _cell(figures: Sequence[tuple[float, ...] | None]) -> str:
    known = [figure for figure in figures if figure is not None]
    if not known:
        return "–"
    value, *bounds = (statistics.fmean(each) for each in zip(*known, strict=True))
    spread = f" ± {statistics.stdev(each[0] for each in known):.3f}" if len(known) > 1 else ""
    interval = f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if len(bounds) == 2 else ""
    return f"{value:.3f}{spread}{interval}"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + f"\n\n{NOTE}\n"


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    return text.getvalue()
