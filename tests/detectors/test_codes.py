"""Codes of slices come from the coarsest maps of whatever encoder there is."""

import numpy as np
import pytest
import torch

from sanum.detectors.codes import encoder_of, slice_codes
from sanum.detectors.intensity import Config, Intensity
from tests.phantoms import prepared_case


class Seeing:
    """An encoder of one step: each slice's own picture, then its mean with the neighbours' halved in size."""

    context = 1
    step = 2

    def levels(self, windows: torch.Tensor) -> list[torch.Tensor]:
        assert windows.shape[:3] == (1, 1, 3)
        return [windows[:, :, 1], torch.nn.functional.avg_pool2d(windows[:, 0], 2)]


def test_a_code_is_the_mean_of_the_coarsest_maps():
    case = prepared_case(0)
    codes = slice_codes(Seeing(), case)
    assert codes.shape == (4, 3)
    means = case.voxels[0].mean(axis=(0, 1))
    assert codes[1] == pytest.approx(means[[0, 1, 2]], abs=1e-6)
    assert codes[0] == pytest.approx(means[[0, 0, 1]], abs=1e-6)
    assert codes.dtype == np.float32


def test_an_encoder_is_found_in_a_detector_or_not_at_all():
    plain = Intensity(Config(), ("T1w",))
    assert encoder_of(plain) is None
    plain.encoder_ = Seeing()
    assert encoder_of(plain) is plain.encoder_
