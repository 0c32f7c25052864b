"""One scale of colours for all drawings."""

import numpy as np
import pytest
from matplotlib import colormaps

from sanum.core.errors import CalibrationError
from sanum.report.heat import COLOURS, heat_scale


def test_the_colours_are_infernos_without_its_black_end():
    expected = colormaps["inferno"](0.3 + 0.7 * np.linspace(0.0, 1.0, 256))
    assert np.abs(COLOURS[:, :3] - expected[:, :3]).max() <= 0.5 / 255 + 1e-6
    assert (COLOURS[0, 3], COLOURS[-1, 3]) == (pytest.approx(0.35), pytest.approx(0.9))


def test_a_flat_scale_is_set_apart_and_a_broken_one_is_refused():
    low, high = heat_scale((0.3, 0.3))
    assert low < high
    with pytest.raises(CalibrationError, match="colour scale: expected two finite"):
        heat_scale((0.1, float("nan")))
