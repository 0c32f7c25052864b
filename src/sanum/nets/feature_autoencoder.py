"""An autoencoder of feature maps, and the structural similarity by which it is taught and judged."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional

WINDOW = 5
"""Side of the window of structural similarity, in patches."""

STABILITY = (0.01, 0.03)
"""The usual constants of structural similarity, as shares of the range of the values."""

RANGE = 4.0
"""Range that similarity counts with, for features of unit variance."""


class FeatureAutoencoder(nn.Module):
    """Feature maps (N, features, h, w) of any size to their reconstruction, through coarser and narrower maps.

    Args:
        features: maps in and out.
        widths: maps of each stage; each stage halves the size.
    """

    def __init__(self, features: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        inward, outward = (features, *widths), (*reversed(widths), features)
        self.encoder = nn.Sequential(*(_layer(*pair, stride=2) for pair in pairwise(inward)))
        self.decoder = nn.ModuleList(_layer(*pair, stride=1) for pair in pairwise(outward[:-1]))
        self.head = nn.Conv2d(widths[0], features, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Reconstruct a batch."""
        sizes, found = [], maps
        for stage in self.encoder:
            sizes.append(found.shape[-2:])
            found = stage(found)
        for layer, size in zip((*self.decoder, self.head), reversed(sizes), strict=True):
            found = layer(functional.interpolate(found, size=size, mode="nearest"))
        return found


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of maps (N, F, h, w) >= 0 of unit variance, place by place, shape kept."""
    mean_1, mean_2 = _local(first), _local(second)
    spread_1 = (_local(first.square()) - mean_1.square()).clamp_min(0.0)
    spread_2 = (_local(second.square()) - mean_2.square()).clamp_min(0.0)
    shared = _local(first * second) - mean_1 * mean_2
    level, form = ((share * RANGE) ** 2 for share in STABILITY)
    above = (2.0 * mean_1 * mean_2 + level) * (2.0 * shared + form)
    return above / ((mean_1.square() + mean_2.square() + level) * (spread_1 + spread_2 + form))


def _local(maps: Tensor) -> Tensor:
    return functional.avg_pool2d(maps, WINDOW, 1, WINDOW // 2, count_include_pad=False)


def _layer(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )
