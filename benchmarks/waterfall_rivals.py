"""Plain programs for parts of the way, as their users write them: python -m benchmarks.waterfall_rivals SCAN NAME 1.

Each reads the file itself and runs cold in a process of its own; prints wall and processor seconds and peak memory.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SPACING_MM = 2.0


def deepbet_alone(scan: Path) -> None:
    """Brain extraction by deepbet's own call."""
    with tempfile.TemporaryDirectory() as folder:
        run_bet = importlib.import_module("deepbet").run_bet
        run_bet([str(scan)], mask_paths=[f"{folder}/mask.nii.gz"], no_gpu=True)


def simpleitk_affine(scan: Path) -> None:
    """SimpleITK's own example of a registration, to nilearn's template, at 2 mm."""
    sitk = importlib.import_module("SimpleITK")
    datasets = importlib.import_module("nilearn.datasets")
    nibabel = importlib.import_module("nibabel")
    with tempfile.TemporaryDirectory() as folder:
        nibabel.save(datasets.load_mni152_template(resolution=2), f"{folder}/template.nii.gz")
        fixed = sitk.ReadImage(f"{folder}/template.nii.gz", sitk.sitkFloat32)
    moving = sitk.ReadImage(str(scan), sitk.sitkFloat32)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=50)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(0.1)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsGradientDescent(
        learningRate=1.0, numberOfIterations=100, convergenceMinimumValue=1e-6, convergenceWindowSize=10
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    start = sitk.CenteredTransformInitializer(fixed, moving, sitk.AffineTransform(3))
    method.SetInitialTransform(start, inPlace=False)
    found = method.Execute(fixed, moving)
    sitk.Resample(moving, fixed, found, sitk.sitkLinear, 0.0)


def nibabel_scipy(scan: Path) -> None:
    """Read, resample to 1.5 mm and back to the scan's grid, write: no mask, no registration."""
    nibabel = importlib.import_module("nibabel")
    ndimage = importlib.import_module("scipy.ndimage")
    image = nibabel.load(scan)
    voxels = image.get_fdata()
    coarse = ndimage.zoom(voxels, np.array(image.header.get_zooms()[:3]) / 1.5, order=1)
    back = ndimage.zoom(coarse, np.array(voxels.shape) / coarse.shape, order=1)
    with tempfile.TemporaryDirectory() as folder:
        nibabel.save(nibabel.Nifti1Image(back.astype(np.float32), image.affine), f"{folder}/map.nii.gz")


def plain_torch_loop(scan: Path) -> None:
    """The shipped model's own network, slice by slice and plane by plane in float32; needs its volume on the grid."""
    del scan
    torch = importlib.import_module("torch")
    modalities = importlib.import_module("sanum.core.modalities").MRI_SEQUENCES
    shipped = importlib.import_module("sanum.core.shipped")
    windows_along = importlib.import_module("sanum.nets.plane_restorer").windows_along
    detector = importlib.import_module("sanum.model").load(shipped.find_model(Path("sanum-brain"))).detector
    volume, told = torch.rand(GRID), torch.zeros(len(modalities))
    with torch.inference_mode():
        for axis in range(3):
            for k in range(GRID[axis]):
                detector.net_(windows_along(volume, axis, torch.tensor([k]), told))


GRID = (128, 128, 96)
"""Of the `template` preset."""

RIVALS: dict[str, Callable[[Path], None]] = {
    "deepbet alone": deepbet_alone,
    "SimpleITK affine": simpleitk_affine,
    "nibabel and scipy": nibabel_scipy,
    "plain torch loop": plain_torch_loop,
}


def main(scan: Path, name: str) -> None:
    """Print one line of JSON."""
    started = time.perf_counter()
    RIVALS[name](scan)
    told: dict[str, Any] = {
        "wall_s": round(time.perf_counter() - started, 2),
        "processor_s": round(time.process_time(), 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
