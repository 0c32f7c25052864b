"""A denoising U-Net: it takes coarse noise out of normal slices, and takes lesions for such noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import median_filter
from torch import Tensor, nn

from sanum.core.records import Prepared
from sanum.core.units import Volume
from sanum.detectors.slicewise import SliceDetector, Teaching, require_at_least, require_widths
from sanum.nets.unet import UNet, UNetConfig
from sanum.synthesis.draws import Draws
from sanum.synthesis.noise import blob_noise, coarse_noise

VALIDATION_SEED = 20
"""Seed of the noise that chooses the best epoch: the same for every epoch."""


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the network, its training and its score.

    Attributes:
        noise: "coarse" white noise on a coarse grid, or "blob" a few Gaussian blobs.
        strength: standard deviation of the noise, in units of prepared intensity (0 to 1).
        cells: pixels along each side of the coarse grid.
        widths: feature maps of each level of the U-Net.
        fold: side of the pixel blocks that the network works on; 1 is finest, 2 costs a quarter.
        median: side of the median filter over the score, in voxels; 1 does nothing.
    """

    epochs: int = 60
    batch: int = 16
    noise: Literal["coarse", "blob"] = "coarse"
    strength: float = 0.2
    cells: int = 16
    widths: tuple[int, ...] = (32, 64, 96, 128)
    fold: int = 2
    median: int = 5

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths(self.widths)
        for name in ("cells", "fold", "median"):
            require_at_least(1, name, getattr(self, name))
        if not self.strength > 0.0:
            raise ValueError(f"strength: expected above 0, got {self.strength}")


class Denoiser(SliceDetector[UNet]):
    """Score |x - x̂|, the mean over the channels, median-filtered within the brain (Kascenas et al. 2022).

    The network predicts the noise. The epoch with the least error on noisy slices of validation subjects is
    kept, and the learning rate falls along half a cosine.
    """

    name = "dae"
    Config = Config
    context = 0
    keep = "best"
    final_rate = 0.01

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps of the U-Net on its way down; see `detectors.encoders.Encoder`."""
        return self._fitted().levels(windows[:, :, 0])

    @property
    def step(self) -> int:
        """Slices are extended to a multiple of this."""
        return self._fitted().step

    def _new_net(self) -> UNet:
        settings: Config = self.config
        channels = len(self.modalities)
        return UNet(UNetConfig(channels, channels, settings.widths, settings.fold))

    def _loss(self, net: nn.Module, images: Tensor) -> Tensor:
        settings: Config = self.config
        draws = Draws(None if net.training else VALIDATION_SEED, images.device)
        brain = (images > 0).any(dim=1, keepdim=True)
        if settings.noise == "coarse":
            noise = coarse_noise(images, settings.cells, settings.strength, draws)
        else:
            noise = blob_noise(images, settings.strength, draws)
        noise = noise * brain
        found: Tensor = net(images + noise)
        return ((found.float() - noise) * brain).square().sum() / brain.sum().clamp_min(1)

    def _scored(self, net: UNet, images: Tensor) -> tuple[Tensor, Tensor]:
        noise: Tensor = net(images)
        return noise.abs().mean(dim=1), images - noise

    def _finished(self, values: Volume, case: Prepared) -> Volume:
        size = tuple(min(self.config.median, side) for side in case.grid.shape)
        filtered: Volume = median_filter(np.where(case.mask, values, np.float32(0.0)), size=size)
        return filtered
