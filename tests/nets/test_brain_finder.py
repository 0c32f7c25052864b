"""deepbet's networks, computed another way, give what its own TorchScript gives."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from sanum.nets.brain_finder import BrainFinder, centred, pooled
from sanum.prepare.steps.head_network import WEIGHTS


@pytest.mark.parametrize(("name", "script"), [("fine", "model.pt"), ("rough", "bbox_model.pt")])
def test_the_network_says_what_its_torchscript_says(name, script):
    """deepbet itself is there for this test alone."""
    wheel = importlib.util.find_spec("deepbet")
    if wheel is None:
        pytest.skip("deepbet is not installed; pip install deepbet")
    path = Path(wheel.origin).parents[1] / "data" / "models" / script
    noise = torch.rand(1, 1, 16, 16, 16, generator=torch.Generator().manual_seed(0))
    image = functional.interpolate(noise, scale_factor=4.0, mode="trilinear")
    with torch.inference_mode():
        expected = torch.jit.load(str(path)).eval()(image)[0, 1].numpy()
    found = 1.0 / (1.0 + np.exp(-BrainFinder.read(WEIGHTS / f"{name}.safetensors")(image[0, 0].numpy())))
    assert 0.01 < expected.mean() < 0.99
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_pooling_axis_by_axis_is_pooling():
    features = torch.randn(1, 3, 8, 12, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pooled(features), functional.max_pool3d(features, 3, 2, 1), rtol=0, atol=0)


def test_a_channel_far_from_zero_is_centred_as_exactly_as_one_around_it():
    features = torch.randn(1, 2, 8, 8, 8, generator=torch.Generator().manual_seed(0))
    moved = features + 1000.0
    scales = [centred(one) for one in (features, moved)]
    torch.testing.assert_close(*scales, rtol=1e-3, atol=0)
    torch.testing.assert_close(features, moved, rtol=0, atol=1e-3)
