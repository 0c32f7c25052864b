"""A place counts for as much as healthy scans vouch for it."""

from dataclasses import replace

import numpy as np

from sanum.detectors.healthy_place import RAREST, learn_prior, over_prior
from tests.phantoms import prepared_case

SOFTNESS = 0.1


def case_with_brain(share: float):
    """A case whose mask ends at a share of the first axis."""
    case = prepared_case(0, shape=(32, 32, 4))
    mask = np.zeros_like(case.mask)
    mask[: int(share * 32)] = True
    return replace(case, mask=mask)


def test_a_place_where_few_healthy_scans_have_brain_counts_for_less():
    cases = [case_with_brain(1.0), case_with_brain(1.0), case_with_brain(1.0), case_with_brain(0.5)]
    prior = learn_prior(cases, lambda case: np.full(case.grid.shape, 0.3, np.float32), SOFTNESS)
    values = np.ones(cases[0].grid.shape, np.float32)
    found = over_prior(values, prior, SOFTNESS, cases[0])
    assert np.allclose(found[:16], 1.0 / 0.4, rtol=2e-3)
    assert np.allclose(found[16:], 0.75 / 0.4, rtol=2e-3)


def test_where_no_healthy_scan_has_brain_hardly_anything_is_left():
    cases = [case_with_brain(0.5)] * 3
    prior = learn_prior(cases, lambda case: np.zeros(case.grid.shape, np.float32), SOFTNESS)
    found = over_prior(np.ones(cases[0].grid.shape, np.float32), prior, SOFTNESS, cases[0])
    assert np.allclose(found[16:], RAREST / SOFTNESS, rtol=2e-3)
