"""The network of the `restore` detector: a window of slices in; lesion and healthy slice out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sanum.nets.unet import UNet, UNetConfig

RARE = -3.0
"""First guess of the lesion's log-odds: about 5 % of the brain."""


@dataclass(frozen=True)
class RestorerConfig:
    """Shape of the network.

    Attributes:
        channels: modalities.
        widths: as in `UNetConfig`.
        fold: as in `UNetConfig`.
        context: distance in slices of the two neighbours that are seen as well; 0 sees one slice alone.
        mirror: whether the mirrored slice is seen as well, so that a difference between the hemispheres is local.
    """

    channels: int
    widths: tuple[int, ...] = (32, 64, 96, 128, 128)
    fold: int = 2
    context: int = 0
    mirror: bool = True


class Restorer(nn.Module):
    """Windows (N, C, 2·context + 1, I, J) in [0, 1] to lesion log-odds and restored middle slices.

    The U-Net sees the middle slice, its two neighbours, its mirror image along I, and the place of each pixel.
    """

    def __init__(self, config: RestorerConfig) -> None:
        super().__init__()
        self.config = config
        views = 1 + 2 * (config.context > 0) + config.mirror
        inputs = views * config.channels + 2
        self.unet = UNet(UNetConfig(inputs, 1 + config.channels, config.widths, config.fold))
        first_guess = [RARE] * config.fold**2 + [0.0] * (config.channels * config.fold**2)
        self.unet.head.bias = nn.Parameter(torch.tensor(first_guess))
        nn.init.trunc_normal_(self.unet.head.weight, std=0.01)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds (N, 1, I, J) of lesion, and the slices (N, C, I, J) as they would be in health."""
        here = windows[:, :, self.config.context]
        out = self.unet(self._seen(windows)).float()
        return out[:, :1], here + out[:, 1:]

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps of the U-Net on its way down, finest first."""
        return self.unet.levels(self._seen(windows))

    def _seen(self, windows: Tensor) -> Tensor:
        here = windows[:, :, self.config.context]
        views = [here]
        if self.config.context > 0:
            views += [windows[:, :, 0], windows[:, :, -1]]
        if self.config.mirror:
            views.append(here.flip(2))
        return torch.cat([*views, places(here)], dim=1)


def places(slices: Tensor) -> Tensor:
    """Position (N, 2, I, J) of each pixel along I and J, −1 to 1."""
    count, _, *sides = slices.shape
    axes = [torch.linspace(-1.0, 1.0, side, device=slices.device) for side in sides]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))[None].expand(count, -1, -1, -1)
