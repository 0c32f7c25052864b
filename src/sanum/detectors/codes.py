"""One latent vector a slice, from detectors whose network has an encoder."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from sanum.core.records import Prepared
from sanum.detectors.base import Detector
from sanum.detectors.encoders import Encoder
from sanum.detectors.slicewise import shown_slices, windows_of


def encoder_of(detector: Detector) -> Encoder | None:
    """The detector itself where it has an encoder, the one it was built on, or None."""
    inner = getattr(detector, "encoder_", None)
    for found in (detector, inner):
        if isinstance(found, Encoder):
            return found
    return None


def slice_codes(encoder: Encoder, case: Prepared) -> NDArray[np.float32]:
    """Latent vector of each slice with any mask: the coarsest feature maps, averaged over the slice.

    Args:
        encoder: fitted.
        case: prepared as the model demands.

    Returns:
        (S, F) in the order of the slices.
    """
    codes = []
    with torch.inference_mode():
        for which in shown_slices(case, 1):
            maps = encoder.levels(windows_of(case, which, encoder.context))[-1]
            codes.append(maps.float().mean(dim=(2, 3))[0].numpy())
    return np.array(codes, dtype=np.float32)
