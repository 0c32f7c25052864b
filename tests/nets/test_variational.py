"""The variational network: the textbook divergence, a drawn code in training, the mean otherwise."""

import torch
from torch.distributions import Normal, kl_divergence

from sanum.nets.autoencoder import AutoencoderConfig
from sanum.nets.variational import VariationalAutoencoder, divergence


def net():
    torch.manual_seed(0)
    return VariationalAutoencoder(AutoencoderConfig(1, (4, 8), latent=6))


def test_the_divergence_is_that_of_torch():
    mean, log_variance = torch.randn(3, 6), torch.randn(3, 6)
    expected = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(divergence(mean, log_variance), expected, atol=1e-5)


def test_any_size_comes_back_in_its_shape_within_0_and_1():
    rebuilt, mean, log_variance = net()(torch.rand(2, 1, 19, 30))
    assert rebuilt.shape == (2, 1, 19, 30)
    assert mean.shape == log_variance.shape == (2, 6)
    assert 0.0 <= rebuilt.min() <= rebuilt.max() <= 1.0


def test_the_code_is_drawn_in_training_only():
    one, images = net(), torch.rand(1, 1, 16, 16)
    assert not torch.equal(one(images)[0], one(images)[0])
    one.eval()
    assert torch.equal(one(images)[0], one(images)[0])


def test_the_levels_end_with_the_mean_of_the_code():
    one, images = net().eval(), torch.rand(2, 1, 16, 16)
    levels = one.levels(images)
    assert [tuple(maps.shape[1:]) for maps in levels] == [(4, 8, 8), (8, 4, 4), (6, 1, 1)]
    assert torch.equal(levels[-1][:, :, 0, 0], one(images)[1])
