"""The quick PNG holds every pixel, and every reader takes it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sanum.report.png import encode_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 300, 3), (128, 128, 3)])
def test_every_pixel_comes_back(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    read = Image.open(io.BytesIO(encode_png(pixels)))
    read.verify()
    assert read.format == "PNG"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)
