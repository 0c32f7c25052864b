"""Writes volumes of CT simulated from T1w brains, and their cohort table: the Hounsfield path without real volumes.

python docs/make_simulated_pairs.py FOLDER_OF_T1W_BRAINS OUT [MOST]

The scans are first averaged over blocks of `BLOCK` voxels: of scans of 1 mm whose third axis runs along the head, that
makes axial slices as thick as a clinical CT's. Every figure got from these is to be called simulated; see
`sanum.synthesis.simulated_ct`.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.cohort.discover import discover
from sanum.cohort.splits import split_by_subject
from sanum.cohort.table import write_cohort
from sanum.core.grid import Grid
from sanum.core.records import Scan
from sanum.formats import read_scan, write_volume
from sanum.prepare.steps.brain_mask import extracted_brain
from sanum.synthesis.simulated_ct import SimulatedCt, simulate_ct

BLOCK = (2, 2, 4)


def coarser(scan: Scan) -> Scan:
    """The scan in blocks of `BLOCK` voxels; what fills no block at the end of an axis is left out."""
    count = [side // block for side, block in zip(scan.grid.shape, BLOCK, strict=True)]
    kept = scan.voxels[tuple(slice(n * block) for n, block in zip(count, BLOCK, strict=True))]
    shape = [part for pair in zip(count, BLOCK, strict=True) for part in pair]
    affine = scan.grid.affine @ np.diag([*map(float, BLOCK), 1.0])
    affine[:3, 3] += scan.grid.affine[:3, :3] @ ((np.array(BLOCK) - 1) / 2)
    voxels = kept.reshape(shape).mean(axis=(1, 3, 5)).astype(np.float32)
    return replace(scan, voxels=voxels, grid=Grid((count[0], count[1], count[2]), affine))


if __name__ == "__main__":
    out, rows = Path(sys.argv[2]), []
    out.mkdir(parents=True, exist_ok=True)
    for number, row in enumerate(discover(Path(sys.argv[1]), modality="T1w", label="healthy")):
        if number == int(sys.argv[3] if len(sys.argv) > 3 else 1000):
            break
        t1 = coarser(read_scan(row.scans["T1w"], "T1w"))
        hu, head = simulate_ct(t1, extracted_brain(t1), SimulatedCt(), seed=number)
        ct, mr, mask = (out / f"{row.case}_{name}.nii.gz" for name in ("CT", "T1w", "head"))
        write_volume(ct, hu, t1.grid)
        write_volume(mr, t1.voxels, t1.grid)
        write_volume(mask, head.astype(np.uint8), t1.grid)
        rows.append(replace(row, scans={"CT": ct, "T1w": mr}, brain=mask))
    cohort = replace(discover(Path(sys.argv[1]), modality="T1w", label="healthy"), rows=tuple(rows))
    shares = {"train": 0.25, "calibration": 0.5, "test": 0.25}
    write_cohort(split_by_subject(replace(cohort, modalities=("CT", "T1w")), shares), out / "cohort.tsv")
