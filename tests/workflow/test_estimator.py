"""The scikit-learn face: scikit-learn's own checks, and arrays of several axes."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from sanum.core.errors import ConfigError
from sanum.workflow.estimator import AnomalyDetector


@parametrize_with_checks([AnomalyDetector("atlas", {"smoothing_mm": 0.0})])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def healthy():
    return np.random.default_rng(0).normal(100.0, 5.0, (20, 16, 12, 3))


def test_a_spot_is_an_outlier_and_is_seen_where_it_is(healthy):
    fitted = AnomalyDetector("atlas", {"smoothing_mm": 1.0}).fit(healthy)
    ill = healthy[:1].copy()
    ill[0, 4:8, 4:8, 1] = 200.0
    assert fitted.predict(ill) == [-1]
    assert fitted.score_samples(ill) < fitted.score_samples(healthy).min()
    found = fitted.anomaly_maps(ill)
    assert found.shape == ill.shape
    assert np.unravel_index(found.argmax(), found.shape)[1:3] in [
        (i, j) for i in range(4, 8) for j in range(4, 8)
    ]


def test_arrays_of_another_shape_are_refused(healthy):
    fitted = AnomalyDetector().fit(healthy)
    with pytest.raises(
        ValueError, match=r"expected cases of shape \(16, 12, 3\) as in fit, got \(16, 10, 3\)"
    ):
        fitted.score_samples(healthy[:, :, :10])
    with pytest.raises(ValueError, match="expected 2 to 4 axes"):
        fitted.fit(healthy[..., None])


def test_settings_are_checked_when_they_are_used(healthy):
    with pytest.raises(ConfigError, match="unknown recipe 'atlsa'; did you mean 'atlas'"):
        AnomalyDetector("atlsa").fit(healthy)
    with pytest.raises(ValueError, match=r"contamination: expected above 0 and up to 0\.5, got 0\.7"):
        AnomalyDetector(contamination=0.7).fit(healthy)
    with pytest.raises(NotFittedError):
        AnomalyDetector().predict(healthy)
