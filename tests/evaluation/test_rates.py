"""Exact intervals and the look of p-values."""

import numpy as np
import pytest
from scipy.stats import binomtest

from sanum.core.errors import CohortError
from sanum.evaluation.rates import rate, uniformity


@pytest.mark.parametrize(("hits", "cases"), [(0, 7), (7, 7), (3, 55), (20, 35)])
def test_the_interval_is_the_exact_binomial_one(hits, cases):
    found = rate(np.arange(cases) < hits)
    exact = binomtest(hits, cases).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-12)
    assert found.value == hits / cases
    assert f"{hits} of {cases}" in str(found)


def test_no_case_has_no_rate():
    with pytest.raises(CohortError, match="at least one case"):
        rate(np.array([], bool))


def test_uniform_p_values_pass_and_small_ones_do_not():
    rng = np.random.default_rng(0)
    steps = rng.integers(1, 101, 200) / 101
    assert uniformity(steps, 100) > 0.01
    assert uniformity(np.full(50, 1 / 101), 100) < 1e-6
