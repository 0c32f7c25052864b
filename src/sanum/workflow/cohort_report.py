"""The cohort report of a folder of detections."""

from __future__ import annotations

import csv
from pathlib import Path

from sanum.core.errors import CohortError
from sanum.core.files import write_text
from sanum.report.cohort import CasePicture, cohort_page, notable_cases


def write_cohort_report(results: Path, *, model: str = "") -> Path:
    """Write `cohort.html` over what `sanum detect` left in a folder.

    Args:
        results: folder with `detections.tsv` and one folder a case.
        model: name of the model, for the heading.

    Raises:
        CohortError: no table of detections there.
        StorageError: the page can't be written.
    """
    table = results / "detections.tsv"
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            lines = list(csv.DictReader(stream, delimiter="\t"))
    except OSError as error:
        raise CohortError(f"{table}: can't be read ({error.strerror}); run `sanum detect` first") from error
    thresholds = {line["threshold"] for line in lines if line["threshold"]}
    pictures = {
        case: CasePicture(path.read_bytes(), "The most telling slice, bare and with the anomaly map")
        for case in notable_cases(lines)
        if (path := results / case / "overlay-01.png").exists()
    }
    page = cohort_page(
        lines,
        pictures,
        model=model or "the model",
        threshold=float(next(iter(thresholds))) if len(thresholds) == 1 else None,
    )
    write_text(results / "cohort.html", page)
    return results / "cohort.html"
