"""Picks the slices of kaggle_3m that docs/results.md and docs/detectors/cross-modal.md train and test on.

sanum cohort kaggle_3m --channels T1w,FLAIR,- --label mask --out lgg.tsv
python docs/make_flair_pairs.py lgg.tsv OUT.tsv [--train-slices 5] [--test-slices 2]

Patients go to train, calibration and test in the order of the SHA-256 of their names, in the shares of `SHARES`. Of a
training patient so many lesion-free slices are taken, evenly spaced over the middle of the head, of a calibration patient
one, of a test patient so many without and as many with a lesion.
"""

import argparse
import hashlib
import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.cohort.table import Cohort, Row, read_cohort, write_cohort

SHARES = (0.5, 0.35)
MIDDLE = (0.3, 0.8)


def flair_pairs(cohort: Cohort, train_slices: int, test_slices: int) -> Cohort:
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
            rows += [replace(row, split="train", lesion=None) for row in _spread(sound, train_slices)]
        elif number < ends[1]:
            rows += [replace(row, split="calibration", lesion=None) for row in _spread(sound, 1)]
        else:
            rows += [
                replace(row, split="test") for part in (sound, ill) for row in _spread(part, test_slices)
            ]
    return replace(cohort, rows=tuple(rows))


def _spread(rows: list[Row], most: int) -> list[Row]:
    if len(rows) <= most:
        return rows
    return [rows[int(place)] for place in np.unique(np.linspace(0, len(rows) - 1, most + 2)[1:-1].round())]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train-slices", type=int, default=5)
    parser.add_argument("--test-slices", type=int, default=2)
    given = parser.parse_args()
    picked = flair_pairs(read_cohort(given.table), given.train_slices, given.test_slices)
    write_cohort(picked, given.out)
