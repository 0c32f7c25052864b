"""The three scores of the variational autoencoder are what their formulas say."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sanum.detectors.vae import Config, Variational
from sanum.nets.variational import divergence
from tests.phantoms import prepared_case

TINY = Config(
    widths=(4, 8), latent=6, epochs=15, batch=4, learning_rate=0.01, noise=0.02, steps=10, smoothing_mm=0.0
)
SCORES = ("reconstruction", "kl-gradient", "restoration")


@pytest.fixture(scope="module")
def fitted():
    return Variational(TINY, ("T1w",)).fit([prepared_case(seed) for seed in range(4)], seed=0)


def scored(fitted, case, **changed):
    again = Variational(replace(TINY, **changed), ("T1w",)).load_state(fitted.state())
    return again.score(case).values


def test_reconstruction_is_the_absolute_error(fitted):
    case = prepared_case(9)
    with torch.inference_mode():
        rebuilt = fitted.net_(torch.from_numpy(case.voxels[..., 1])[None])[0][0, 0].numpy()
    here = case.mask[..., 1]
    expected = np.abs(case.voxels[0, ..., 1] - rebuilt)
    assert np.allclose(scored(fitted, case)[..., 1][here], expected[here], atol=1e-6)


def test_the_kl_gradient_is_the_error_times_the_slope_of_the_divergence(fitted):
    case, pixel, step = prepared_case(9), (16, 14), 1e-2
    image = torch.from_numpy(case.voxels[..., 0])[None]
    around = []
    for sign in (-1.0, 1.0):
        moved = image.clone()
        moved[0, 0, *pixel] += sign * step
        with torch.inference_mode():
            around.append(float(divergence(*fitted.net_(moved)[1:])))
    slope = abs(around[1] - around[0]) / (2.0 * step)
    error = scored(fitted, case)[*pixel, 0]
    assert scored(fitted, case, score="kl-gradient")[*pixel, 0] == pytest.approx(
        slope * error, rel=0.2, abs=1e-4
    )


def test_restoration_changes_a_lesion_more_than_healthy_tissue(fitted):
    ill = prepared_case(9, lesion=True)
    values = scored(fitted, ill, score="restoration")
    assert values[ill.lesion].mean() > 2 * values[ill.mask & ~ill.lesion].mean()


def test_a_heavier_stay_changes_less(fitted):
    ill = prepared_case(9, lesion=True)
    light, heavy = (np.nanmean(scored(fitted, ill, score="restoration", stay=stay)) for stay in (0.0, 1.0))
    assert heavy < light


@pytest.mark.parametrize("score", SCORES)
def test_every_score_is_the_same_for_one_slice_or_many(fitted, score):
    case = prepared_case(9, lesion=True)
    one, many = (scored(fitted, case, score=score, batch=batch) for batch in (1, 4))
    assert np.allclose(one, many, atol=1e-5, equal_nan=True)
