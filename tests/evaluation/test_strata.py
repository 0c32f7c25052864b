"""Bands have one home for every value."""

import pytest

from sanum.evaluation.strata import band


@pytest.mark.parametrize(
    ("value", "name"), [(0.2, "0-1"), (1.0, "1-5"), (4.99, "1-5"), (20.0, "20+"), (300.0, "20+")]
)
def test_the_lower_edge_belongs_to_the_band(value, name):
    assert band((1.0, 5.0, 20.0), value) == name
