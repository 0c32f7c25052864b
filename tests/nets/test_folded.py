"""Folding upsampling into convolutions changes the work, not the result."""

import pytest
import torch
from torch import nn

from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig
from sanum.nets.folded import fold_upsampling


@pytest.mark.parametrize(
    "config", [AutoencoderConfig(2, (4, 8)), AutoencoderConfig(1, (4, 8, 12), downsampling="pool")]
)
@pytest.mark.parametrize("size", [(16, 16), (17, 30)])
def test_the_folded_net_gives_the_same_up_to_rounding_also_at_the_borders(config, size):
    torch.manual_seed(0)
    net = Autoencoder(config).eval()
    images = torch.rand(2, config.channels, *size)
    with torch.no_grad():
        torch.testing.assert_close(fold_upsampling(net)(images), net(images), rtol=1e-5, atol=1e-6)


def test_the_original_is_left_as_it_was_and_no_upsampling_stays():
    net = Autoencoder(AutoencoderConfig()).eval()
    folded = fold_upsampling(net)
    assert not any(isinstance(step, nn.Upsample) for step in folded.modules())
    assert any(isinstance(step, nn.Upsample) for step in net.modules())
    assert not folded.training
