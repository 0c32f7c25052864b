"""Noise for denoising networks: as coarse and as strong as asked, the same from the same seed."""

import pytest
import torch

from sanum.synthesis.draws import Draws
from sanum.synthesis.noise import blob_noise, coarse_noise

IMAGES = torch.zeros(64, 1, 64, 48)


def neighbours_agree(noise):
    """Correlation of pixels that touch."""
    return float(
        torch.corrcoef(torch.stack([noise[..., 1:, :].flatten(), noise[..., :-1, :].flatten()]))[0, 1]
    )


def test_coarse_noise_is_as_strong_as_asked_but_for_the_interpolation():
    noise = coarse_noise(IMAGES, 16, 0.2, Draws(0))
    assert noise.shape == IMAGES.shape
    assert 0.1 < noise.std() < 0.2
    assert abs(noise.mean()) < 0.01


def test_fewer_cells_are_smoother():
    fine, coarse = (neighbours_agree(coarse_noise(IMAGES, cells, 0.2, Draws(0))) for cells in (32, 8))
    assert coarse > 0.9 > fine


def test_blobs_have_both_signs_and_vanish_between():
    noise = blob_noise(IMAGES, 0.3, Draws(0))
    assert noise.shape == IMAGES.shape
    assert noise.min() < -0.3
    assert noise.max() > 0.3
    assert noise.abs().median() < 0.2


@pytest.mark.parametrize(
    "make", [lambda d: coarse_noise(IMAGES, 8, 0.2, d), lambda d: blob_noise(IMAGES, 0.2, d)]
)
def test_the_seed_decides(make):
    assert torch.equal(make(Draws(3)), make(Draws(3)))
    assert not torch.equal(make(Draws(3)), make(Draws(4)))
