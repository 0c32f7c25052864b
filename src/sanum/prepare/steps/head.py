"""The brain within a whole head, found by the network that deepbet ships."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan
from sanum.core.units import BRAIN_ML, Mask, Volume
from sanum.prepare.steps.brain_mask import ADVICE, border_share, filled, largest_piece
from sanum.prepare.steps.head_network import head_network
from sanum.prepare.steps.orient import own_voxels, ras_grid, ras_voxels
from sanum.prepare.steps.skull import inside_skull

ADULT_ML = (900.0, BRAIN_ML[1])
"""Plausible volumes of a mask that nobody looked at: the network learnt from adults, and what is no head often
comes out smaller."""

MAX_BORDER = 0.10
"""Most of the outline that may lie on the field's border: from here on a good part of the brain is cut off."""

CT_BRAIN_HU = (0.0, 100.0)
"""Hounsfield units of brain, CSF and fresh blood. With all else at 0, bone turns dark as it is in MRI."""

MEASURED = ("T1w", "FLAIR", "CT")
"""Contrasts on which the network's masks were compared with label maps or looked at."""

LEAST_MM = 50.0
"""Least extent of a volume along each axis: no whole brain fits into less, and the network fails on a single slice."""

USUAL_UNSURE = 0.025
"""Share of unsure voxels (probability .1 to .9) above all of 20 real heads (.015 to .021); noise has .03 and more."""

_one_at_a_time = threading.Lock()


def estimated_brain(scan: Scan, modality: str) -> tuple[Mask, dict[str, Any]]:
    """Find the brain in a volume of a whole head, of any storage order.

    deepbet (Fisch et al., Computers in Biology and Medicine 179, 2024) learnt from T1w scans of adults, and finds
    the brain on FLAIR as well; CT goes in as its brain window, and the mask is then all that lies inside the skull.
    One scan gives one mask: it runs on the CPU.

    Args:
        scan: a volume in scanner units (HU for CT).
        modality: BIDS suffix.

    Returns:
        The brain on the scan's grid; and facts: share of its voxels in one piece before the others were dropped,
        share of voxels about which the network is unsure, `flags` that a person should look at.

    Raises:
        PreparationError: nothing is found, or what is found can't be a whole brain.
    """
    grid = ras_grid(scan.grid)
    _require_thick(grid, scan.source.path)
    voxels = np.ascontiguousarray(ras_voxels(scan.voxels, scan.grid))
    likely = _brain_probability(_mri_like(voxels, modality), scan.source.path)
    found = likely > 0.5
    if not found.any():
        raise _nothing(scan.source.path)
    largest, share = largest_piece(found)
    brain = inside_skull(voxels, largest, grid.spacing) if modality == "CT" else filled(largest)
    if not brain.any():
        raise _nothing(scan.source.path)
    _require_plausible(brain, grid, scan.source.path)
    unsure = float(((likely > 0.1) & (likely < 0.9)).sum() / brain.sum())
    facts = {
        "by": "deepbet",
        "one_piece": round(share, 4),
        "unsure": round(unsure, 4),
        "flags": _flags(modality, unsure),
    }
    return np.ascontiguousarray(own_voxels(brain, scan.grid)), facts


def _flags(modality: str, unsure: float) -> list[str]:
    flags = []
    if modality not in MEASURED:
        flags.append(f"deepbet was not measured on {modality}: look at the mask")
    if unsure > USUAL_UNSURE:
        flags.append(f"deepbet is unsure about {unsure:.1%} of the mask's voxels: look at it")
    return flags


def _mri_like(voxels: Volume, modality: str) -> Volume:
    if modality != "CT":
        return voxels
    low, high = CT_BRAIN_HU
    return np.where((voxels >= low) & (voxels <= high), voxels, np.float32(0))


def _brain_probability(voxels: Volume, path: str) -> Volume:
    """Probability of brain at each voxel of a volume in RAS+ order; one at a time, since it needs much memory."""
    try:
        with _one_at_a_time:
            return head_network().run_model(voxels)
    except ValueError as error:
        raise _nothing(path) from error


def _nothing(path: str) -> PreparationError:
    return PreparationError(f"{path}: no brain is found in it; is this a scan of a head? {ADVICE}")


def _require_thick(grid: Grid, path: str) -> None:
    mm, slices = min(zip((np.array(grid.shape) * grid.spacing).tolist(), grid.shape, strict=True))
    if mm < LEAST_MM:
        raise PreparationError(
            f"{path}: along one axis the volume has {slices} slices and is {mm:.0f} mm thick, needed {LEAST_MM:.0f} or "
            "more: part of the brain is not in it; give a scan of the whole head"
        )


def _require_plausible(brain: Mask, grid: Grid, path: str) -> None:
    ml, border = float(brain.sum()) * grid.voxel_ml, border_share(brain, grid)
    if not ADULT_ML[0] <= ml <= ADULT_ML[1]:
        raise PreparationError(
            f"{path}: the scan is not brain-extracted, and the brain found in it holds {ml:.0f} ml, expected "
            f"{ADULT_ML[0]:.0f} to {ADULT_ML[1]:.0f}; is this a whole head, and does its header say rightly which "
            f"way is up? {ADVICE}"
        )
    if border > MAX_BORDER:
        raise PreparationError(
            f"{path}: {border:.0%} of the outline of the brain found in it lies on the border of the field, at most "
            f"{MAX_BORDER:.0%} expected: part of the brain is cut off; {ADVICE}"
        )
