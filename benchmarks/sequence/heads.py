"""Anatomies that contrasts are made from: label maps with or without a skull, and real scans that may teach."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks.sequence.levels import INDEX

FREESURFER = {
    "csf": (24,),
    "ventricle": (4, 5, 14, 15, 43, 44, 72),
    "cortex": (3, 42, 17, 18, 53, 54, 25, 26, 57, 58),
    "white": (2, 41, 85),
    "deep grey": (10, 11, 12, 49, 50, 51),
    "pallidum": (13, 28, 52, 60),
    "cerebellar grey": (8, 47),
    "cerebellar white": (7, 46),
    "brainstem": (16, 512),
    "choroid plexus": (29, 30, 31, 62, 63, 136, 137, 163, 164),
    "bone": (515,),
    "marrow": (516,),
    "muscle": (507, 508, 530),
    "skin": (511,),
    "sinus": (502, 514),
    "eye": (506,),
    "mucosa": (509,),
}
"""FreeSurfer's numbers; soft tissue (507) is told into fat and muscle when a contrast is made."""

BRAIN = tuple(range(INDEX["ventricle"], INDEX["choroid plexus"] + 1))
"""Tissues of the brain, numbered without a gap."""

FAR = 60.0


@dataclass(frozen=True, eq=False)
class Head:
    """Tissues (I, J, K) uint8 in RAS order at 1 mm, with what is needed to cut a brain out and to make it ill.

    Attributes:
        tissue: numbers of `TISSUES`.
        to_brain, to_ventricle: distances in mm at every second voxel, at most `FAR`.
        centre: of the brain, in voxels.
        top_head, top_brain: highest voxels along K.
    """

    tissue: NDArray[np.uint8]
    to_brain: NDArray[np.uint8]
    to_ventricle: NDArray[np.uint8]
    centre: NDArray[np.float64]
    top_head: float
    top_brain: float

    @property
    def has_skull(self) -> bool:
        """Whether anything lies around the brain."""
        return bool(self.top_head > self.top_brain + 4)


def read_head(path: Path) -> Head:
    """A label map in FreeSurfer's numbers."""
    image = nib.funcs.as_closest_canonical(nib.load(path))
    labels = np.asarray(image.dataobj).astype(np.int32)
    table = np.zeros(max(int(labels.max()) + 1, 600), np.uint8)
    for name, numbers in FREESURFER.items():
        table[list(numbers)] = INDEX[name]
    return _head(table[labels])


def phantom(rng: np.random.Generator) -> Head:
    """A brain of ellipsoids, as tests and tutorials draw it: grey around white, ventricles, one or two nuclei."""
    size = np.array([150, 190, 150])
    index = np.stack(np.meshgrid(*[np.arange(one) for one in size], indexing="ij"), axis=-1) - size / 2
    radii = np.array([62, 78, 58]) * rng.uniform(0.92, 1.08, 3)
    tissue = np.zeros(tuple(size), np.uint8)

    def fill(name: str, centre: NDArray[np.float64], radii: NDArray[np.float64]) -> None:
        tissue[(((index - centre) / radii) ** 2).sum(-1) <= 1] = INDEX[name]

    middle = np.zeros(3)
    fill("cortex", middle, radii)
    fill("white", middle, radii - rng.uniform(6, 18))
    fill("ventricle", middle + rng.uniform(-4, 4, 3), np.array([9, 26, 10]) * rng.uniform(0.7, 1.4, 3))
    for _ in range(int(rng.integers(1, 3))):
        name = str(rng.choice(["pallidum", "deep grey"]))
        fill(name, rng.uniform([-28, 5, -6], [28, 38, 10]), rng.uniform(5, 11, 3))
    return _head(tissue)


def _head(tissue: NDArray[np.uint8]) -> Head:
    box = ndimage.find_objects((tissue > 0).astype(np.uint8))[0]
    tissue = np.pad(tissue[box], 2)
    brain = (tissue >= BRAIN[0]) & (tissue <= BRAIN[-1])
    far_brain, far_ventricle = (
        np.minimum(ndimage.distance_transform_edt(~where[::2, ::2, ::2], sampling=2.0), FAR).astype(np.uint8)
        for where in (brain, tissue == INDEX["ventricle"])
    )
    index = np.argwhere(brain)
    shown = np.flatnonzero((tissue > 0).sum((0, 1)) > 300)
    return Head(tissue, far_brain, far_ventricle, index.mean(0), float(shown[-1]), float(index[:, 2].max()))


@dataclass(frozen=True, eq=False)
class RealScan:
    """A scan that may teach, in RAS order, with its levels of fluid, grey and white matter.

    Attributes:
        voxels: (I, J, K) float32, 0 outside an extracted brain.
        spacing: mm.
        modality: what it is.
        knots: its levels of fluid, grey and white matter; None where it is not T1w.
        centre, top: of what is shown, in voxels.
        extracted: a brain alone.
    """

    voxels: NDArray[np.float32]
    spacing: NDArray[np.float64]
    modality: str
    knots: NDArray[np.float64] | None
    centre: NDArray[np.float64]
    top: float
    extracted: bool


def read_real(path: Path, modality: str, *, extracted: bool) -> RealScan:
    """A scan, thinned to about 2 mm."""
    image = nib.funcs.as_closest_canonical(nib.load(path))
    voxels = np.asarray(image.dataobj, np.float32)
    spacing = np.array(image.header.get_zooms()[:3], np.float64)
    steps = np.maximum(1, np.floor(2.0 / spacing).astype(int))
    smooth = ndimage.uniform_filter(voxels, tuple(int(step) for step in steps))
    thin = np.ascontiguousarray(smooth[:: steps[0], :: steps[1], :: steps[2]])
    return real_scan(thin, spacing * steps, modality, extracted=extracted)


def real_scan(
    voxels: NDArray[np.float32], spacing: NDArray[np.float64], modality: str, *, extracted: bool
) -> RealScan:
    """Measure where a scan shows its head, and its tissue levels where it is T1w."""
    level = 0.0 if extracted else 0.15 * float(np.percentile(voxels, 99))
    shown = voxels > level
    index = np.argwhere(shown)
    area = shown.sum((0, 1)) * spacing[0] * spacing[1]
    top = float(np.flatnonzero(area > 1000)[-1])
    near = index[index[:, 2] > top - 120 / spacing[2]]
    centre = np.percentile(near, (2, 98), axis=0).mean(0)
    knots = _three_levels(voxels[shown]) if modality == "T1w" and extracted else None
    return RealScan(voxels.astype(np.float32), spacing, modality, knots, centre, top, extracted)


def _three_levels(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Means of three classes, by Lloyd's rule."""
    means = np.percentile(values, (5, 40, 80)).astype(np.float64)
    for _ in range(30):
        borders = (means[1:] + means[:-1]) / 2
        which = np.digitize(values, borders)
        means = np.array([values[which == one].mean() for one in range(3)])
    return means
