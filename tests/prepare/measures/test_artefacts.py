"""Faults of acquisition worsen the measures that should see them, the more the worse they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sanum.core.quality import MEASURES
from sanum.prepare.measures.record import measure
from sanum.prepare.steps.resample import resample_mask
from sanum.synthesis.artefacts import ARTEFACTS
from tests.prepare.measures.heads import made_head
from tests.prepare.test_real import read

SEVERITIES = (0.2, 0.5, 1.0)


def noise(voxels, severity, rng):
    """Noise as in a magnitude picture."""
    real, imaginary = 0.1 * severity * rng.standard_normal((2, *voxels.shape))
    return np.hypot(voxels + real, imaginary)


FAULTS = {"noise": noise, **ARTEFACTS}
SEES = {
    "noise": ("noise", "snr_air", "fber", "efc", "snr_white", "cnr", "gradient_entropy"),
    "motion": ("gradient_entropy", "efc", "fber"),
    "ghosting": ("efc", "fber"),
    "spikes": ("gradient_entropy", "efc", "fber", "snr_air"),
    "bias": ("unevenness", "snr_white"),
}
BETTER = {one.name: one.better for one in MEASURES}


def course(scan, brain, fault, seed):
    """Records of the scan as it is and at rising severity."""
    spoilt = [
        FAULTS[fault](scan.voxels, severity, np.random.default_rng(seed)).astype(np.float32)
        for severity in SEVERITIES
    ]
    return [measure(dataclasses.replace(scan, voxels=one), brain, "T1w") for one in (scan.voxels, *spoilt)]


def require_worse(records, names):
    for name in names:
        values = np.array([getattr(record, name) for record in records])
        worse = np.diff(values) * (1 if BETTER[name] == "lower" else -1)
        assert (worse > 0).all(), f"{name}: {values}"


@pytest.mark.parametrize("seed", [1, 3])
@pytest.mark.parametrize("fault", SEES)
def test_a_worse_fault_gives_a_worse_value(fault, seed):
    scan, brain = made_head()
    require_worse(course(scan, brain, fault, seed), SEES[fault])


@pytest.mark.real
@pytest.mark.parametrize("fault", ["noise", "motion", "ghosting", "spikes"])
def test_so_it_does_on_a_real_head(real_data, fault):
    """Its own uneven field may cancel an added one, so that bias is left to the made head and the extracted one."""
    scan = read(real_data / "nichart/Subj5_T1w.nii.gz")
    scan = dataclasses.replace(scan, voxels=scan.voxels / np.percentile(scan.voxels, 99.9))
    labels = read(real_data / "nichart/Subj5_T1w_labels.nii.gz")
    brain = resample_mask(labels.voxels > 0, labels.grid, scan.grid, np.eye(4))
    seen = {"noise": ("noise", "fber", "efc", "snr_white", "gradient_entropy"), "spikes": ("efc", "fber")}
    require_worse(course(scan, brain, fault, 3), seen.get(fault, SEES[fault]))


@pytest.mark.real
@pytest.mark.parametrize(
    ("fault", "names"),
    [
        ("noise", ("noise", "snr_white", "snr_grey", "cnr", "gradient_entropy")),
        ("motion", ("gradient_entropy", "snr_white", "cnr", "cjv")),
        ("bias", ("unevenness", "snr_white")),
    ],
)
def test_within_an_extracted_brain_too(real_data, fault, names):
    scan = read(real_data / "oasis/1001_T1w.nii.gz")
    brain = scan.voxels != 0
    scan = dataclasses.replace(scan, voxels=scan.voxels / np.percentile(scan.voxels, 99.9))
    require_worse(course(scan, brain, fault, 3), names)
