"""The classic recipe: a convolutional autoencoder of normal slices, and what it fails to reproduce."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from sanum.core.config import later
from sanum.detectors.slicewise import SliceDetector, Teaching, require_at_least, require_widths
from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig, Downsampling


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the autoencoder and its training; the defaults are the recipe `cae-strided`.

    Attributes:
        widths: feature maps of each encoder stage.
        downsampling: "stride" or "pool", how a stage halves the slice.
        attention: whether every place of the coarsest feature maps looks at all others (Zhang et al. 2019).
        latent: numbers of a dense bottleneck; 0 has none.
    """

    widths: tuple[int, ...] = (16, 32, 64)
    downsampling: Downsampling = "stride"
    attention: bool = later(False)
    latent: int = later(0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths(self.widths)
        require_at_least(0, "latent", self.latent)


class ConvolutionalAutoencoder(SliceDetector[Autoencoder]):
    """Score (x - x̂)², the mean over the channels, of each slice as the autoencoder sees it whole.

    Trained on normal slices by the mean squared error; what it reproduces badly is taken for abnormal
    (Baur et al. 2021 review the family).
    """

    name = "cae"
    Config = Config
    context = 0

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps of the encoder, finest first; see `detectors.encoders.Encoder`."""
        return self._fitted().levels(windows[:, :, 0])

    @property
    def step(self) -> int:
        """Slices are extended to a multiple of this."""
        return self._fitted().step

    def _new_net(self) -> Autoencoder:
        settings: Config = self.config
        return Autoencoder(
            AutoencoderConfig(
                len(self.modalities),
                settings.widths,
                settings.downsampling,
                settings.attention,
                settings.latent,
            )
        )

    def _loss(self, net: nn.Module, images: Tensor) -> Tensor:
        return functional.mse_loss(net(images).float(), images)

    def _scored(self, net: Autoencoder, images: Tensor) -> tuple[Tensor, Tensor]:
        rebuilt: Tensor = net(images)
        return (images - rebuilt).square().mean(dim=1), rebuilt
