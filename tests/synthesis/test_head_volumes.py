"""A made head has the densities of a head, each sequence its order of tissues, and no two persons are one."""

import numpy as np
import pytest

from sanum.core.errors import ScanError
from sanum.synthesis.head_volumes import hounsfield, make_head, sequence_of, smooth_noise
from tests.synthesis.whole_heads import whole_head


@pytest.fixture(scope="module")
def head():
    return make_head(whole_head(), np.random.default_rng(0))


def mean(values, head, label):
    return float(np.median(values[(head.labels == label) & (head.lime < 0.01)]))


def test_densities_are_those_of_textbooks(head):
    hu = hounsfield(head, np.random.default_rng(1))
    assert hu[0, 0, 0] == -1000
    assert 4 < mean(hu, head, 24) < 20
    assert 22 < mean(hu, head, 2) < 36 < mean(hu, head, 3) + 5
    assert mean(hu, head, 3) - mean(hu, head, 2) > 2
    assert mean(hu, head, 516) < 900 < mean(hu, head, 515)


def test_fluid_is_dark_on_flair_and_t1w_and_bright_on_t2w(head):
    levels = {name: sequence_of(head, name, np.random.default_rng(2)) for name in ("T1w", "T2w", "FLAIR")}
    assert mean(levels["T2w"], head, 4) > mean(levels["T2w"], head, 3) > mean(levels["T2w"], head, 2)
    assert mean(levels["T1w"], head, 4) < mean(levels["T1w"], head, 3) < mean(levels["T1w"], head, 2)
    assert mean(levels["FLAIR"], head, 4) < mean(levels["FLAIR"], head, 3)
    assert all(mean(one, head, 515) < 0.1 for one in levels.values())


def test_the_mask_is_the_filled_head_without_air_around(head):
    mask = head.mask
    assert mask[head.labels > 0].mean() > 0.99
    assert not mask[:3].any()


def test_persons_of_one_label_map_differ_and_one_seed_gives_one_person():
    one, same, other = (make_head(whole_head(), np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert np.array_equal(one.labels, same.labels)
    assert (one.labels != other.labels).mean() > 0.01


def test_lime_lies_where_plexus_and_pineal_are():
    limes = [make_head(whole_head(), np.random.default_rng(seed)) for seed in range(6)]
    assert any(one.lime.max() > 0.5 for one in limes)
    assert all(one.lime[(one.labels > 500)].max() < 0.05 for one in limes)


def test_a_map_without_skull_or_of_unknown_numbers_is_refused():
    labels = whole_head()
    labels[labels >= 515] = 507
    with pytest.raises(ScanError, match="shows no skull or no brain"):
        make_head(labels, np.random.default_rng(0))
    labels[10, 10, 10] = 99
    with pytest.raises(ScanError, match=r"no tissue is known for \[99\]"):
        make_head(labels, np.random.default_rng(0))


@pytest.mark.parametrize("sigma", [0.8, 3.0, 10.0])
def test_smooth_noise_has_its_shape_and_unit_spread(sigma):
    field = smooth_noise((40, 50, 30), sigma, np.random.default_rng(0))
    assert field.shape == (40, 50, 30)
    assert 0.4 < field.std() < 1.6
