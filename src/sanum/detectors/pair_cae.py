"""The classic recipe for pairs: autoencoders of each modality, or of both as channels, and outliers of their latents."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sanum.core.config import config_sha256
from sanum.core.errors import ModelFileError
from sanum.core.records import AnomalyMap, Prepared
from sanum.detectors.base import Detector, State
from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig
from sanum.training.checkpoint import load_net_arrays, net_arrays
from sanum.training.device import seeded
from sanum.training.history import History
from sanum.training.loop import Schedule, train
from sanum.training.run import Run


@dataclass(frozen=True)
class Config:
    """Settings of the recipe.

    Attributes:
        widths: feature maps of each encoder stage; each stage halves the slice by max-pooling.
        stacked: one autoencoder sees all modalities as channels; else each modality has its own.
        epochs: passes over the training slices.
        batch: slices a training step.
        learning_rate: of Adam.
        validation_share: part of the training subjects kept apart for the validation loss.
        noise: standard deviation of the noise that training adds.
        intensity: greatest relative change of gain, and greatest offset, that training adds.
    """

    widths: tuple[int, ...] = (32, 64, 128)
    stacked: bool = False
    epochs: int = 20
    batch: int = 16
    learning_rate: float = 1e-3
    validation_share: float = 0.1
    noise: float = 0.02
    intensity: float = 0.1

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 1:
            raise ValueError(f"widths: expected one or more sizes of 1 or more, got {self.widths}")
        for name in ("epochs", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, got {getattr(self, name)}")
        if not 0.0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate: expected above 0, got {self.learning_rate}")
        if not 0.0 <= self.validation_share < 1.0:
            raise ValueError(f"validation_share: expected 0 to below 1, got {self.validation_share}")
        if min(self.noise, self.intensity) < 0.0:
            raise ValueError("noise and intensity: expected 0 or more")


class PairAutoencoder(Detector):
    """Squared reconstruction error, the mean over the modalities; `parts` hold each modality's own.

    The pooled latents of healthy slices are kept, so that an isolation forest (Liu et al. 2008) can be asked how far
    out a new slice lies, and the distance of two modalities' latents can be measured.

    Attributes:
        pooled_: (n, D) latents of the healthy slices averaged over the slice, modality after modality.
        history_: course of the last autoencoder's training; None after `load_state`.
    """

    name = "pair-cae"
    Config = Config

    nets_: tuple[Autoencoder, ...] | None = None
    pooled_: NDArray[np.float32] | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train one autoencoder after the other; only the first of several may be resumed from a checkpoint."""
        self._check_training_cases(cases)
        settings: Config = self.config
        schedule = Schedule(
            epochs=settings.epochs,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            validation_share=settings.validation_share,
            owner=config_sha256(settings),
        )
        conduct, nets = run or Run(), []
        for channels in self._groups():
            with seeded(seed, torch.device("cpu")):
                net = self._new_net(len(channels))
            only = [_only(case, channels) for case in cases]
            self.history_ = train(net, self._loss, only, schedule, seed=seed, run=conduct)
            conduct = replace(conduct, checkpoint=None, resume=False)
            nets.append(net.cpu())
        self.nets_ = tuple(nets)
        self.pooled_ = np.concatenate([self.latents(case) for case in cases])
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Squared error, slice by slice along K."""
        nets = self._fitted()
        self._check_case(case)
        errors = np.zeros(case.voxels.shape, np.float32)
        for k in np.flatnonzero(case.mask.any(axis=(0, 1))):
            for net, channels in zip(nets, self._groups(), strict=True):
                image = _image(case, channels, int(k))
                with torch.inference_mode():
                    errors[list(channels), ..., k] = (image - net(image)).square()[0].numpy()
        parts = {
            f"{name}: own": self._map(case, each).values
            for name, each in zip(self.modalities, errors, strict=True)
        }
        return replace(self._map(case, errors.mean(axis=0)), parts=parts)

    def latents(self, case: Prepared) -> NDArray[np.float32]:
        """Latents (K', D) of the slices that show anything, averaged over the slice."""
        rows = []
        for k in np.flatnonzero(case.mask.any(axis=(0, 1))):
            pooled = []
            for net, channels in zip(self._fitted(), self._groups(), strict=True):
                with torch.inference_mode():
                    pooled.append(net.encoder(_padded(_image(case, channels, int(k)), net)).mean((2, 3))[0])
            rows.append(torch.cat(pooled).numpy())
        return np.stack(rows)

    @property
    def healthy_latents(self) -> NDArray[np.float32]:
        """`latents` of all healthy training slices.

        Raises:
            NotFittedError: before `fit` or `load_state`.
        """
        if self.pooled_ is None:
            raise self._not_fitted()
        return self.pooled_

    def state(self) -> State:
        """Weights of the autoencoders, and the healthy latents."""
        arrays = {"pooled": self.healthy_latents.copy()}
        for number, net in enumerate(self._fitted()):
            arrays |= {f"net{number}.{name}": array for name, array in net_arrays(net).items()}
        return arrays

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights and latents."""
        if "pooled" not in arrays:
            raise ModelFileError("pair-cae: the healthy latents are missing; the model file is damaged")
        nets = []
        for number, channels in enumerate(self._groups()):
            net, start = self._new_net(len(channels)), f"net{number}."
            part = {name.removeprefix(start): a for name, a in arrays.items() if name.startswith(start)}
            load_net_arrays(net, part)
            nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
            nets.append(net.eval())
        self.nets_, self.pooled_, self.history_ = tuple(nets), arrays["pooled"].astype(np.float32), None
        return self

    def _loss(self, net: nn.Module, images: Tensor) -> Tensor:
        """Mean squared error against the clean slice; training sees it with noise and another gain."""
        seen = images
        if net.training:
            count, reach = len(images), self.config.intensity
            gain = 1.0 + reach * (2.0 * torch.rand(count, 1, 1, 1, device=images.device) - 1.0)
            offset = reach * (torch.rand(count, 1, 1, 1, device=images.device) - 0.5)
            images = ((images * gain + offset) * (images > 0)).clamp(0.0, 1.0)
            seen = images + self.config.noise * torch.randn_like(images)
        return functional.mse_loss(net(seen), images)

    def _groups(self) -> tuple[tuple[int, ...], ...]:
        every = tuple(range(len(self.modalities)))
        return (every,) if self.config.stacked else tuple((channel,) for channel in every)

    def _new_net(self, channels: int) -> Autoencoder:
        return Autoencoder(AutoencoderConfig(channels, self.config.widths, "pool"))

    def _fitted(self) -> tuple[Autoencoder, ...]:
        if self.nets_ is None:
            raise self._not_fitted()
        return self.nets_


def _only(case: Prepared, channels: tuple[int, ...]) -> Prepared:
    names = tuple(case.modalities[channel] for channel in channels)
    return replace(case, voxels=case.voxels[channels[0] : channels[-1] + 1], modalities=names)


def _image(case: Prepared, channels: tuple[int, ...], k: int) -> Tensor:
    return torch.from_numpy(np.array(case.voxels[channels[0] : channels[-1] + 1, ..., k]))[None]


def _padded(image: Tensor, net: Autoencoder) -> Tensor:
    step = 2 ** len(net.config.widths)
    height, width = image.shape[2:]
    return functional.pad(image, (0, -width % step, 0, -height % step), mode="replicate")
