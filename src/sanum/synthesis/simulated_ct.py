"""A CT made of a T1w brain: Hounsfield units by tissue, a skull and scalp around it, partial volume and noise.

No more than a stand-in where no CT in Hounsfield units is at hand: its errors are not those of a scanner, so every
figure got from it is called simulated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from sanum.core.records import Scan
from sanum.core.units import Mask, Volume

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
