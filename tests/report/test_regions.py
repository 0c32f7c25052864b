"""Names of places on the template."""

import pytest

from sanum.report.regions import region_name


@pytest.mark.parametrize(
    ("position", "words"),
    [
        ((26.0, 2.0, 0.0), ("right", "basal ganglia")),
        ((-10.0, -18.0, 8.0), ("left", "thalamus")),
        ((-26.0, -14.0, -20.0), ("left", "hippocampus")),
        ((30.0, -95.0, 0.0), ("right", "occipital cortex")),
        ((0.0, -60.0, 30.0), ("midline", "precuneus")),
        ((15.0, -72.0, -40.0), ("right", "cerebellum")),
    ],
)
def test_well_known_places(position, words):
    name = region_name(position)
    assert all(word in name for word in words), name


def test_sides_are_not_mixed_up_and_far_places_have_no_name():
    assert region_name((-40.0, 20.0, 0.0)).startswith("left")
    assert region_name((40.0, 20.0, 0.0)).startswith("right")
    assert region_name((200.0, 0.0, 0.0)) == ""
