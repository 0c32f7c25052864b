"""Picks the T1w-FLAIR pairs that docs/detectors/cross-modal.md trains and tests on, from a table of kaggle_3m slices.

sanum cohort kaggle_3m --channels T1w,FLAIR,- --label mask --out lgg.tsv
python docs/make_flair_pairs.py lgg.tsv OUT.tsv

Patients go to train, calibration and test in the order of the SHA-256 of their names, in the shares of `SHARES`. Of a
training patient `TRAIN_SLICES` lesion-free slices are taken, evenly spaced over the middle of the head, of a calibration
patient one, of a test patient `TEST_SLICES` without and as many with a lesion.
"""

import hashlib
import re
import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.cohort.table import Cohort, Row, read_cohort, write_cohort

SHARES = (0.5, 0.35)
TRAIN_SLICES, TEST_SLICES = 5, 2
MIDDLE = (0.3, 0.8)


def flair_pairs(cohort: Cohort) -> Cohort:
    """The table, each patient in one split."""
    of_patient: dict[str, list[Row]] = defaultdict(list)
    for row in cohort:
        of_patient[row.subject].append(row)
    patients = sorted(of_patient, key=lambda name: hashlib.sha256(name.encode()).digest())
    ends = np.cumsum([round(share * len(patients)) for share in SHARES])
    rows = []
    for number, patient in enumerate(patients):
        slices = sorted(of_patient[patient], key=lambda row: int(re.findall(r"\d+$", row.case)[0]))
        middle = slices[int(MIDDLE[0] * len(slices)) : int(MIDDLE[1] * len(slices))]
        sound, ill = ([row for row in middle if row.label == label] for label in ("healthy", "lesion"))
        if number < ends[0]:
            rows += [replace(row, split="train", lesion=None) for row in _spread(sound, TRAIN_SLICES)]
        elif number < ends[1]:
            rows += [replace(row, split="calibration", lesion=None) for row in _spread(sound, 1)]
        else:
            rows += [
                replace(row, split="test") for part in (sound, ill) for row in _spread(part, TEST_SLICES)
            ]
    return replace(cohort, rows=tuple(rows))


def _spread(rows: list[Row], most: int) -> list[Row]:
    if len(rows) <= most:
        return rows
    return [rows[int(place)] for place in np.unique(np.linspace(0, len(rows) - 1, most + 2)[1:-1].round())]


if __name__ == "__main__":
    write_cohort(flair_pairs(read_cohort(Path(sys.argv[1]))), Path(sys.argv[2]))
