"""Each modality is scaled by its row of the table; CT by windows, or by percentiles where it lost its unit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.errors import PreparationError
from sanum.core.records import Scan
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Slices
from tests.phantoms import brain_scan

WHO = {"case": "c", "subject": "s"}
AIR = -1000.0


def ct_scan() -> Scan:
    """The phantom brain in Hounsfield units: grey 35, white 50, ventricles 20, the nucleus 57.5; air around."""
    scan = brain_scan(modality="CT")
    hounsfield = np.where(scan.voxels > 0, 10 + scan.voxels / 20, AIR)
    return dataclasses.replace(scan, voxels=hounsfield.astype(np.float32))


def test_windows_are_channels_in_hounsfield_units():
    case = prepare({"CT": ct_scan()}, Slices(("CT",)), **WHO)
    assert case.modalities == ("CT:brain", "CT:subdural", "CT:bone")
    brain, subdural, bone = (np.median(channel[case.mask]) for channel in case.voxels)
    assert brain == pytest.approx((50 - 0) / 80, abs=0.03)
    assert subdural == pytest.approx((50 + 32.5) / 215, abs=0.02)
    assert bone == pytest.approx((50 + 800) / 2800, abs=0.01)
    assert (case.voxels[:, ~case.mask] == 0).all()
    facts = next(step.facts for step in case.steps if step.name == "scale")
    assert facts["CT"]["hu"]["brain"] == [0.0, 80.0]


def test_ct_goes_beside_mri():
    case = prepare(
        {"T1w": brain_scan(), "CT": ct_scan()}, Slices(("T1w", "CT"), ct_windows=("brain",)), **WHO
    )
    assert case.modalities == ("T1w", "CT:brain")
    assert np.corrcoef(case.voxels[:, case.mask])[0, 1] > 0.98


def test_grey_levels_take_no_window_but_percentiles_with_a_flag():
    scan = ct_scan()
    shown = np.clip(scan.voxels, AIR, 100)
    grey = np.rint(255 * (shown - AIR) / (shown.max() - AIR)).astype(np.float32)
    picture = dataclasses.replace(scan, voxels=grey)
    with pytest.raises(PreparationError, match=r"grey levels, not Hounsfield units.*ct_windows=\[\]"):
        prepare({"CT": picture}, Slices(("CT",)), **WHO)
    case = prepare({"CT": picture}, Slices(("CT",), ct_windows=()), **WHO)
    assert case.modalities == ("CT",)
    facts = next(step.facts for step in case.steps if step.name == "scale")
    assert "grey levels" in facts["CT"]["flags"][0]
