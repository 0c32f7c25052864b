"""The classic convolutional autoencoder for slices."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from sanum.nets.bottleneck import Attention, DenseBottleneck

Downsampling = Literal["stride", "pool"]


@dataclass(frozen=True)
class AutoencoderConfig:
    """Shape of the network.

    Attributes:
        channels: channels of the image, in and out.
        widths: feature maps of each encoder stage; each stage halves the image.
        downsampling: how a stage halves: a convolution of stride 2, or a convolution and 2x2 max-pooling.
        attention: whether every place looks at all others at the coarsest level.
        latent: numbers of a dense bottleneck; 0 keeps the coarsest feature maps.
    """

    channels: int = 1
    widths: tuple[int, ...] = (16, 32, 64)
    downsampling: Downsampling = "stride"
    attention: bool = False
    latent: int = 0


class Autoencoder(nn.Module):
    """Images (N, C, H, W) of any size to their reconstruction in [0, 1], same shape.

    Encoder: 3x3 convolution, ReLU, halving, once a stage. Decoder: nearest-neighbour upsampling and a 3x3
    convolution, once a stage; a sigmoid closes it. Any size goes through: the image is extended by its edge
    values to a multiple of `step` and cropped again, and a dense bottleneck works on 8 x 8 means.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.step: int = 2 ** len(config.widths)
        self.encoder = make_encoder(config)
        self.attention = Attention(config.widths[-1]) if config.attention else None
        self.dense = DenseBottleneck(config.widths[-1], config.latent) if config.latent else None
        self.decoder = make_decoder(config)

    def forward(self, images: Tensor) -> Tensor:
        """Reconstruct a batch."""
        height, width = images.shape[-2:]
        maps = self._attended(self.encoder(extended(images, self.step)))
        rebuilt: Tensor = self.decoder(maps if self.dense is None else self.dense(maps))
        return rebuilt[..., :height, :width]

    def levels(self, images: Tensor) -> list[Tensor]:
        """Feature maps of each stage, finest first; of a dense bottleneck its code as (N, latent, 1, 1) at the end."""
        found = stage_maps(self.encoder, extended(images, self.step))
        if self.dense is not None:
            found.append(self.dense.pack(self._attended(found[-1]))[:, :, None, None])
        return found

    def _attended(self, maps: Tensor) -> Tensor:
        attended: Tensor = maps if self.attention is None else self.attention(maps)
        return attended


def make_encoder(config: AutoencoderConfig) -> nn.Sequential:
    """The stages that halve the image."""
    inward = (config.channels, *config.widths)
    return nn.Sequential(*(_down(*pair, config.downsampling) for pair in pairwise(inward)))


def make_decoder(config: AutoencoderConfig) -> nn.Sequential:
    """The stages that enlarge the image again, to values in [0, 1]."""
    outward = (*reversed(config.widths), config.channels)
    return nn.Sequential(
        *(_up(*pair) for pair in pairwise(outward[:-1])),
        nn.Upsample(scale_factor=2.0, mode="nearest"),
        nn.Conv2d(outward[-2], outward[-1], 3, padding=1),
        nn.Sigmoid(),
    )


def extended(images: Tensor, step: int) -> Tensor:
    """Images continued by their edge values to a multiple of `step` in height and width."""
    height, width = images.shape[-2:]
    return functional.pad(images, (0, -width % step, 0, -height % step), mode="replicate")


def stage_maps(encoder: nn.Sequential, images: Tensor) -> list[Tensor]:
    """What each stage gives, finest first."""
    found: list[Tensor] = []
    for stage in encoder:
        found.append(stage(found[-1] if found else images))
    return found


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
