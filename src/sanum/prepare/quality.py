"""Facts about a prepared case that tell a person whether to trust it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sanum.core.grid import Grid
from sanum.core.units import Channels, Mask, Volume
from sanum.prepare.template import icbm152

PURE = 0.8
"""Share from which a template voxel counts as one tissue."""

MIN_TISSUE_VOXELS = 200
"""Fewer voxels of a tissue give no median worth comparing."""


def facts_of(voxels: Channels, mask: Mask, grid: Grid, channels: tuple[str, ...]) -> dict[str, Any]:
    """Facts of a case on the template grid.

    Args:
        voxels: (C, I, J, K) in [0, 1].
        mask: (I, J, K), the brain.
        grid: in template world.
        channels: name of each.

    Returns:
        Brain volume on the template in ml, and the median of each tissue by channel.
    """
    facts: dict[str, Any] = {"model_ml": round(float(mask.sum()) * grid.voxel_ml, 1)}
    for name, channel in zip(channels, voxels, strict=True):
        facts[name] = tissue_medians(channel, mask, grid)
    return facts


def tissue_medians(channel: Volume, mask: Mask, grid: Grid) -> dict[str, float | None]:
    """Median intensity where the template is white matter, grey matter or CSF; None with too few voxels."""
    template = icbm152()
    tissues = {
        "white": template.white >= PURE,
        "grey": template.grey >= PURE,
        "csf": template.brain & (template.white + template.grey <= 1.0 - PURE),
    }
    return {name: _median_at(where, channel, mask, grid) for name, where in tissues.items()}


def _median_at(where: Mask, channel: Volume, mask: Mask, grid: Grid) -> float | None:
    world = icbm152().grid.to_world(np.argwhere(where))
    index = np.rint(grid.to_voxel(world)).astype(int)
    index = index[((index >= 0) & (index < grid.shape)).all(axis=1)]
    i, j, k = index.T
    values = channel[i, j, k][mask[i, j, k]]
    return round(float(np.median(values)), 4) if values.size >= MIN_TISSUE_VOXELS else None
