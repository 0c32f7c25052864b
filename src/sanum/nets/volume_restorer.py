"""The network of the `restore-3d` detector: a whole volume and the healthy atlas in; lesion and healthy volume out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sanum.nets.restorer import RARE
from sanum.nets.unet3d import UNet3d


class VolumeRestorer(nn.Module):
    """Volumes (N, C, K, I, J) in [0, 1] to lesion log-odds and restored volumes.

    The U-Net sees the volume, its mirror image along I, the healthy mean and spread at each place, and the place.

    Args:
        widths: as in `UNet3d`.
        mean: (C, K, I, J), healthy mean on the grid that the volumes lie on.
        spread: (C, K, I, J), healthy standard deviation.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, widths: tuple[int, ...], mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.channels = len(mean)
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.unet = UNet3d(4 * self.channels + 3, 1 + self.channels, widths)
        nn.init.trunc_normal_(self.unet.head.weight, std=0.01)
        self.unet.head.bias = nn.Parameter(torch.tensor([RARE] + [0.0] * self.channels))

    def forward(self, volumes: Tensor) -> tuple[Tensor, Tensor]:
        """Log-odds (N, 1, K, I, J) of lesion, and the volumes (N, C, K, I, J) as they would be in health."""
        healthy = torch.cat([self.mean, self.spread, places(self.mean)])
        views = [volumes, volumes.flip(3), healthy.expand(len(volumes), -1, -1, -1, -1)]
        out = self.unet(torch.cat(views, dim=1)).float()
        return out[:, :1], volumes + out[:, 1:]


def places(volume: Tensor) -> Tensor:
    """Position (3, K, I, J) of each voxel of (C, K, I, J) along each axis, −1 to 1."""
    axes = [torch.linspace(-1.0, 1.0, side, device=volume.device) for side in volume.shape[1:]]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))
