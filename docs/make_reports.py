"""Make the gallery of reports from a real run on generated subjects: python docs/make_reports.py [FOLDER].

Runs the demo (about two minutes), then copies one page of each kind into docs/gallery/reports: a case with a planted lesion,
the cohort of all test cases, the evaluation.
"""

from __future__ import annotations

import csv
import shutil
import sys
import tempfile
from pathlib import Path

from sanum.core.shipped import DEFAULT_MODEL
from sanum.workflow.demo import demo

GALLERY = Path(__file__).parent / "gallery" / "reports"


def main(folder: Path) -> None:
    """Run the demo into a scratch folder and keep its pages."""
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch)
        for line in demo(run):
            print(line)
        with (run / "results" / "detections.tsv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        lesion = max(
            (row for row in rows if row["label"] == "lesion"), key=lambda row: float(row["score"] or 0)
        )
        pages = {
            "case.html": run / "results" / lesion["case"] / "report.html",
            "cohort.html": run / "results" / "cohort.html",
            "evaluation.html": run / f"evaluation-{DEFAULT_MODEL}" / "evaluation.html",
        }
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            shutil.copy(page, folder / name)
            print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else GALLERY)
