"""The network of `multi-contrast`: slices of a volume in any of its three planes in; lesion and healthy slices out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sanum.nets.restorer import RARE
from sanum.nets.unet import UNet, UNetConfig

NEIGHBOURS = (-3, -1, 1, 3)
"""Distances in slices of the neighbours that are seen beside the slice itself."""


@dataclass(frozen=True)
class PlaneRestorerConfig:
    """Shape of the network.

    Attributes:
        sequences: names that it can be told, one channel each.
        widths: as in `UNetConfig`.
        fold: as in `UNetConfig`.
    """

    sequences: tuple[str, ...]
    widths: tuple[int, ...] = (32, 64, 96, 128, 128)
    fold: int = 2


class PlaneRestorer(nn.Module):
    """Windows (N, inputs, H, W) of `windows_along` to lesion log-odds and restored slices, each (N, 1, H, W)."""

    def __init__(self, config: PlaneRestorerConfig) -> None:
        super().__init__()
        self.config = config
        inputs = 1 + len(NEIGHBOURS) + 1 + 3 + len(config.sequences)
        self.unet = UNet(UNetConfig(inputs, 2, config.widths, config.fold))
        first_guess = [RARE] * config.fold**2 + [0.0] * config.fold**2
        self.unet.head.bias = nn.Parameter(torch.tensor(first_guess))
        nn.init.trunc_normal_(self.unet.head.weight, std=0.01)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds of lesion, and the slices as they would be in health."""
        out = self.unet(windows).float()
        return out[:, :1], windows[:, :1] + out[:, 1:]


def windows_along(volume: Tensor, axis: int, which: Tensor, told: Tensor) -> Tensor:
    """What the network sees of some slices of a volume.

    Channels: the slice, its neighbours, the slice of the mirrored volume, the place along I, J and K (−1 to 1), and the
    sequence as one channel a name.

    Args:
        volume: (I, J, K) in [0, 1], I from left to right.
        axis: 0, 1 or 2, what the slices are counted along.
        which: (N,) their numbers.
        told: (sequences,) 1 for the sequence that the volume shows, else 0; all 0 where it is not known.
    """
    size = volume.shape
    along = volume.movedim(axis, 0)
    steps = which[:, None] + torch.tensor((0, *NEIGHBOURS), device=which.device)
    slices = along[steps.clamp(0, size[axis] - 1)]
    mirrored = volume.flip(0).movedim(axis, 0)[which][:, None]
    planes = [
        torch.linspace(-1.0, 1.0, side, device=volume.device)
        .view([-1 if n == number else 1 for n in range(3)])
        .expand(size)
        .movedim(axis, 0)[which][:, None]
        for number, side in enumerate(size)
    ]
    names = told[None, :, None, None].expand(len(which), -1, *along.shape[1:])
    return torch.cat([slices, mirrored, *planes, names], dim=1)
