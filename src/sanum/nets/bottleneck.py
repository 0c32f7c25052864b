"""What may stand between an encoder and a decoder: a dense code, and attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 8
"""Feature maps are averaged to 8 x 8 before a dense layer, so that slices of any size go through."""


class Pack(nn.Module):
    """Feature maps (N, width, h, w) to codes (N, outputs)."""

    def __init__(self, width: int, outputs: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width * SIDE**2, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Encode a batch."""
        pooled = functional.adaptive_avg_pool2d(maps, SIDE)
        code: Tensor = self.dense(pooled.flatten(1))
        return code


class Unpack(nn.Module):
    """Codes (N, inputs) to feature maps (N, width, h, w) of a given size."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.dense = nn.Linear(inputs, width * SIDE**2)

    def forward(self, code: Tensor, height: int, width: int) -> Tensor:
        """Decode a batch to `height` x `width`."""
        maps: Tensor = self.dense(code).relu().view(-1, self.width, SIDE, SIDE)
        if (height, width) == (SIDE, SIDE):
            return maps
        return functional.interpolate(maps, size=(height, width), mode="nearest")


class DenseBottleneck(nn.Module):
    """Feature maps through a code of `latent` numbers and back: no detail passes by its place."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.pack, self.unpack = Pack(width, latent), Unpack(latent, width)

    def forward(self, maps: Tensor) -> Tensor:
        """Squeeze a batch."""
        squeezed: Tensor = self.unpack(self.pack(maps), *maps.shape[-2:])
        return squeezed


class Attention(nn.Module):
    """Each place of the feature maps looks at all others (Zhang et al. 2019); begins as the identity.

    Time and memory grow with the square of the number of places, so it stands at the coarsest level only.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = (nn.Conv2d(width, max(1, width // 8), 1) for _ in range(2))
        self.value = nn.Conv2d(width, width, 1)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        """Add to each place what it gathers."""
        query, key, value = (
            layer(maps).flatten(2).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        gathered = functional.scaled_dot_product_attention(query, key, value)
        return maps + self.share * gathered.transpose(1, 2).reshape(maps.shape)
