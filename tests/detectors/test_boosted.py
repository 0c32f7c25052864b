"""Boosted trees as arrays answer as scikit-learn does, to the bit after a round trip."""

import numpy as np
import pytest

from sanum.core.errors import ModelFileError
from sanum.detectors.boosted import Boosted, BoostSettings


@pytest.fixture(scope="module")
def learned():
    rng = np.random.default_rng(0)
    samples = rng.standard_normal((2000, 4)).astype(np.float32)
    truth = (samples[:, 0] * samples[:, 1] > 0.2) | (samples[:, 2] > 1.5)
    return Boosted.fit(samples, truth, BoostSettings(trees=30, leaves=8), seed=0), samples, truth


def test_they_learn_what_no_single_feature_tells(learned):
    trees, samples, truth = learned
    assert ((trees.log_odds(samples) > 0) == truth).mean() > 0.93


def test_a_value_just_at_a_threshold_goes_the_same_way_as_in_scikit_learn(learned):
    """`fit` itself compares the answers; samples that stand on the thresholds are the hard ones."""
    rng = np.random.default_rng(1)
    samples = rng.integers(0, 4, (800, 3)).astype(np.float32)
    truth = samples.sum(1) > 4
    trees = Boosted.fit(samples, truth, BoostSettings(trees=30), seed=0)
    assert ((trees.log_odds(samples) > 0) == truth).mean() > 0.95


def test_they_come_back_to_the_bit(learned):
    trees, samples, _ = learned
    again = Boosted.of_arrays(trees.arrays())
    assert np.array_equal(again.log_odds(samples), trees.log_odds(samples))


@pytest.mark.parametrize("truth", [True, False])
def test_one_class_alone_gives_one_answer(truth):
    samples = np.zeros((5, 2), np.float32)
    answer = Boosted.fit(samples, np.full(5, truth), BoostSettings(), seed=0).log_odds(samples)
    assert (answer == (8.0 if truth else -8.0)).all()


def test_missing_arrays_are_named():
    with pytest.raises(ModelFileError, match="'feature' is missing"):
        Boosted.of_arrays({})
