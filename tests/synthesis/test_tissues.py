"""What a head is made of: every label has a tissue, and a T1w scan is divided where it should be."""

import numpy as np
import pytest

from sanum.core.errors import ScanError
from sanum.synthesis.tissues import TISSUES, brain_of_labels, memberships_of_labels, memberships_of_t1
from tests.heads import head_voxels


def test_each_label_goes_to_its_tissue():
    labels = np.array([[[0, 4, 24, 3, 2, 10, 8, 16, 31, 507, 515]]])
    members = memberships_of_labels(labels)
    assert members[:, 0, 0, 0].sum() == 0
    assert [TISSUES[n] for n in members[:, 0, 0, 1:].argmax(axis=0)] == list(TISSUES)


def test_skin_is_soft_tissue_and_only_515_and_516_are_bone():
    members = memberships_of_labels(np.array([[[511, 515, 516]]]))
    assert [TISSUES[n] for n in members[:, 0, 0].argmax(axis=0)] == ["soft", "bone", "bone"]


def test_a_label_that_no_tissue_has_is_refused_by_number():
    with pytest.raises(ScanError, match=r"no tissue is known for \[77\]"):
        memberships_of_labels(np.array([[[2, 77]]]))


def test_the_brain_of_a_label_map_has_no_holes_and_no_scalp():
    labels = np.zeros((40, 40, 40), int)
    labels[5:35, 5:35, 5:35] = 507
    labels[10:30, 10:30, 10:30] = 2
    labels[18:22, 18:22, 18:22] = 0
    brain = brain_of_labels(labels)
    assert brain[20, 20, 20]
    assert brain[10:30, 10:30, 10:30].all()
    assert not brain[6, 20, 20]


def test_a_t1w_scan_is_divided_as_it_was_made():
    """Alike on T1w but told apart by the prior: cortex and deep grey matter, ventricle and outer fluid."""
    voxels, brain = head_voxels()
    scan, truth = voxels[0].astype(np.float32), voxels[1:-1].astype(np.float32)
    noisy = scan + 0.02 * np.random.default_rng(0).standard_normal(scan.shape).astype(np.float32) * brain
    found = memberships_of_t1(noisy, brain, 0.8 * truth + 0.02)
    assert np.allclose(found[:, brain].sum(0), 1.0, atol=1e-4)
    assert found[:, ~brain].sum() == 0
    assert (found.argmax(0) == truth.argmax(0))[brain].mean() > 0.98
