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


@pytest.mark.parametrize(
    ("position", "name"),
    [
        ((-14.0, -17.0, 15.0), "left, in fluid at the lateral ventricle"),
        ((24.0, -40.0, 24.0), "right, in fluid at the lateral ventricle"),
        ((0.0, -8.0, 0.0), "midline, in fluid at the third ventricle"),
        ((1.0, -46.0, -30.0), "midline, in fluid at the fourth ventricle"),
        ((-40.0, 24.0, 40.0), "left, in fluid, "),
    ],
)
def test_fluid_is_called_by_its_ventricle_and_tissue_never(position, name):
    assert region_name(position, fluid=True).startswith(name)
    assert "ventricle" not in region_name(position)
    assert "fluid" not in region_name(position)


def test_the_ventricles_lie_where_the_template_has_fluid():
    """All but the temporal horns, which are too thin for its 2 mm."""
    from sanum.prepare.template import icbm152
    from sanum.report.regions import VENTRICLES

    template = icbm152()
    fluid = template.brain & (template.white + template.grey < 0.6)
    for name, places in VENTRICLES.items():
        for place in places:
            if place == (33, -22, -12):
                continue
            i, j, k = template.grid.to_voxel([place])[0].round().astype(int)
            near = fluid[i - 2 : i + 3, j - 2 : j + 3, k - 2 : k + 3]
            assert near.any(), (name, place)
