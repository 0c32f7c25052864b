"""Writes volumes of CT simulated from T1w brains, and their cohort table: the Hounsfield path without real volumes.

python docs/make_simulated_pairs.py FOLDER_OF_T1W_BRAINS OUT [MOST]

The scans are first averaged over blocks of `BLOCK` voxels: of scans of 1 mm whose third axis runs along the head, that
makes axial slices as thick as a clinical CT's. A CT is made of a T1w brain: Hounsfield units by tissue, a skull and scalp
around it, partial volume and noise. It is no more than a stand-in where no CT in Hounsfield units is at hand: its errors
are not those of a scanner, so every figure got from it is called simulated.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from sanum.cohort.discover import discover
from sanum.cohort.splits import split_by_subject
from sanum.cohort.table import write_cohort
from sanum.core.grid import Grid
from sanum.core.records import Scan
from sanum.core.units import Mask, Volume
from sanum.formats import read_scan, write_volume
from sanum.prepare.steps.brain_mask import extracted_brain

BLOCK = (2, 2, 4)

AIR, FLUID, GREY, WHITE, DIPLOE, SCALP = -1000.0, 8.0, 38.0, 29.0, 900.0, 45.0
"""Hounsfield units: air, cerebrospinal fluid, grey matter, white matter, skull, scalp (textbook means)."""


@dataclass(frozen=True)
class SimulatedCt:
    """How the CT is made.

    Attributes:
        gap_mm: fluid between brain and skull.
        skull_mm: thickness of the skull.
        scalp_mm: thickness of the scalp.
        blur_mm: standard deviation of the scanner's blur: partial volume.
        noise_hu: standard deviation of the noise, after blur.
    """

    gap_mm: float = 2.0
    skull_mm: float = 6.0
    scalp_mm: float = 5.0
    blur_mm: float = 0.7
    noise_hu: float = 4.0


def simulate_ct(t1: Scan, brain: Mask, how: SimulatedCt, *, seed: int) -> tuple[Volume, Mask]:
    """Hounsfield units (I, J, K) on the grid of a T1w scan, and the mask of the head.

    Tissue comes from a three-class mixture of Gaussians over the brain's T1w intensities, darkest first: fluid,
    grey, white; each voxel takes the mean of the classes by their probability.

    Args:
        t1: brain-extracted or whole head.
        brain: (I, J, K), its brain.
        how: see there.
        seed: of the noise; the same seed gives the same CT.
    """
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(seed)
    inside = t1.voxels[brain]
    sample = rng.choice(inside, min(20_000, inside.size), replace=False)[:, None]
    mixture = GaussianMixture(3, random_state=0, means_init=np.quantile(sample, [0.05, 0.4, 0.85])[:, None])
    mixture.fit(sample)
    order = np.argsort(mixture.means_[:, 0])
    hu = np.full(t1.grid.shape, AIR)
    far = ndimage.distance_transform_edt(~brain, sampling=t1.grid.spacing)
    edges = np.cumsum([how.gap_mm, how.skull_mm, how.scalp_mm])
    for outer, inner, level in zip(edges[::-1], [*edges[-2::-1], 0.0], (SCALP, DIPLOE, FLUID), strict=True):
        hu[(far <= outer) & (far > inner)] = level
    hu[brain] = mixture.predict_proba(inside[:, None])[:, order] @ np.array([FLUID, GREY, WHITE])
    blurred = ndimage.gaussian_filter(hu, [how.blur_mm / spacing for spacing in t1.grid.spacing])
    noise = ndimage.gaussian_filter(rng.standard_normal(hu.shape), 0.6)
    noisy = blurred + how.noise_hu * noise / noise.std()
    return noisy.astype(np.float32), np.asarray(far <= edges[-1])


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
