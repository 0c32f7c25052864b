"""Artefacts spoil what they should, more so when severe, and the same way for one seed."""

import numpy as np
import pytest

from sanum.core.errors import ConfigError
from sanum.synthesis.artefacts import ARTEFACTS, spoil
from tests.phantoms import prepared_case


@pytest.mark.parametrize("artefact", ARTEFACTS)
def test_artefact_grows_with_severity_and_repeats_with_its_seed(artefact):
    case = prepared_case(shape=(48, 40, 12), modalities=("T1w", "FLAIR"))
    mild, again, severe = (spoil(case, artefact, severity=s, seed=2) for s in (0.1, 0.1, 1.0))
    change = [np.abs(spoilt.voxels - case.voxels).mean() for spoilt in (mild, severe)]
    assert 0.0 < change[0] < change[1]
    assert np.array_equal(mild.voxels, again.voxels)
    assert severe.voxels.dtype == np.float32
    assert not severe.voxels[:, ~case.mask].any()
    assert np.array_equal(severe.voxels[0], severe.voxels[1])


def test_wrong_arguments_are_named():
    case = prepared_case()
    with pytest.raises(ConfigError, match="unknown artefact 'moton'; did you mean 'motion'"):
        spoil(case, "moton", severity=0.5, seed=0)
    with pytest.raises(ConfigError, match=r"severity: expected above 0 and up to 1, got 1\.5"):
        spoil(case, "motion", severity=1.5, seed=0)
