"""A variational autoencoder of normal slices: what it fails to rebuild, or what it would change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sanum.core.records import Prepared
from sanum.core.units import Volume
from sanum.detectors.slicewise import SliceDetector, Teaching, require_at_least, require_widths
from sanum.detectors.smoothing import smooth_within
from sanum.nets.autoencoder import AutoencoderConfig, Downsampling
from sanum.nets.variational import VariationalAutoencoder, divergence

SOFT_EDGE = 0.05
"""Differences of intensity below which total variation is smooth, so that its gradient does not flicker."""


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the network, its training and its score.

    Attributes:
        score: "reconstruction" |x - x̂|; "kl-gradient" the same times the slope of the code's divergence along
            each pixel; "restoration" |x - r|, where r is the slice moved towards what the model holds likely.
        widths: feature maps of each encoder stage.
        downsampling: "stride" or "pool", how a stage halves the slice.
        latent: numbers of the code.
        noise: standard deviation that the model grants each pixel; the smaller, the less the code's prior weighs.
        steps: of restoration.
        step_size: of restoration; shortened where `stay` is so heavy that steps of this size would overshoot.
        stay: weight of the total variation of what restoration changes; the larger, the less it changes.
        smoothing_mm: standard deviation of a Gaussian over the score, in mm (pixels in an image).
    """

    score: Literal["reconstruction", "kl-gradient", "restoration"] = "reconstruction"
    widths: tuple[int, ...] = (16, 32, 64)
    downsampling: Downsampling = "stride"
    latent: int = 128
    noise: float = 0.1
    steps: int = 40
    step_size: float = 0.1
    stay: float = 0.05
    smoothing_mm: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths(self.widths)
        for name, least in (("latent", 1), ("steps", 1), ("stay", 0), ("smoothing_mm", 0)):
            require_at_least(least, name, getattr(self, name))
        for name in ("noise", "step_size"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}: expected above 0, got {getattr(self, name)}")


class Variational(SliceDetector[VariationalAutoencoder]):
    """Trained on normal slices by the evidence lower bound with Gaussian pixels.

    KL-gradient after Zimmerer et al. 2019; restoration after Chen et al. 2020, by gradient descent on
    ‖x - x̂(x)‖² + 2·noise²·KL(x) + stay·TV(x - x₀). Baur et al. 2021 compare the scores.
    """

    name = "vae"
    Config = Config
    context = 0

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps of the encoder and the code; see `detectors.encoders.Encoder`."""
        return self._fitted().levels(windows[:, :, 0])

    @property
    def step(self) -> int:
        """Slices are extended to a multiple of this."""
        return self._fitted().step

    def _new_net(self) -> VariationalAutoencoder:
        settings: Config = self.config
        return VariationalAutoencoder(
            AutoencoderConfig(
                len(self.modalities), settings.widths, settings.downsampling, latent=settings.latent
            )
        )

    def _loss(self, net: nn.Module, images: Tensor) -> Tensor:
        rebuilt, mean, log_variance = net(images)
        error: Tensor = (rebuilt.float() - images).square().mean()
        weight: float = 2.0 * self.config.noise**2 / images[0].numel()
        return error + weight * divergence(mean, log_variance).mean()

    def _scored(self, net: VariationalAutoencoder, images: Tensor) -> tuple[Tensor, Tensor]:
        rebuilt = self._rebuilt(net, images)
        error = (images - rebuilt).abs()
        if self.config.score == "kl-gradient":
            with torch.enable_grad():
                error = _divergence_slope(net, images).abs() * error
        return error.mean(dim=1), rebuilt

    def _rebuilt(self, net: VariationalAutoencoder, images: Tensor) -> Tensor:
        """Reconstruction, or restoration slice by slice, so that no other slice's rounding can change it."""
        if self.config.score == "restoration":
            with torch.enable_grad():
                return torch.cat([self._moved(net, image[None]) for image in images])
        rebuilt: Tensor = net(images)[0]
        return rebuilt

    def _finished(self, values: Volume, case: Prepared) -> Volume:
        return smooth_within(values, case.mask, case.grid, self.config.smoothing_mm)

    def _moved(self, net: VariationalAutoencoder, images: Tensor) -> Tensor:
        settings: Config = self.config
        step = min(settings.step_size, 1.0 / (1.0 + 4.0 * settings.stay / SOFT_EDGE))
        brain = (images > 0).any(dim=1, keepdim=True)
        present = images
        for _ in range(settings.steps):
            present = present.detach().requires_grad_()
            rebuilt, mean, log_variance = net(present)
            energy = (
                (present - rebuilt).square().sum()
                + 2.0 * settings.noise**2 * divergence(mean, log_variance).sum()
                + settings.stay * _total_variation(present - images)
            )
            (slope,) = torch.autograd.grad(energy, present)
            present = (present - step * slope * brain).clamp(0.0, 1.0)
        return present.detach()


def _divergence_slope(net: VariationalAutoencoder, images: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    _, mean, log_variance = net(images)
    (slope,) = torch.autograd.grad(divergence(mean, log_variance).sum(), images)
    return slope


def _total_variation(change: Tensor) -> Tensor:
    down, across = change.diff(dim=2)[..., :, 1:], change.diff(dim=3)[..., 1:, :]
    return (down.square() + across.square() + SOFT_EDGE**2).sqrt().sum()
