"""One latent vector a slice, from detectors whose network has an encoder."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sanum.core.records import Prepared
from sanum.detectors.base import Detector


@runtime_checkable
class Encoder(Protocol):
    """What a detector offers whose network others can look into."""

    context: int

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps (N, F, h, w), finest first, of windows (N, C, 2·context + 1, I, J)."""


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
    shown = np.flatnonzero(case.mask.any(axis=(0, 1)))
    reach = np.arange(-encoder.context, encoder.context + 1)
    codes = []
    with torch.inference_mode():
        for k in shown:
            around = (k + reach).clip(0, case.voxels.shape[3] - 1)
            window = np.ascontiguousarray(case.voxels[..., around].transpose(0, 3, 1, 2))
            maps = encoder.levels(torch.from_numpy(window)[None])[-1]
            codes.append(maps.float().mean(dim=(2, 3))[0].numpy())
    return np.array(codes, dtype=np.float32)
