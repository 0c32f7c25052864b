"""What stands between encoder and decoder: a dense code of any slice, attention that begins as nothing."""

import pytest
import torch

from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig
from sanum.nets.bottleneck import Attention, DenseBottleneck


@pytest.mark.parametrize("size", [(8, 8), (16, 16), (5, 19)])
def test_a_dense_bottleneck_gives_maps_of_the_same_size(size):
    maps = torch.rand(2, 6, *size)
    assert DenseBottleneck(6, 3)(maps).shape == maps.shape


def test_nothing_but_the_code_passes_a_dense_bottleneck():
    """Two slices with one code come out alike, whatever their detail."""
    squeeze = DenseBottleneck(1, 2)
    coarse = torch.rand(1, 1, 8, 8)
    fine = coarse.repeat_interleave(2, 2).repeat_interleave(2, 3)
    detail = torch.tensor([[0.1, -0.1], [-0.1, 0.1]]).repeat(8, 8)
    assert torch.allclose(squeeze(fine), squeeze(fine + detail), atol=1e-5)


def test_attention_begins_as_the_identity_and_then_looks_everywhere():
    attention, maps = Attention(8), torch.rand(1, 8, 6, 6)
    assert torch.equal(attention(maps), maps)
    torch.nn.init.ones_(attention.share)
    changed = maps.clone()
    changed[..., 5, 5] += 1.0
    assert not torch.allclose(attention(maps)[..., 0, 0], attention(changed)[..., 0, 0])


@pytest.mark.parametrize("options", [{"attention": True}, {"latent": 7}, {"attention": True, "latent": 7}])
def test_the_options_leave_any_size_as_it_is_and_show_their_levels(options):
    net = Autoencoder(AutoencoderConfig(2, (4, 8), **options))
    images = torch.rand(3, 2, 17, 30)
    assert net(images).shape == images.shape
    sizes = [tuple(maps.shape[1:]) for maps in net.levels(images)]
    assert sizes[:2] == [(4, 10, 16), (8, 5, 8)]
    assert sizes[2:] == ([(7, 1, 1)] if "latent" in options else [])
