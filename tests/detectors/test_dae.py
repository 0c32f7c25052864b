"""The denoising detector: its score is the noise that it sees, median-filtered."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import median_filter

from sanum.detectors.dae import Config, Denoiser
from tests.phantoms import prepared_case

TINY = Config(widths=(8, 16), epochs=2, batch=4, learning_rate=0.01, cells=4, median=3)


def cases():
    return [prepared_case(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def fitted():
    return Denoiser(TINY, ("T1w",)).fit(cases(), seed=0)


def test_the_score_is_the_filtered_size_of_the_predicted_noise(fitted):
    case = prepared_case(9)
    with torch.inference_mode():
        noise = fitted.net_(torch.from_numpy(np.moveaxis(case.voxels, 3, 0).copy())).abs()[:, 0].numpy()
    expected = median_filter(np.where(case.mask, np.moveaxis(noise, 0, 2), 0), size=3)
    assert np.allclose(fitted.score(case).values[case.mask], expected[case.mask], atol=1e-6)


def test_the_kinds_of_noise_teach_different_networks(fitted):
    blob = Denoiser(replace(TINY, noise="blob"), ("T1w",)).fit(cases(), seed=0)
    assert blob.state_sha256() != fitted.state_sha256()


def test_the_best_epoch_is_kept(fitted):
    assert len(fitted.history_.validation_loss) == TINY.epochs
    assert fitted.keep == "best"


def test_the_median_filter_does_not_reach_across_a_picture():
    picture = [prepared_case(seed, shape=(32, 32, 1)) for seed in range(3)]
    values = Denoiser(replace(TINY, median=5), ("T1w",)).fit(picture, seed=0).score(picture[0]).values
    assert np.nanmax(values) > 0.0
