"""The report of a cohort: every case in a table that sorts, distributions, and the cases to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sanum.report import page
from sanum.report.curves import score_figure
from sanum.report.sortable import SORTER

SHOWN = 6
"""Cases pictured of each kind: the worst, the best, the healthy false alarms."""

COLUMNS = (
    "case",
    "label",
    "site",
    "status",
    "rule",
    "score",
    "p_value",
    "findings",
    "largest_finding",
    "significant_findings",
    "significant_size",
    "warnings",
    "reason",
)
"""Columns of the table of detections that the page shows, where the table has them."""


@dataclass(frozen=True)
class CasePicture:
    """A picture of one case: PNG bytes and what it shows."""

    png: bytes
    caption: str


def cohort_page(
    lines: Sequence[Mapping[str, str]],
    pictures: Mapping[str, CasePicture],
    *,
    model: str,
    threshold: float | None,
) -> str:
    """One self-contained HTML page over many detections.

    Args:
        lines: rows of `detections.tsv`.
        pictures: by case; cases without one are named only.
        model: name of the model.
        threshold: of the decision, for the chart; None where it differs between cases.
    """
    columns = [name for name in COLUMNS if any(line.get(name) for line in lines)]
    counts: dict[str, int] = {}
    for line in lines:
        counts[line["status"]] = counts.get(line["status"], 0) + 1
    return page.render(
        "cohort.html.j2",
        script=SORTER,
        model=model,
        counts=counts,
        columns=columns,
        lines=lines,
        chart=_chart(lines, threshold),
        groups=[
            (title, [(line, pictures.get(line["case"])) for line in chosen])
            for title, chosen in _groups(lines)
            if chosen
        ],
    )


def notable_cases(lines: Sequence[Mapping[str, str]]) -> list[str]:
    """Cases that the page pictures."""
    return list(dict.fromkeys(line["case"] for _, chosen in _groups(lines) for line in chosen))


def _groups(lines: Sequence[Mapping[str, str]]) -> list[tuple[str, list[Mapping[str, str]]]]:
    judged = sorted((line for line in lines if line["score"]), key=lambda line: -float(line["score"]))
    groups = [
        ("Healthy cases called abnormal (false alarms)", _of(judged, "healthy", "abnormal")),
        ("Lesion cases called normal (missed)", _of(judged[::-1], "lesion", "normal")),
        ("Highest scores", judged),
        ("Lowest scores", judged[::-1]),
        ("Refused", [line for line in lines if line["status"] == "refused"]),
    ]
    seen: set[str] = set()
    chosen = []
    for title, members in groups:
        fresh = [line for line in members if line["case"] not in seen][:SHOWN]
        seen.update(line["case"] for line in fresh)
        chosen.append((title, fresh))
    return chosen


def _of(lines: Sequence[Mapping[str, str]], label: str, status: str) -> list[Mapping[str, str]]:
    return [line for line in lines if line.get("label") == label and line["status"] == status]


def _chart(lines: Sequence[Mapping[str, str]], threshold: float | None) -> bytes | None:
    judged = [line for line in lines if line["score"]]
    if not judged:
        return None
    scores = np.array([float(line["score"]) for line in judged])
    return score_figure(scores, [line.get("label") or "unknown" for line in judged], threshold)
