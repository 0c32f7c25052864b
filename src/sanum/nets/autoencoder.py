"""The classic convolutional autoencoder for slices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Downsampling = Literal["stride", "pool"]


@dataclass(frozen=True)
class AutoencoderConfig:
    """Shape of the network.

    Attributes:
        channels: channels of the image, in and out.
        widths: feature maps of each encoder stage; each stage halves the image.
        downsampling: how a stage halves: a convolution of stride 2, or a convolution and 2x2 max-pooling.
    """

    channels: int = 1
    widths: tuple[int, ...] = (16, 32, 64)
    downsampling: Downsampling = "stride"


class Autoencoder(nn.Module):
    """Images (N, C, H, W) of any size to their reconstruction in [0, 1], same shape.

    Encoder: 3x3 convolution, ReLU, halving, once a stage. Decoder: nearest-neighbour upsampling and a 3x3
    convolution, once a stage; a sigmoid closes it. There is no dense layer, so any size goes through: the
    image is extended by its edge values to a multiple of 2**stages and cropped again.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        inward = (config.channels, *config.widths)
        outward = (*reversed(config.widths), config.channels)
        self.encoder = nn.Sequential(*(_down(*pair, config.downsampling) for pair in pairwise(inward)))
        self.decoder = nn.Sequential(
            *(_up(*pair) for pair in pairwise(outward[:-1])),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            nn.Conv2d(outward[-2], outward[-1], 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct a batch."""
        height, width = images.shape[-2:]
        step = 2 ** len(self.config.widths)
        padded = functional.pad(images, (0, -width % step, 0, -height % step), mode="replicate")
        rebuilt: Tensor = self.decoder(self.encoder(padded))
        return rebuilt[..., :height, :width]


def _down(inputs: int, outputs: int, downsampling: Downsampling) -> nn.Sequential:
    if downsampling == "stride":
        return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU(inplace=True))
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(kernel_size=2)
    )


def _up(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Upsample(scale_factor=2.0, mode="nearest"),
        nn.Conv2d(inputs, outputs, 3, padding=1),
        nn.ReLU(inplace=True),
    )
