"""Writes volumes of CT simulated from T1w brains, and their cohort table: the Hounsfield path without real volumes.

python docs/make_simulated_pairs.py FOLDER_OF_T1W_BRAINS OUT [MOST]

Every figure got from these is to be called simulated; see `sanum.synthesis.simulated_ct`.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.cohort.discover import discover
from sanum.cohort.splits import split_by_subject
from sanum.cohort.table import write_cohort
from sanum.formats import read_scan, write_volume
from sanum.prepare.steps.brain_mask import extracted_brain
from sanum.synthesis.simulated_ct import SimulatedCt, simulate_ct

if __name__ == "__main__":
    out, rows = Path(sys.argv[2]), []
    out.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(discover(Path(sys.argv[1]), modality="T1w", label="healthy")):
        if number == int(sys.argv[3] if len(sys.argv) > 3 else 1000):
            break
        t1 = read_scan(row.scans["T1w"], "T1w")
        hu, head = simulate_ct(t1, extracted_brain(t1), SimulatedCt(), seed=number)
        ct, mask = out / f"{row.case}_CT.nii.gz", out / f"{row.case}_head.nii.gz"
        write_volume(ct, hu, t1.grid)
        write_volume(mask, head.astype(np.uint8), t1.grid)
        rows.append(replace(row, scans={"CT": ct, "T1w": row.scans["T1w"]}, brain=mask))
    cohort = replace(discover(Path(sys.argv[1]), modality="T1w", label="healthy"), rows=tuple(rows))
    shares = {"train": 0.4, "calibration": 0.4, "test": 0.2}
    write_cohort(split_by_subject(replace(cohort, modalities=("CT", "T1w")), shares), out / "cohort.tsv")
