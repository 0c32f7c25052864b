"""Two encoders, one latent grid: shapes, missing modalities, tolerance to misregistration, windows."""

import pytest
import torch

from sanum.nets.cross_modal import CrossModal, CrossModalConfig, cosine_distance
from sanum.nets.views import tissue_level, windowed


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return CrossModal(CrossModalConfig((0.1, 0.0), 4, (8, 8))).eval()


@pytest.mark.parametrize("size", [(32, 32), (30, 37)])
def test_every_size_goes_through(net, size):
    images = torch.rand(2, 2, *size)
    reading = net(images, torch.ones(2, 2))
    for part in (reading.own, reading.cross, reading.log_spread):
        assert part.shape == images.shape


def test_the_cross_prediction_of_a_modality_does_not_see_that_modality(net):
    images = torch.rand(1, 2, 32, 32)
    changed = images.clone()
    changed[:, 0] = torch.rand(1, 32, 32)
    before, after = (net.read(each, torch.ones(1, 2)).cross for each in (images, changed))
    assert torch.equal(before[:, 0], after[:, 0])
    assert not torch.equal(before[:, 1], after[:, 1])


def test_a_missing_modality_changes_nothing_by_its_content(net):
    one, other = torch.rand(1, 2, 32, 32), torch.rand(1, 2, 32, 32)
    other[:, 0] = one[:, 0]
    present = torch.tensor([[1.0, 0.0]])
    seen = [net.evidence(each * present[:, :, None, None], present) for each in (one, other)]
    assert all(torch.equal(*parts) for parts in zip(*seen, strict=True))
    assert not seen[0][1].any()


def test_latents_displaced_by_one_cell_still_agree():
    latents = torch.randn(1, 1, 16, 12, 12)
    moved = latents.roll(1, dims=3)
    near = cosine_distance(torch.cat([latents, moved]))[..., 2:-2, 2:-2]
    far = cosine_distance(torch.cat([latents, latents.roll(4, dims=3)]))[..., 2:-2, 2:-2]
    assert near.max() < 1e-5 < far.mean()


def test_a_single_modality_is_at_no_distance():
    assert torch.equal(cosine_distance(torch.randn(1, 2, 4, 8, 8)), torch.zeros(2, 1, 8, 8))


def test_the_window_lies_around_the_commonest_tissue():
    image = torch.zeros(1, 20, 20)
    image[:, 2:18, 2:18] = 0.43
    image[:, 8:10, 8:10] = 0.9
    assert float(tissue_level(image)[0]) == pytest.approx(0.43, abs=0.01)
    shown = windowed(image, 0.1)[0]
    assert float(shown[5, 5]) == pytest.approx(0.5, abs=0.1)
    assert (float(shown[9, 9]), float(shown[0, 0])) == (1.0, 0.0)


def test_an_empty_image_has_a_level_too():
    assert tissue_level(torch.zeros(2, 8, 8)).tolist() == [0.5, 0.5]
