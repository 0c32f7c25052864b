"""Scans of one case are laid on the first; what does not belong together is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices
from tests.phantoms import brain_scan

WHO = {"case": "c", "subject": "s"}
BOTH = Slices(("T1w", "FLAIR"))


def moved_flair(shift: tuple[float, ...], degrees: float):
    """The phantom with its contrast turned over, in a header that puts it elsewhere."""
    scan = brain_scan(modality="FLAIR")
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    motion[:3, 3] = shift
    voxels = np.where(scan.voxels > 0, 1300 - scan.voxels, 0).astype(np.float32)
    return dataclasses.replace(
        scan, voxels=voxels, grid=Grid(scan.grid.shape, motion @ scan.grid.affine)
    ), motion


def facts_of(case) -> dict:
    return next(step.facts for step in case.steps if step.name == "coregister")


def test_a_patient_who_moved_is_brought_back():
    flair, motion = moved_flair((9.0, -6.0, 5.0), 6.0)
    case = prepare({"T1w": brain_scan(), "FLAIR": flair}, BOTH, **WHO)
    facts = facts_of(case)
    assert facts["turn_degrees"] == pytest.approx(6, abs=0.7)
    np.testing.assert_allclose(np.array(facts["to_first"]) @ motion, np.eye(4), atol=0.8)
    assert facts["mutual_information"] > facts["mutual_information_before"]
    assert np.corrcoef(case.voxels[:, case.mask])[0, 1] < -0.9


def test_the_headers_can_be_trusted_instead():
    flair, _ = moved_flair((9.0, -6.0, 5.0), 0.0)
    case = prepare({"T1w": brain_scan(), "FLAIR": flair}, dataclasses.replace(BOTH, coregister=False), **WHO)
    assert all(step.name != "coregister" for step in case.steps)
    assert np.corrcoef(case.voxels[:, case.mask])[0, 1] > -0.9


def test_one_grid_needs_no_registration():
    flair, _ = moved_flair((0.0, 0.0, 0.0), 0.0)
    case = prepare({"T1w": brain_scan(), "FLAIR": flair}, BOTH, **WHO)
    assert all(step.name != "coregister" for step in case.steps)


def test_noise_is_not_laid_on_a_brain():
    scan = brain_scan(modality="FLAIR")
    noise = np.random.default_rng(0).uniform(0, 1, (60, 60, 60)).astype(np.float32)
    noisy = dataclasses.replace(scan, voxels=noise, grid=Grid(noise.shape, scan.grid.affine))
    with pytest.raises(
        PreparationError, match=r"phantom-0\.nii\.gz: can't be laid on the first scan of the case"
    ):
        prepare({"T1w": brain_scan(), "FLAIR": noisy}, BOTH, **WHO)
