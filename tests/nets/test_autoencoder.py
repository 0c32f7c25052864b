"""The classic network: shape, range, and that it is the one its config describes."""

import pytest
import torch
from torch import nn

from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig

STRIDED = AutoencoderConfig()
POOLED = AutoencoderConfig(widths=(32, 64, 128), downsampling="pool")


@pytest.mark.parametrize("config", [STRIDED, POOLED])
@pytest.mark.parametrize("size", [(1, 16, 16), (3, 17, 30), (2, 5, 1)])
def test_any_batch_and_size_comes_back_in_its_shape_and_within_0_and_1(config, size):
    batch, height, width = size
    rebuilt = Autoencoder(config)(torch.rand(batch, 1, height, width))
    assert rebuilt.shape == (batch, 1, height, width)
    assert rebuilt.min() >= 0.0
    assert rebuilt.max() <= 1.0


@pytest.mark.parametrize("config", [STRIDED, POOLED])
def test_each_stage_halves_the_image_to_its_width(config):
    stages = []
    images = torch.rand(1, 1, 64, 64)
    for stage in Autoencoder(config).encoder:
        images = stage(images)
        stages.append(tuple(images.shape[1:]))
    assert stages == [(width, 64 >> n, 64 >> n) for n, width in enumerate(config.widths, start=1)]


@pytest.mark.parametrize(("config", "pools", "stride"), [(STRIDED, 0, 2), (POOLED, 3, 1)])
def test_the_downsampling_is_the_configured_one(config, pools, stride):
    encoder = Autoencoder(config).encoder
    assert sum(isinstance(part, nn.MaxPool2d) for part in encoder.modules()) == pools
    assert {part.stride[0] for part in encoder.modules() if isinstance(part, nn.Conv2d)} == {stride}


def test_the_padding_reaches_no_further_than_the_border():
    """An odd size is extended by its edge, so the far corner is rebuilt as in the full image."""
    net = Autoencoder(AutoencoderConfig(widths=(4,))).eval()
    images = torch.rand(1, 1, 33, 33)
    cropped = net(images[..., :32, :32])
    assert torch.allclose(net(images)[..., :24, :24], cropped[..., :24, :24], atol=1e-6)


def test_several_channels_go_in_and_out():
    assert Autoencoder(AutoencoderConfig(channels=2))(torch.rand(1, 2, 8, 8)).shape == (1, 2, 8, 8)
