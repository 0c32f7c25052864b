"""Whether `sanum-ct` finds a ball of fresh blood that is planted in a real CT.

    python -m benchmarks.bleed_in_ct SCAN

Of five places drawn within the skull (seed 0) and three sizes: the case's score with the ball and without, and the rank
of the first finding that peaks in it. Blood is 65 HU with noise of 3.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import ndimage

from sanum.core.shipped import shipped_models
from sanum.formats import read_scan, write_volume
from sanum.model import load
from sanum.prepare.steps.head import estimated_brain
from sanum.workflow.detect import detect
from sanum.workflow.inputs import file_row

PLACES, RADII_MM, BLOOD_HU, NOISE_HU, DEPTH_MM = 5, (7.0, 10.0, 15.0), 65.0, 3.0, 12.0


def main(path: Path) -> None:
    """Print a line a ball."""
    scan, model, rng = read_scan(path), load(shipped_models()["sanum-ct"]), np.random.default_rng(0)
    print(f"without: score {detect(model, file_row(path, model.takes)).score:.2f}")
    mask, _ = estimated_brain(scan, "CT")
    deep = np.argwhere(ndimage.distance_transform_edt(mask, sampling=scan.grid.spacing) > DEPTH_MM)
    inside = np.argwhere(mask)
    for place in deep[rng.integers(len(deep), size=PLACES)]:
        away = np.linalg.norm(
            scan.grid.to_world(inside) - scan.grid.to_world(place[None].astype(float)), axis=1
        )
        for radius in RADII_MM:
            ball = np.zeros_like(mask)
            ball[tuple(inside[away < radius].T)] = True
            blood = BLOOD_HU + NOISE_HU * rng.standard_normal(mask.shape)
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder) / "bled_CT.nii.gz"
                write_volume(file, np.where(ball, blood, scan.voxels).astype(np.float32), scan.grid)
                found = detect(model, file_row(file, model.takes))
            ranks = [rank for rank, one in enumerate(found.findings, 1) if ball[one.peak_voxel]]
            significant = any(one.significant for one in found.findings if ball[one.peak_voxel])
            ml = ball.sum() * scan.grid.voxel_ml
            told = f"finding {ranks[0]}" if ranks else "no finding there"
            print(f"{ml:.1f} ml: score {found.score:.2f}, {told}, significant: {significant}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
