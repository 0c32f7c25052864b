"""Facts about a prepared case that tell a person whether to trust it."""

from __future__ import annotations

from typing import Any

import numpy as np

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.units import Channels, Mask, Volume
from sanum.prepare.template import icbm152

PURE = 0.8
"""Share from which a template voxel counts as one tissue."""

MIN_TISSUE_VOXELS = 200
"""Fewer voxels of a tissue give no median worth comparing."""

MIN_WHITE_TO_GREY = 1.1
"""Least ratio of white to grey matter on a T1w scan. Of 95 healthy adults on two scanners the lowest had 1.17 (its
neck was left on), the next 1.38, half of them 1.6 or more; FLAIR without large lesions has .8 to .9."""


def check(voxels: Channels, mask: Mask, grid: Grid, modalities: tuple[str, ...]) -> dict[str, Any]:
    """Facts of a case on the template grid; a T1w channel must look like T1w.

    Args:
        voxels: (C, I, J, K) in [0, 1].
        mask: (I, J, K), the brain.
        grid: in template world.
        modalities: name of each channel.

    Returns:
        Brain volume on the template in ml, and the median of each tissue by channel.

    Raises:
        PreparationError: a channel named T1w has white matter that is not brighter than grey matter.
    """
    facts: dict[str, Any] = {"model_ml": round(float(mask.sum()) * grid.voxel_ml, 1)}
    for name, channel in zip(modalities, voxels, strict=True):
        medians = tissue_medians(channel, mask, grid)
        facts[name] = medians
        if name == "T1w":
            _refuse_other_contrast(medians)
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


def _refuse_other_contrast(medians: dict[str, float | None]) -> None:
    white, grey = medians["white"], medians["grey"]
    if white is None or grey is None or white >= MIN_WHITE_TO_GREY * grey:
        return
    raise PreparationError(
        f"looks like T2w or FLAIR, not T1w: white/grey = {white / grey:.2f}, needed {MIN_WHITE_TO_GREY} or more; "
        "check the column or file name"
    )
