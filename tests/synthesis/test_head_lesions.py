"""Each kind lies where it must, is about as large as asked, and has its density on CT and its level on MRI."""

import numpy as np
import pytest

from sanum.core.errors import ConfigError
from sanum.synthesis.head_lesions import HEAD_LESIONS, find_head_lesion, painted_ct, painted_mr
from sanum.synthesis.head_volumes import hounsfield, make_head
from tests.synthesis.whole_heads import whole_head

ML = 1.5


@pytest.fixture(scope="module")
def head():
    return make_head(whole_head(), np.random.default_rng(0))


@pytest.fixture(scope="module")
def hu(head):
    return hounsfield(head, np.random.default_rng(1))


@pytest.mark.parametrize("kind", HEAD_LESIONS)
def test_a_lesion_has_its_size_place_and_density(kind, head, hu):
    lesion = find_head_lesion(kind)
    soft = lesion.shape(head, ML, np.random.default_rng(4))
    marked = soft > 0.5
    if kind != "fracture":  # a crack is as thin as it is, however many ml are asked for
        assert 0.5 * ML < marked.sum() / 1000 < 1.5 * ML
    labels = head.labels[marked]
    assert (labels >= 515).all() if kind == "fracture" else ((labels > 0) & (labels < 500)).all()
    core = soft > 0.9
    change = (painted_ct(hu, soft, lesion, np.random.default_rng(5)) - hu)[core]
    if lesion.changes:
        assert lesion.hu[0] <= np.median(change) <= lesion.hu[1] < 0
    else:
        assert 0.9 * lesion.hu[0] - 15 <= np.median(change + hu[core]) <= lesion.hu[1] * 1.1 + 15


def test_epidural_blood_bulges_and_subdural_blood_spreads(head):
    rng = np.random.default_rng
    thick = {}
    for kind in ("epidural", "subdural"):
        marked = find_head_lesion(kind).shape(head, ML, rng(7)) > 0.5
        thick[kind] = np.ptp(np.argwhere(marked), axis=0).max()
    assert thick["subdural"] > thick["epidural"]


def test_mri_shows_nothing_of_a_fracture_and_fluid_of_a_resection(head):
    values = np.full(head.labels.shape, 0.5, np.float32)
    soft = np.ones_like(values)
    assert painted_mr(values, soft, find_head_lesion("fracture"), "T1w") is values
    assert painted_mr(values, soft, find_head_lesion("resection"), "T2w").mean() > 0.9
    assert painted_mr(values, soft, find_head_lesion("infarct"), "T1w").mean() < 0.5


def test_metal_streaks_across_its_slices(head, hu):
    lesion = find_head_lesion("metal")
    soft = lesion.shape(head, 0.3, np.random.default_rng(4))
    change = painted_ct(hu, soft, lesion, np.random.default_rng(5)) - hu
    hit = (soft > 0.5).any(axis=(0, 1))
    assert np.abs(change[..., hit][soft[..., hit] < 0.01]).mean() > 20
    assert np.abs(change[..., ~hit]).max() < 1500


def test_an_unknown_kind_is_refused_with_a_likely_one():
    with pytest.raises(ConfigError, match=r"unknown lesion of heads 'subduraal'; .*subdural"):
        find_head_lesion("subduraal")
