"""A small U-Net (Ronneberger et al. 2015) that is quick on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class UNetConfig:
    """Shape of the network.

    Attributes:
        inputs: channels in.
        outputs: channels out.
        widths: feature maps of each level, finest first; each level halves the slice.
        fold: side of the pixel blocks that become channels before the first level and pixels after the last;
            1 works on every pixel, 2 costs a quarter.
    """

    inputs: int
    outputs: int
    widths: tuple[int, ...] = (32, 64, 96, 128, 128)
    fold: int = 2


class UNet(nn.Module):
    """Images (N, inputs, H, W) to (N, outputs, H, W), without a final activation.

    Two 3 x 3 convolutions a level on the way down, one on the way up, batch normalisation and ReLU after
    each. On the way up the coarser level is projected by a 1 x 1 convolution, enlarged, and added. Any size
    goes through: the image is extended by its edge values and cropped again.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.step: int = config.fold * 2 ** (len(config.widths) - 1)
        widths, area = config.widths, config.fold**2
        self.inward = nn.ModuleList(
            nn.Sequential(*_layer(before, width), *_layer(width, width))
            for before, width in zip((config.inputs * area, *widths), widths, strict=False)
        )
        steps = list(zip(widths[1:], widths[:-1], strict=True))[::-1]
        self.project = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for coarse, fine in steps)
        self.outward = nn.ModuleList(nn.Sequential(*_layer(fine, fine)) for _, fine in steps)
        self.head = nn.Conv2d(widths[0], config.outputs * area, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Map a batch."""
        height, width = images.shape[-2:]
        skipped = self.levels(images)
        features = skipped.pop()
        for project, level in zip(self.project, self.outward, strict=True):
            coarse = functional.interpolate(project(features), scale_factor=2.0, mode="nearest")
            features = level(skipped.pop() + coarse)
        mapped = functional.pixel_shuffle(self.head(features), self.config.fold)
        return mapped[..., :height, :width]

    def levels(self, images: Tensor) -> list[Tensor]:
        """Feature maps of each level on the way down, finest first."""
        height, width = images.shape[-2:]
        padded = functional.pad(images, (0, -width % self.step, 0, -height % self.step), mode="replicate")
        features = functional.pixel_unshuffle(padded, self.config.fold)
        features = features.contiguous(memory_format=torch.channels_last)
        found: list[Tensor] = []
        for number, level in enumerate(self.inward):
            features = level(features if number == 0 else functional.max_pool2d(features, 2))
            found.append(features)
        return found


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module, nn.Module]:
    return (
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
