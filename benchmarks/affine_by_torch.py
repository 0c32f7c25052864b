"""The affine onto the template by torch alone, beside ITK's: what it would take to do without SimpleITK.

    OMP_NUM_THREADS=1 python -m benchmarks.affine_by_torch SCAN [SCAN ...]

Same brains, same start, mutual information on 8 and 4 mm for both; here by cubic Parzen windows (Mattes et al. 2003) and
L-BFGS over all twelve numbers. Prints overlap with the template's brain, mutual information at 2 mm by ITK's metric and
processor seconds of each, and how far apart the two lay the brain. T1w scans of heads or brains; decision 0021.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from sanum.core.units import Affine
from sanum.formats import read_scan
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Template
from sanum.prepare.steps import align, itk, turns
from sanum.prepare.steps.align import Alignment, Brain

BINS = 32
LEVELS_MM = (8.0, 4.0)
STEPS = 60
HEAD_MM = 60.0
"""Divides the linear part, so that all twelve numbers are of one size."""


def windows(values: Tensor) -> Tensor:
    """(n, BINS) shares of values (n,) in [0, 1] in the bins near them: cubic splines."""
    places = values.clamp(0, 1) * (BINS - 5) + 2
    far = (places[:, None] - torch.arange(BINS, dtype=values.dtype)).abs()
    near = (4 - 6 * far**2 + 3 * far**3) / 6
    return torch.where(far < 1, near, torch.where(far < 2, (2 - far) ** 3 / 6, torch.zeros_like(far)))


def unit(values: Tensor) -> Tensor:
    """Values brought to [0, 1]."""
    return ((values - values.min()) / (values.max() - values.min())).float()


class Level:
    """Mutual information of two brains at one resolution, as a function of twelve numbers about a start."""

    def __init__(self, moving: Brain, fixed: Brain, size_mm: float, start: Affine) -> None:
        step = round(size_mm / fixed.grid.spacing[0])
        smooth = ndimage.gaussian_filter(fixed.voxels, step)[::step, ::step, ::step]
        inside = itk.rimmed(fixed.mask)[::step, ::step, ::step]
        self.fixed = windows(unit(torch.tensor(smooth[inside])))
        self.moving = unit(torch.tensor(ndimage.gaussian_filter(moving.voxels, step)))[None, None]
        world = fixed.grid.to_world(np.argwhere(inside) * step)
        self.centre = align._points(fixed).mean(axis=0)
        self.away = torch.tensor(world - self.centre, dtype=torch.float32)
        self.base = torch.tensor(start[:3, :3], dtype=torch.float32)
        self.there = torch.tensor(start[:3, :3] @ self.centre + start[:3, 3], dtype=torch.float32)
        self.to_voxel = torch.tensor(np.linalg.inv(moving.grid.affine), dtype=torch.float32)
        self.size = torch.tensor(moving.grid.shape, dtype=torch.float32)

    def information(self, numbers: Tensor) -> Tensor:
        """In nats."""
        linear = self.base + numbers[:9].view(3, 3) / HEAD_MM
        world = self.away @ linear.T + self.there + numbers[9:]
        voxel = world @ self.to_voxel[:3, :3].T + self.to_voxel[:3, 3]
        places = (2 * voxel / (self.size - 1) - 1).flip(-1)[None, None, None]
        found = functional.grid_sample(self.moving, places, align_corners=True)[0, 0, 0, 0]
        joint = self.fixed.T @ windows(found) / len(found) + 1e-12
        return (joint * (joint / (joint.sum(1)[:, None] * joint.sum(0))).log()).sum()


def register(moving: Brain, fixed: Brain, turn: NDArray[np.float64]) -> Alignment:
    """As `align._register`, by torch."""
    start = turns.moments_map(align._points(moving), align._points(fixed), turn)
    numbers = torch.zeros(12, requires_grad=True)
    for size_mm in LEVELS_MM:
        level = Level(moving, fixed, size_mm, start)
        search = torch.optim.LBFGS(
            [numbers], max_iter=STEPS, history_size=20, line_search_fn="strong_wolfe", tolerance_change=1e-7
        )

        def loss(level: Level = level, search: torch.optim.LBFGS = search) -> Tensor:
            search.zero_grad()
            lack = -level.information(numbers)
            torch.autograd.backward(lack)
            return lack

        search.step(loss)
    found = numbers.detach().double().numpy()
    to_scan = np.eye(4)
    to_scan[:3, :3] = start[:3, :3] + found[:9].reshape(3, 3) / HEAD_MM
    to_scan[:3, 3] = (start[:3, :3] - to_scan[:3, :3]) @ level.centre + start[:3, 3] + found[9:]
    dice = align._mapped_dice(moving, fixed, to_scan)
    return Alignment(np.linalg.inv(to_scan), 0.0, dice, float(1 / np.linalg.det(to_scan[:3, :3])), 0.0)


def fine(moving: Brain, fixed: Brain, found: Alignment) -> float:
    """ITK's mutual information at 2 mm."""
    method = itk.mutual_information(itk.image(itk.rimmed(fixed.mask).astype(np.uint8), fixed.grid))
    method.SetShrinkFactorsPerLevel([1])
    method.SetSmoothingSigmasPerLevel([0.0])
    method.SetInitialTransform(align._itk_affine(np.linalg.inv(found.to_template), fixed))
    brains = (itk.image(ndimage.gaussian_filter(one.voxels, 2.0), one.grid) for one in (fixed, moving))
    return -float(method.MetricEvaluate(*brains))


def compared(moving: Brain, fixed: Brain, turn: NDArray[np.float64]) -> Alignment | None:
    """ITK's result; prints both."""
    results = []
    for way in (BY_ITK, register):
        began = time.process_time()
        found = way(moving, fixed, turn)
        if found is None:
            print(f"{way.__name__}: gave up")
            return None
        results.append(replace(found, metric=time.process_time() - began))
    points = align._points(moving)[::97]
    laid = [points @ one.to_template[:3, :3].T + one.to_template[:3, 3] for one in results]
    apart = np.linalg.norm(laid[0] - laid[1], axis=1)
    told = " | ".join(
        f"{name} {one.dice:.3f}, {fine(moving, fixed, one):.3f}, {one.metric:.1f} s"
        for name, one in zip(("ITK", "torch"), results, strict=True)
    )
    print(f"{told} | {apart.mean():.1f} mm apart, at most {apart.max():.1f}", flush=True)
    return results[0]


BY_ITK = align._register

if __name__ == "__main__":
    torch.set_num_threads(1)
    align._register = compared
    for path in sys.argv[1:]:
        print(path, flush=True)
        prepare({"T1w": read_scan(path, "T1w")}, Template(), case="a", subject="a")
