"""What scanners make of a head: CT in slices with noise, streaks and tilt, and MRI laid on it almost rightly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sanum.core.units import Mask, Volume
from sanum.synthesis.head_levels import AIR_HU
from sanum.synthesis.head_volumes import smooth_noise

Range = tuple[float, float]
Coordinates = NDArray[np.float32]

BONE_FROM = 300.0
PETROUS = 0.45
"""Share of the slices, from below, in which the two petrous bones streak."""


@dataclass(frozen=True)
class Scanners:
    """How scans differ, each range uniform.

    Attributes:
        pixel_mm: in the plane.
        slice_mm: thickness and distance of slices, 0.6 to 5.
        tilt_deg: of the gantry.
        pose_deg: turn of the head about each axis, to either side.
        noise_hu: standard deviation within the brain, at the middle of the head; the less dose the more.
        blur_mm: standard deviation of the point spread, from a bone kernel to a soft one.
        hardening_hu: brightening of brain below bone, and depth of the streaks between the petrous bones.
        shift_mm: registration error of each MRI, translation.
        turn_deg: and turn.
        distortion_mm: smooth displacement of MRI.
        coil: depth of MRI's shading.
        noise: standard deviation of MRI's noise, brain about in [0, 1].
    """

    pixel_mm: Range = (1.4, 1.6)
    slice_mm: Range = (2.5, 5.0)
    tilt_deg: Range = (-18.0, 18.0)
    pose_deg: float = 6.0
    noise_hu: Range = (2.0, 6.0)
    blur_mm: Range = (0.5, 1.0)
    hardening_hu: Range = (0.0, 8.0)
    shift_mm: Range = (0.0, 2.0)
    turn_deg: Range = (0.0, 1.5)
    distortion_mm: Range = (0.0, 1.0)
    coil: Range = (0.0, 0.25)
    noise: Range = (0.01, 0.04)

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            low, high = value if isinstance(value, tuple) else (-value, value)
            if low > high:
                raise ValueError(f"{name}: expected the lower end first, got {low:g} to {high:g}")
        if min(self.pixel_mm[0], self.slice_mm[0]) < 0.3:
            raise ValueError("pixel_mm and slice_mm: expected 0.3 mm or more")


@dataclass(frozen=True, eq=False)
class Frame:
    """Where a scan's voxels lie in the head's volume of 1 mm.

    Attributes:
        shape: voxels.
        spacing: mm.
        turn: (3, 3) from the scan's axes to the head's.
        middle: (3,) of the head's volume.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    turn: NDArray[np.float64]
    middle: NDArray[np.float64]

    def coordinates(self, shift: NDArray[np.float64] | None = None) -> Coordinates:
        """(3, I, J, K) voxel of the head at each voxel of the scan, displaced by `shift` (3,) mm."""
        axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(self.shape, self.spacing, strict=True)]
        offset = np.stack(np.meshgrid(*axes, indexing="ij", copy=False)).astype(np.float32)
        at = np.tensordot(self.turn.astype(np.float32), offset, 1)
        moved = self.middle if shift is None else self.middle + shift
        return np.asarray(at + moved.astype(np.float32)[:, None, None, None])

    def turned(self, degrees: NDArray[np.float64]) -> Frame:
        """The same with the scan's axes turned further."""
        return Frame(self.shape, self.spacing, self.turn @ rotation(degrees), self.middle)


def make_frame(shape: tuple[int, ...], how: Scanners, rng: np.random.Generator) -> Frame:
    """Slices of a thickness, tilt and pose drawn for one visit."""
    pixel, thick = rng.uniform(*how.pixel_mm), rng.uniform(*how.slice_mm)
    pose = rng.uniform(-how.pose_deg, how.pose_deg, 3) + np.array([rng.uniform(*how.tilt_deg), 0.0, 0.0])
    spacing = (pixel, pixel, thick)
    i, j, k = (int(np.ceil(side / mm)) for side, mm in zip(shape, spacing, strict=True))
    return Frame((i, j, k), spacing, rotation(pose), (np.array(shape) - 1) / 2)


def scan_ct(hu: Volume, frame: Frame, how: Scanners, rng: np.random.Generator) -> Volume:
    """(I, J, K) Hounsfield units of a head's volume (of 1 mm) as a CT scanner shows it."""
    blurred = ndimage.gaussian_filter(hu, rng.uniform(*how.blur_mm))
    bone = np.clip(blurred - BONE_FROM, 0.0, None)
    soft = (blurred > -100.0) & (blurred < 150.0)
    blurred += rng.uniform(*how.hardening_hu) * _hardening(bone) * soft
    seen = sampled(_in_slices(blurred, frame), frame.coordinates(), AIR_HU)
    noise = ndimage.gaussian_filter(rng.standard_normal(seen.shape), (0.7, 0.7, 0.0))
    path = ndimage.gaussian_filter(np.clip(seen + 1000.0, 0.0, 2500.0), 12.0)
    louder = (path / max(float(np.median(path[path > 200.0])), 1.0)).clip(0.3, 2.0)
    return np.asarray(seen + rng.uniform(*how.noise_hu) * louder * noise / noise.std(), np.float32)


def scan_mr(values: Volume, frame: Frame, how: Scanners, rng: np.random.Generator) -> Volume:
    """(I, J, K) of a sequence on the CT's grid, with the registration's error, distortion, coil and noise."""
    way = rng.standard_normal(3)
    shift = rng.uniform(*how.shift_mm) * way / np.linalg.norm(way)
    turned = frame.turned(rng.uniform(*how.turn_deg) * rng.uniform(-1.0, 1.0, 3))
    at = turned.coordinates(shift)
    for axis in (0, 1):
        at[axis] += rng.uniform(*how.distortion_mm) * smooth_noise(frame.shape, 14.0, rng)
    seen = sampled(_in_slices(ndimage.gaussian_filter(values, 0.5), frame), at, 0.0)
    coil = np.exp(rng.uniform(*how.coil) * smooth_noise(frame.shape, 40.0, rng))
    noise = rng.uniform(*how.noise) * rng.standard_normal((2, *seen.shape))
    return np.asarray(np.hypot(seen * coil + noise[0], noise[1]), np.float32)


def scan_mask(mask: Mask, frame: Frame) -> Mask:
    """(I, J, K), a mask of the head's volume on the scan's grid."""
    return np.asarray(sampled(mask.astype(np.float32), frame.coordinates(), 0.0) > 0.5)


def sampled(volume: Volume, at: Coordinates, outside: float) -> Volume:
    """Linear interpolation of a volume at coordinates (3, I, J, K)."""
    return np.asarray(ndimage.map_coordinates(volume, at, order=1, cval=outside), np.float32)


def rotation(degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """(3, 3) turn about the first, then the second, then the third axis."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x, np.float64)


def _in_slices(volume: Volume, frame: Frame) -> Volume:
    """Averaged along the head over one slice's thickness; a tilt's share of it within the plane is left out."""
    return np.asarray(ndimage.uniform_filter1d(volume, max(1, round(frame.spacing[2])), axis=2), np.float32)


def _hardening(bone: Volume) -> Volume:
    """Relative error of beam hardening: bright below thick bone, dark bands across the base from bone to bone."""
    near = ndimage.gaussian_filter(bone[::2, ::2, ::2], 4.0)
    bright = ndimage.zoom(near / max(float(np.quantile(near, 0.99)), 1e-6), 2, order=1)
    bright = np.pad(
        bright, [(0, max(0, a - b)) for a, b in zip(bone.shape, bright.shape, strict=True)], mode="edge"
    )
    across = bone.sum(axis=0)
    band = across - ndimage.gaussian_filter(across, (8.0, 0.0))
    base = (np.arange(bone.shape[2]) < PETROUS * bone.shape[2])[None]
    streaks = -band * base / max(float(np.abs(band).max()), 1e-6)
    i, j, k = bone.shape
    return np.asarray(0.5 * bright[:i, :j, :k] + 2.0 * streaks[None], np.float32)
