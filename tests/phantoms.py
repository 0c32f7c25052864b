"""Made scans with a known affine: an asymmetric head so that a swapped axis can't hide."""

from __future__ import annotations

import hashlib

import numpy as np

from sanum.core.grid import Grid
from sanum.core.records import Prepared, Scan, Source

RAS_2MM = np.array([[2.0, 0, 0, -60], [0, 2.0, 0, -80], [0, 0, 2.0, -50], [0, 0, 0, 1.0]])


def ellipsoid(grid: Grid, centre_mm: tuple[float, ...], radii_mm: tuple[float, ...]) -> np.ndarray:
    """Mask of an ellipsoid given in world mm."""
    index = np.stack(np.meshgrid(*[np.arange(size) for size in grid.shape], indexing="ij"), axis=-1)
    offset = (grid.to_world(index) - np.array(centre_mm)) / np.array(radii_mm)
    return (offset**2).sum(axis=-1) <= 1.0


def brain_voxels(grid: Grid, seed: int = 0, lesion: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """An extracted "brain" on any grid: (voxels float32, lesion mask). Background is exactly zero.

    Grey shell, white core, dark ventricles, one bright nucleus on the right front only.
    """
    rng = np.random.default_rng(seed)
    stretch = 1.0 + 0.03 * rng.standard_normal(3)
    brain = ellipsoid(grid, (0, -18, 8), tuple(np.array([62, 78, 58]) * stretch))
    white = ellipsoid(grid, (0, -18, 8), tuple(np.array([48, 62, 44]) * stretch))
    ventricles = ellipsoid(grid, (0, -15, 12), (9, 26, 10))
    nucleus = ellipsoid(grid, (22, 15, 10), (7, 9, 7))
    voxels = np.where(brain, 500.0, 0.0)
    voxels[white] = 800.0
    voxels[ventricles] = 200.0
    voxels[nucleus] = 950.0
    voxels[brain] += 15.0 * rng.standard_normal(int(brain.sum()))
    marked = ellipsoid(grid, (-28, -40, 20), (12, 12, 12)) & brain
    if lesion:
        voxels[marked] = 1300.0
    return voxels.astype(np.float32), marked & lesion


def brain_scan(
    seed: int = 0,
    lesion: bool = False,
    affine: np.ndarray = RAS_2MM,
    shape: tuple[int, int, int] = (64, 84, 64),
    modality: str | None = "T1w",
) -> Scan:
    """The phantom brain as a `Scan`."""
    grid = Grid(shape, affine)
    voxels, _ = brain_voxels(grid, seed, lesion)
    return Scan(voxels, grid, modality, Source(f"phantom-{seed}.nii.gz", f"{seed:064x}"))


def prepared_case(
    seed: int = 0,
    lesion: bool = False,
    shape: tuple[int, int, int] = (32, 32, 4),
    modalities: tuple[str, ...] = ("T1w",),
) -> Prepared:
    """A small case that is already on a model grid: disc of tissue, optional bright square."""
    rng = np.random.default_rng(seed)
    i, j = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    disc = (i**2 + (j / 0.9) ** 2) < 0.8
    mask = np.repeat(disc[..., None], shape[2], axis=2)
    voxels = 0.45 + 0.1 * np.cos(4 * i)[..., None] + 0.02 * rng.standard_normal(shape)
    marked = np.zeros(shape, bool)
    if lesion:
        marked[shape[0] // 2 : shape[0] // 2 + 5, shape[1] // 3 : shape[1] // 3 + 5, :] = True
        voxels = np.where(marked, 0.98, voxels)
    channels = np.stack([np.where(mask, voxels, 0.0).clip(0, 1)] * len(modalities)).astype(np.float32)
    grid = Grid(shape, np.diag([1.5, 1.5, 1.5, 1.0]))
    return Prepared(
        case=f"case-{seed}",
        subject=f"subject-{seed}",
        voxels=channels,
        mask=mask,
        grid=grid,
        modalities=modalities,
        preparation="0" * 64,
        native=grid,
        to_model=np.eye(4),
        is_image=False,
        sources=(Source(f"phantom-{seed}.nii.gz", f"{seed:064x}"),),
        lesion=marked,
    )


def pair_case(seed: int = 0, size: int = 64, slices: int = 1) -> Prepared:
    """A registered CT and T1w of one made head: scalp, skull, brain with ventricles, air around."""
    rng = np.random.default_rng(seed)
    i, j = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size), indexing="ij")
    stretch = 1.0 + 0.03 * rng.standard_normal(2)
    far = np.hypot(i / (0.68 * stretch[0]), j / (0.85 * stretch[1]))
    head, skull, brain = far < 1.0, (far < 0.93) & (far >= 0.83), far < 0.83
    ventricle = np.hypot(i / 0.12, (j - 0.05 * rng.standard_normal()) / 0.3) < 1.0
    ct = np.select([ventricle, brain, skull, head], [0.42, 0.435, 0.85, 0.44], 0.0)
    t1 = np.select([ventricle, far < 0.6, brain, skull, head], [0.1, 0.7, 0.5, 0.05, 0.8], 0.0)
    voxels = np.stack([ct, t1])[..., None].repeat(slices, axis=3)
    noise = np.array([0.002, 0.02])[:, None, None, None] * rng.standard_normal(voxels.shape)
    mask = (far < 1.05)[..., None].repeat(slices, axis=2)
    grid = Grid((size, size, slices), np.diag([3.5, 3.5, 3.5, 1.0]))
    return Prepared(
        case=f"pair-{seed}",
        subject=f"subject-{seed}",
        voxels=((voxels + noise * (voxels > 0)).clip(0, 1) * mask).astype(np.float32),
        mask=mask,
        grid=grid,
        modalities=("CT", "T1w"),
        preparation="0" * 64,
        native=grid,
        to_model=np.eye(4),
        is_image=slices == 1,
        sources=tuple(
            Source(f"pair-{seed}_{name}.png", hashlib.sha256(f"{seed}{name}".encode()).hexdigest())
            for name in ("CT", "T1w")
        ),
    )
