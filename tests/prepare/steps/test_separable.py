"""The quick way for pictures gives what the general way gives."""

import numpy as np
import pytest
from scipy import ndimage

from sanum.prepare.steps.separable import interpolate, is_separable


@pytest.mark.parametrize(
    ("steps", "offset"),
    [
        ((1.0, 1.0), (0.0, 0.0)),
        ((0.7, 1.3), (-2.4, 3.1)),
        ((-1.0, 0.5), (19.0, -0.25)),
        ((1.0, 1.0), (40.0, 0.0)),
    ],
)
def test_values_are_those_of_scipy_inside_across_the_border_and_outside(steps, offset):
    values = np.random.default_rng(0).random((20, 30, 1)).astype(np.float32)
    step, start, shape = np.array([*steps, 1.0]), np.array([*offset, 0.0]), (24, 28, 1)
    expected = np.empty(shape, np.float32)
    ndimage.affine_transform(
        values, np.diag(step), start, output=expected, order=1, mode="grid-constant", prefilter=False
    )
    np.testing.assert_allclose(interpolate(values, step, start, shape), expected, rtol=1e-6, atol=1e-7)


def test_turned_axes_and_volumes_take_the_general_way():
    turned = np.eye(4)[[1, 0, 2, 3]]
    assert is_separable(np.eye(4), (4, 4, 1), (8, 8, 1))
    assert not is_separable(turned, (4, 4, 1), (8, 8, 1))
    assert not is_separable(np.eye(4), (4, 4, 2), (8, 8, 1))
