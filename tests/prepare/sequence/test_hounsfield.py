"""CT is told by its unit alone, and nothing else has it."""

import numpy as np
import pytest

from sanum.core.grid import Grid
from sanum.core.records import Scan, Source
from sanum.formats import read_scan
from sanum.prepare.sequence import recognise
from sanum.prepare.sequence.hounsfield import in_hounsfield_units

RNG = np.random.default_rng(0)


def head(air=-1000.0, brain=35.0, bone=1200.0, shape=(40, 40, 30)):
    voxels = np.full(shape, air, np.float32)
    voxels[6:-6, 6:-6, 4:-4] = bone
    voxels[9:-9, 9:-9, 6:-6] = brain
    return voxels + RNG.normal(0.0, 5.0, shape).astype(np.float32)


def test_air_tissue_and_bone_are_all_needed():
    assert in_hounsfield_units(head())
    assert not in_hounsfield_units(head(air=0.0))
    assert not in_hounsfield_units(head(brain=400.0))
    assert not in_hounsfield_units(head(bone=35.0))


def test_a_phase_image_of_12_bits_and_an_empty_volume_are_none():
    assert not in_hounsfield_units(RNG.uniform(-4096, 4096, (40, 40, 30)).astype(np.float32))
    assert not in_hounsfield_units(np.full((9, 9, 9), -1000.0, np.float32))
    assert not in_hounsfield_units(np.full((9, 9, 9), np.nan, np.float32))


def test_a_volume_in_hounsfield_units_is_ct_for_sure_whatever_it_is_called():
    scan = Scan(
        head(), Grid((40, 40, 30), np.diag([4.0, 4.0, 5.0, 1.0])), "T1w", Source("x.nii.gz", "0" * 64)
    )
    looks = recognise(scan)
    assert looks.sequence == "CT"
    assert looks.shares["CT"] == 1.0


@pytest.mark.real
def test_a_real_ct_is_in_hounsfield_units_and_real_mri_is_not(real_data):
    ct = read_scan(real_data / "dicom/ct-ge-tilted.zip")
    assert in_hounsfield_units(ct.voxels)
    assert recognise(ct).sequence == "CT"
    for name in ("heads/chris_T1w.nii.gz", "heads/fernando_FLAIR.nii.gz", "heads/IXI012-HH-1211_T1w.nii.gz"):
        assert not in_hounsfield_units(read_scan(real_data / name).voxels)
