"""The detector that sees whole volumes: any size goes through, bits are kept, cases it can't take are named."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError, ModelFileError, ScanError, TrainingError
from sanum.detectors.restore_3d import Config, Restore3d
from sanum.synthesis.plant import Mixture
from tests.detectors.test_restore import CALM
from tests.phantoms import prepared_case

QUICK = Config(
    widths=(8, 16),
    epochs=2,
    learning_rate=3e-3,
    easy_steps=0,
    lesions=Mixture(smallest=0.02, number=2),
    augmentation=CALM,
    location_prior=0.1,
)
SHAPE = (24, 26, 21)


def cases(count=6):
    return [prepared_case(seed, shape=SHAPE) for seed in range(count)]


@pytest.fixture(scope="module")
def taught():
    return Restore3d(QUICK, ("T1w",)).fit(cases(), seed=0)


def test_sides_that_blocks_do_not_divide_are_scored_to_the_last_voxel(taught):
    case = prepared_case(9, shape=SHAPE)
    values = taught.score(case).values
    assert values.shape == SHAPE
    assert np.array_equal(np.isnan(values), ~case.mask)


def test_same_seed_same_weights():
    first, again = (Restore3d(replace(QUICK, epochs=1), ("T1w",)).fit(cases(3), seed=3) for _ in range(2))
    assert first.state_sha256() == again.state_sha256()


def test_weights_saved_in_half_precision_give_the_same_bits(taught):
    case = prepared_case(9, shape=SHAPE)
    state = taught.state()
    assert state["net.unet.head.weight"].dtype == np.float16
    loaded = Restore3d(QUICK, ("T1w",)).load_state(state)
    assert np.array_equal(loaded.score(case).values, taught.score(case).values, equal_nan=True)


def test_the_reconstruction_lies_on_the_cases_own_grid(taught):
    case = prepared_case(9, shape=SHAPE)
    reconstruction = taught.judge(case).reconstruction
    assert reconstruction.shape == case.voxels.shape
    assert 0.0 <= reconstruction.min() <= reconstruction.max() <= 1.0


def test_another_grid_is_refused(taught):
    with pytest.raises(ScanError, match="not the grid of this model"):
        taught.score(prepared_case(9, shape=(32, 32, 24)))
    with pytest.raises(TrainingError, match="restore-volume"):
        Restore3d(QUICK, ("T1w",)).fit([*cases(2), prepared_case(9, shape=(32, 32, 24))], seed=0)


def test_a_state_without_its_prior_is_refused(taught):
    state = {name: array for name, array in taught.state().items() if name != "prior"}
    with pytest.raises(ModelFileError, match="location prior"):
        Restore3d(QUICK, ("T1w",)).load_state(state)


@pytest.mark.parametrize("settings", [{"widths": [12]}, {"block": 0}, {"smoothing_mm": -1.0}])
def test_impossible_settings_are_named(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        from_dict(Config, settings, "here")
