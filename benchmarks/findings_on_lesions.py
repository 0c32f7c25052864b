"""Which findings of judged cases overlap the marked lesion.

    python -m benchmarks.findings_on_lesions TABLE RESULTS

TABLE is a cohort table with lesion masks, RESULTS the folder that `sanum detect MODEL TABLE --out RESULTS` wrote. A line
a case: the lesion's size, the significant findings, and how much of the lesion they cover.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from sanum.cohort.table import Row, read_cohort
from sanum.formats import read_mask, read_scan


def told(row: Row, folder: Path) -> tuple[str, bool]:
    """One line on a case, and whether a significant finding overlaps its lesion."""
    assert row.lesion is not None
    detection = json.loads((folder / "detection.json").read_text(encoding="utf-8"))
    mask = read_mask(row.lesion)
    lesion = mask.voxels > 0
    size = float(lesion.sum()) * mask.grid.voxel_ml
    if detection["status"] == "refused":
        return f"{row.case}: refused, {detection['reason']}", False
    ranks = [one["rank"] for one in detection["findings"] if one["significant"]]
    labels = read_scan(folder / "findings.nii.gz").voxels if ranks else np.zeros(lesion.shape, np.float32)
    overlapping = [rank for rank in ranks if (lesion & (labels == rank)).any()]
    covered = float((lesion & np.isin(labels, ranks)).sum()) / max(float(lesion.sum()), 1.0)
    line = (
        f"{row.case}: {detection['status']}, p = {detection['p_value']:.3f}, lesion {size:.0f} ml, "
        f"{len(ranks)} of {len(detection['findings'])} findings significant, {len(overlapping)} of them on the lesion, "
        f"which they cover to {covered:.0%}"
    )
    return line, bool(overlapping)


def main() -> None:
    """Print the lines and the count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("results", type=Path)
    given = parser.parse_args()
    rows = [row for row in read_cohort(given.table) if row.lesion is not None]
    found = [told(row, given.results / row.case) for row in rows]
    for line, _ in found:
        print(line)
    print(f"{sum(hit for _, hit in found)} of {len(found)} cases have a significant finding on the lesion")


if __name__ == "__main__":
    main()
