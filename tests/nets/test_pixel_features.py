"""Fixed features: as many as said, local where they are local, and the same for a mirrored slice but for its side."""

import torch

from sanum.nets.pixel_features import pixel_features


def features(views, maps=None):
    count, _, *size = views.shape
    maps = torch.zeros(count, 1, *size) if maps is None else maps
    return pixel_features(views, maps, torch.zeros(count, 2, *size))


def test_blocks_of_two_pixels_give_one_place():
    assert features(torch.rand(2, 3, 32, 32)).shape[2:] == (16, 16)
    assert features(torch.rand(1, 3, 31, 33)).shape[2:] == (16, 17)


def test_the_first_features_are_the_values_themselves():
    views = torch.rand(1, 1, 8, 8)
    assert torch.equal(features(views)[:, :1], torch.nn.functional.avg_pool2d(views, 2))


def test_every_feature_of_an_even_slice_is_finite():
    for level in (0.0, 1.0):
        assert features(torch.full((1, 2, 16, 16), level)).isfinite().all()


def test_a_change_is_not_seen_far_away_but_by_what_is_about_the_whole_slice():
    views = torch.rand(1, 1, 128, 128)
    changed = views.clone()
    changed[..., :8, :8] = 1.0
    before, after = features(views), features(changed)
    assert torch.equal(before[0, :5, -8:, -8:], after[0, :5, -8:, -8:])
