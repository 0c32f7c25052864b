"""The autoencoder of features keeps sizes, and structural similarity is what its formula says."""

import pytest
import torch

from sanum.nets.feature_autoencoder import FeatureAutoencoder, similarity


@pytest.mark.parametrize("size", [(16, 16), (5, 9), (1, 3)])
def test_any_size_comes_back(size):
    maps = torch.randn(2, 6, *size)
    assert FeatureAutoencoder(6, (8, 4)).eval()(maps).shape == maps.shape


def test_maps_are_alike_to_themselves_and_unlike_to_others():
    torch.manual_seed(0)
    one, other = 2.0 * torch.rand(2, 3, 4, 16, 16)
    assert torch.allclose(similarity(one, one), torch.ones_like(one), atol=1e-5)
    assert similarity(one, other).mean() < 0.3
    assert similarity(one, 2.0 - one).mean() < 0.0
    assert similarity(one, one + 2.0).mean() < 0.9


def test_a_change_lowers_similarity_only_near_it():
    torch.manual_seed(0)
    one = torch.rand(1, 1, 16, 16)
    changed = one.clone()
    changed[..., 8, 8] += 3.0
    unlike = 1.0 - similarity(one, changed)[0, 0]
    assert unlike[8, 8] > 0.1
    assert unlike[:5].abs().max() < 1e-5
