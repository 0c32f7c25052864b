"""Charts are pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from sanum.core.errors import TrainingError
from sanum.report.figures import loss_curve


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_loss_curve_is_a_picture_and_needs_an_epoch():
    assert pixels(loss_curve([1.0, 0.5], [1.1, 0.7])).size > 0
    assert pixels(loss_curve([1.0], None)).size > 0
    with pytest.raises(TrainingError, match="no finished epoch"):
        loss_curve([], None)
