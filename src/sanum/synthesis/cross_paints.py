"""What the held-out cross-modal faults look like: CT in Hounsfield units, MRI relative to the brain's own range.

A paint takes one modality of a healthy case, a soft membership in [0, 1] and a `Brush`, all (I, J, K), and gives the
changed voxels in its own unit, not clipped. Signs and levels are those of textbooks; none of these paints is in
the training faults of `one_sided`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.units import Mask, Volume

Field = NDArray[np.floating]

BRAIN_HU, FLUID_HU, BLOOD_HU, BONE_HU, METAL_HU, SCALP_HU = 35.0, 6.0, 70.0, 250.0, 3000.0, 45.0
"""Brain, cerebrospinal fluid, clotted blood, least of bone, metal, and soft tissue outside the skull."""


@dataclass(frozen=True, eq=False)
class CrossBrush:
    """How a fault is painted.

    Attributes:
        rng: source of randomness.
        severity: above 0 up to 1; 1 is the textbook's level.
        brain: (I, J, K), the voxels that count.
        dark: infarct and oedema are darker than brain on this modality (T1w, CT), not brighter (T2w, FLAIR).
    """

    rng: np.random.Generator
    severity: float
    brain: Mask
    dark: bool


CrossPaint = Callable[[Volume, Volume, CrossBrush], Field]


def bleed(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Acute blood on CT: 70 HU, a little uneven."""
    blood = BLOOD_HU + 4.0 * _grain(hu, brush)
    return _lerp(hu, blood, np.clip(1.5 * soft, 0.0, 1.0) * brush.severity)


def calcium(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Calcification on CT: 150 to 400 HU in grains."""
    chalk = 275.0 + 90.0 * _grain(hu, brush)
    return _lerp(hu, np.maximum(chalk, 130.0), soft * brush.severity)


def hypodense(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Infarct on CT within a day: 12 HU below brain; bone is spared."""
    darker: Field = hu - 12.0 * brush.severity * soft * (np.abs(hu - BRAIN_HU) < 40.0)
    return darker


def swollen_ct(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Oedema on CT: 8 HU below brain, with a wide soft border."""
    wide = _blurred(soft, 3.0)
    darker: Field = hu - 8.0 * brush.severity * wide * (np.abs(hu - BRAIN_HU) < 40.0)
    return darker


def cavity_ct(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """A resection hole on CT, filled with fluid."""
    return _lerp(hu, np.full_like(hu, FLUID_HU), np.clip(2.0 * soft, 0.0, 1.0) * brush.severity)


def metal_ct(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """A clip or coil on CT: far above the scale, with streaks across the slice."""
    i, j = np.indices(hu.shape[:2], dtype=np.float64)
    weight = soft.sum(axis=2) + 1e-9
    middle = [float((axis * weight).sum() / weight.sum()) for axis in (i, j)]
    angle = np.arctan2(j - middle[1], i - middle[0])
    far = np.hypot(i - middle[0], j - middle[1])
    rays = np.cos(brush.rng.integers(3, 6) * 2 * angle + brush.rng.uniform(0.0, 2 * np.pi))
    streaks = 250.0 * brush.severity * rays / (1.0 + far / 8.0)
    reached = soft.any(axis=(0, 1))
    streaked = hu + streaks[..., None] * reached * brush.brain
    core = np.clip((soft - 0.6) * 5.0, 0.0, 1.0)
    return _lerp(streaked, np.full_like(hu, METAL_HU), core)


def no_bone(hu: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """A defect of the skull on CT: bone gives way to soft tissue."""
    bony = _blurred((hu > BONE_HU).astype(np.float32), 1.0)
    share = np.clip(2.0 * soft, 0.0, 1.0) * np.clip(2.5 * bony, 0.0, 1.0) * brush.severity
    return _lerp(hu, np.full_like(hu, SCALP_HU), share)


def infarct_mr(values: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Infarct on MRI: darker on T1w, brighter on T2w and FLAIR; fluid is spared."""
    return _mr_change(values, soft, brush, 0.30)


def oedema_mr(values: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Oedema on MRI: as an infarct, milder, with a wide soft border."""
    return _mr_change(values, _blurred(soft, 3.0), brush, 0.18)


def blood_mr(values: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Subacute blood on T1w: bright within a dark border."""
    core, border = np.clip((soft - 0.5) * 6.0, 0.0, 1.0), np.clip(soft * 4.0, 0.0, 1.0)
    return _lerp(values, 0.15 + 0.8 * core, border * brush.severity)


def cavity_mr(values: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """A resection hole on T1w or FLAIR: the level of fluid."""
    inside = values[brush.brain & (values > 0.0)]
    fluid = float(np.quantile(inside, 0.05)) if inside.size else 0.0
    return _lerp(values, np.full_like(values, fluid), np.clip(2.0 * soft, 0.0, 1.0) * brush.severity)


def metal_mr(values: Volume, soft: Volume, brush: CrossBrush) -> Field:
    """Metal on MRI: no signal, within a bright rim on one side."""
    hole = np.clip((soft - 0.3) * 4.0, 0.0, 1.0)
    rim = np.clip(4.0 * soft, 0.0, 1.0) * (1.0 - hole)
    turned = np.roll(rim, int(brush.rng.integers(1, 3)), axis=int(brush.rng.integers(0, 2)))
    voided: Field = values * (1.0 - hole * brush.severity) + 0.8 * brush.severity * turned * (1.0 - hole)
    return voided


def _mr_change(values: Volume, soft: Volume, brush: CrossBrush, amount: float) -> Field:
    tissue = 1.0 / (1.0 + np.exp(-(values - 0.2) / 0.05))
    sign = -1.0 if brush.dark else 1.0
    changed: Field = values + sign * amount * brush.severity * soft * tissue
    return changed


def _lerp(values: Field, other: Field, share: Field) -> Field:
    mixed: Field = values + share * (other - values)
    return mixed


def _grain(like: Volume, brush: CrossBrush) -> Field:
    sigma = [1.2 if side > 1 else 0.0 for side in like.shape]
    grain = ndimage.gaussian_filter(brush.rng.standard_normal(like.shape), sigma)
    even: Field = grain / max(float(grain.std()), 1e-6)
    return even


def _blurred(values: Volume, sigma: float) -> Field:
    blurred: Field = ndimage.gaussian_filter(values, [sigma, sigma, 0.0])
    return blurred
