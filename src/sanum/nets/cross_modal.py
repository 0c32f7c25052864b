"""Two encoders and one latent grid: what each modality says of itself, of the other, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sanum.nets.restorer import places
from sanum.nets.unet import UNet, UNetConfig
from sanum.nets.views import views

STRIDE = 4
"""Pixels along the side of a cell of the latent grid."""

SPREAD_RANGE = (-6.0, 1.0)
"""Natural logarithm of the spread that a cross prediction may claim, in units of prepared intensity."""

NARROWER = 0.4
"""Width of a judge's closer look through a window, as a share of the window: on CT about what radiologists set."""

RESIDUAL_REACH = 6.0
"""Cross residuals are shown to a judge up to so many spreads."""


@dataclass(frozen=True)
class CrossModalConfig:
    """Shape of the network.

    Attributes:
        windows: width of each modality's narrow window, 0 for none; one a modality.
        latents: channels of the latent grid.
        encoder: feature maps of each encoder level; the first lies on the latent grid.
    """

    windows: tuple[float, ...]
    latents: int = 16
    encoder: tuple[int, ...] = (32, 48, 64)


@dataclass(frozen=True, eq=False)
class Reading:
    """What the encoders and decoders make of a batch of M modalities.

    Attributes:
        latents: (M, N, L, H/4, W/4), one latent grid a modality.
        own: (N, M, H, W), each modality from its own latents.
        cross: (N, M, H, W), each modality from the latents of the others.
        log_spread: (N, M, H, W), logarithm of the standard deviation that the cross prediction claims: wide
            where one value on the others means many values here.
    """

    latents: Tensor
    own: Tensor
    cross: Tensor
    log_spread: Tensor

    def residuals(self, images: Tensor) -> Tensor:
        """(image − cross prediction) / claimed spread, (N, M, H, W)."""
        return (images - self.cross) * torch.exp(-self.log_spread)


class CrossModal(nn.Module):
    """Images (N, M, H, W) in [0, 1] of registered modalities; one that is missing is all zero.

    The encoder of each modality sees that one only. Its latents, on a common grid, are decoded to the modality
    itself (own reconstruction) and to the others (cross reconstruction, with a spread: a Gaussian likelihood as
    in Kendall and Gal 2017).
    """

    def __init__(self, config: CrossModalConfig) -> None:
        super().__init__()
        self.config = config
        shown = [1 + (width > 0.0) for width in config.windows]
        grid = STRIDE**2
        self.encoders = nn.ModuleList(_Grid(n + 2, config.latents, config.encoder) for n in shown)
        self.decoders = nn.ModuleList(_Decoder(config.latents, config.encoder[0], grid) for _ in shown)

    def read(self, images: Tensor, present: Tensor) -> Reading:
        """Encode and decode.

        Args:
            images: (N, M, H, W).
            present: (N, M) in {0, 1}, which modalities are there.
        """
        height, width = images.shape[2:]
        images = functional.pad(images, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")
        where = places(images)
        shown = views(images, self.config.windows)
        latents = torch.stack(
            [
                encoder(torch.cat([seen, where], dim=1)).float()
                for encoder, seen in zip(self.encoders, shown, strict=True)
            ]
        )
        known = present.T[:, :, None, None, None]
        others = torch.stack([_mean_but(number, known, latents) for number in range(len(latents))])
        own, cross = [], []
        for number, decoder in enumerate(self.decoders):
            own.append(decoder(latents[number])[:, :1])
            cross.append(decoder(others[number]))
        means = torch.cat([each[:, :1] for each in cross], dim=1)
        spreads = torch.cat([each[:, 1:] for each in cross], dim=1).clamp(*SPREAD_RANGE)
        decoded = (part[..., :height, :width] for part in (torch.cat(own, dim=1), means, spreads))
        return Reading(latents, *decoded)

    def forward(self, images: Tensor, present: Tensor) -> Reading:
        """The same as `read`."""
        return self.read(images, present)

    def evidence(self, images: Tensor, present: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a judge looks at: views of the images, maps of how they disagree, and positions, each (N, C, H, W).

        The maps are each modality's cross residual and claimed spread, and the distance of the latents; all 0 where
        a modality is missing.
        """
        reading = self.read(images, present)
        narrower = tuple(NARROWER * width for width in self.config.windows)
        close = [view[:, 1:] for view in views(images, narrower)]
        shown = torch.cat([*views(images, self.config.windows), *close], dim=1)
        both = present.prod(1)[:, None, None, None] * float(len(self.config.windows) > 1)
        residuals = reading.residuals(images).clamp(-RESIDUAL_REACH, RESIDUAL_REACH)
        distance = functional.interpolate(
            cosine_distance(reading.latents), size=images.shape[2:], mode="bilinear"
        )
        plain = images - reading.cross
        maps = torch.cat([residuals, plain, torch.exp(reading.log_spread), distance], dim=1)
        return shown, both * maps, places(images)


def cosine_distance(latents: Tensor) -> Tensor:
    """1 − cosine (N, 1, h, w) of the first modality's latents and the likest of the others' within one cell.

    Args:
        latents: (M, N, L, h, w). With one modality the distance is 0.

    The search over the neighbouring cells forgives a misregistration of some millimetres.
    """
    unit = functional.normalize(latents, dim=2)
    if len(unit) == 1:
        return torch.zeros_like(unit[0, :, :1])
    forward = torch.stack([_best_match(unit[0], other) for other in unit[1:]]).mean(0)
    back = torch.stack([_best_match(other, unit[0]) for other in unit[1:]]).mean(0)
    return 1.0 - 0.5 * (forward + back)


def _mean_but(number: int, known: Tensor, latents: Tensor) -> Tensor:
    """Mean (N, L, h, w) of the known latents without one modality's; zero where no other is known."""
    others = [n for n in range(len(latents)) if n != number]
    if not others:
        return torch.zeros_like(latents[number])
    return (known[others] * latents[others]).sum(0) / known[others].sum(0).clamp_min(1.0)


def _best_match(one: Tensor, other: Tensor) -> Tensor:
    height, width = one.shape[2:]
    padded = functional.pad(other, (1, 1, 1, 1), mode="replicate")
    found = [
        (one * padded[:, :, i : i + height, j : j + width]).sum(1, keepdim=True)
        for i in range(3)
        for j in range(3)
    ]
    return torch.stack(found).amax(0)


class _Grid(nn.Module):
    """Images to the latent grid: pixel blocks become channels, then a small U-Net gives each cell its context."""

    def __init__(self, inputs: int, latents: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.unet = UNet(UNetConfig(inputs * STRIDE**2, latents, tuple(widths), fold=1))

    def forward(self, images: Tensor) -> Tensor:
        latents: Tensor = self.unet(functional.pixel_unshuffle(images, STRIDE))
        return latents


class _Decoder(nn.Module):
    """The latent grid to one modality: mean and logarithm of the spread (N, 2, H, W)."""

    def __init__(self, latents: int, width: int, grid: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(latents, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * grid, 1),
        )

    def forward(self, latents: Tensor) -> Tensor:
        decoded: Tensor = functional.pixel_shuffle(self.body(latents), STRIDE)
        return decoded.float()
