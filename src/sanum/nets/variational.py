"""A convolutional autoencoder whose code is a Gaussian (Kingma and Welling 2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sanum.nets.autoencoder import AutoencoderConfig, extended, make_decoder, make_encoder, stage_maps
from sanum.nets.bottleneck import Pack, Unpack

WIDEST = 8.0
"""Bound of the logarithm of a code's variance, so that no exponent overflows."""


class VariationalAutoencoder(nn.Module):
    """Images (N, C, H, W) to their reconstruction in [0, 1] and the Gaussian of their code, (N, latent) each.

    In training the code is drawn; in evaluation it is the mean.
    """

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        self.step: int = 2 ** len(config.widths)
        self.encoder = make_encoder(config)
        self.pack = Pack(config.widths[-1], 2 * config.latent)
        self.unpack = Unpack(config.latent, config.widths[-1])
        self.decoder = make_decoder(config)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstruction, mean and logarithm of the variance."""
        height, width = images.shape[-2:]
        maps = self.encoder(extended(images, self.step))
        mean, log_variance = self._code(maps)
        code = mean
        if self.training:
            code = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        rebuilt: Tensor = self.decoder(self.unpack(code, *maps.shape[-2:]))
        return rebuilt[..., :height, :width], mean, log_variance

    def levels(self, images: Tensor) -> list[Tensor]:
        """Feature maps of each stage, finest first, and the mean of the code as (N, latent, 1, 1)."""
        found = stage_maps(self.encoder, extended(images, self.step))
        return [*found, self._code(found[-1])[0][:, :, None, None]]

    def _code(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.pack(maps).float().chunk(2, dim=1)
        return mean, log_variance.clamp(-WIDEST, WIDEST)


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence (N,) of a code's Gaussian from the standard one."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=1)
