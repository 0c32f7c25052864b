"""Writes the cohort table of CT-T1w pairs that docs/cross-modal.md trains, calibrates and tests on.

python docs/make_pairs.py FOLDER_OF_SYNTHRAD_CTMRI OUT.tsv

The table of the data set keeps its patients' splits but for two things. Decisions at level 0.05 need 19 healthy
calibration patients, and it has 13: the first `MOVED` training patients, in the order of the SHA-256 of their names,
calibrate instead of training. And calibration takes one slice of each patient, so each calibration patient keeps one
of its three planes, in turn. The mask of the head becomes the column `brain`: the voxels that count.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

from sanum.cohort.table import Cohort, read_cohort, write_cohort

MOVED = 8
PLANES = ("axial", "coronal", "sagittal")


def pairs_table(folder: Path) -> Cohort:
    """The table, its paths absolute."""
    cohort = read_cohort(folder / "cohort.tsv")
    training = sorted({row.subject for row in cohort if row.split == "train"}, key=_hash)
    calibrating = {row.subject for row in cohort if row.split == "calibration"} | set(training[:MOVED])
    plane_of = {name: PLANES[n % 3] for n, name in enumerate(sorted(calibrating, key=_hash))}
    rows = []
    for row in cohort:
        extra = dict(row.extra)
        head = folder.absolute() / extra.pop("head")
        if row.subject in calibrating:
            if plane_of[row.subject] != extra["plane"]:
                continue
            row = replace(row, split="calibration")
        rows.append(replace(row, brain=head, extra=extra))
    return replace(cohort, rows=tuple(rows))


def _hash(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


if __name__ == "__main__":
    write_cohort(pairs_table(Path(sys.argv[1])), Path(sys.argv[2]))
