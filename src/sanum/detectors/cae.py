"""The classic recipe: a convolutional autoencoder of normal slices, and what it fails to reproduce."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sanum.core.config import config_sha256
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Channels
from sanum.detectors.base import Detector, State
from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig, Downsampling
from sanum.train.checkpoint import load_net_arrays, net_arrays
from sanum.train.device import seeded
from sanum.train.history import History
from sanum.train.loop import Schedule, train
from sanum.train.run import Run


@dataclass(frozen=True)
class Config:
    """Settings of the autoencoder and its training; the defaults are the recipe `cae-strided`.

    Attributes:
        widths: feature maps of each encoder stage.
        downsampling: "stride" or "pool", how a stage halves the slice.
        epochs: passes over the training slices.
        batch: slices a training step, and a scoring step.
        learning_rate: of Adam.
        validation_share: part of the training subjects kept apart for the validation loss, 0 to below 1.
    """

    widths: tuple[int, ...] = (16, 32, 64)
    downsampling: Downsampling = "stride"
    epochs: int = 30
    batch: int = 32
    learning_rate: float = 1e-3
    validation_share: float = 0.1

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


class ConvolutionalAutoencoder(Detector):
    """Score (x - x̂)², the mean over the channels, of each slice as the autoencoder sees it whole.

    Trained on normal slices by the mean squared error; what it reproduces badly is taken for abnormal
    (Baur et al. 2021 review the family). Scoring runs in float32 on the CPU, so that a model gives the
    same map wherever it was trained.

    Attributes:
        history_: course of the training; None after `load_state`.
        fast_net_: the same network in another runtime, for scoring; see `detectors.onnx_file`.
    """

    name = "cae"
    Config = Config

    net_: Autoencoder | None = None
    fast_net_: nn.Module | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on the slices of healthy cases; see `sanum.train.loop.train`."""
        self._check_training_cases(cases)
        settings: Config = self.config
        schedule = Schedule(
            epochs=settings.epochs,
            batch=settings.batch,
            learning_rate=settings.learning_rate,
            validation_share=settings.validation_share,
            owner=config_sha256(settings),
        )
        with seeded(seed, torch.device("cpu")):
            net = self._new_net()
        self.history_ = train(net, _squared_error, cases, schedule, seed=seed, run=run or Run())
        self.net_, self.fast_net_ = net.cpu(), None
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Squared reconstruction error, slice by slice along K."""
        errors = np.zeros(case.grid.shape, dtype=np.float32)
        for which, images, rebuilt in self._rebuilt(case):
            errors[..., which] = np.moveaxis((images - rebuilt).square().mean(dim=1).numpy(), 0, 2)
        return self._map(case, errors)

    def restored(self, case: Prepared) -> Channels | None:
        """What the autoencoder makes of each slice."""
        found = np.zeros_like(case.voxels)
        for which, _, rebuilt in self._rebuilt(case):
            found[..., which] = np.moveaxis(rebuilt.numpy(), 0, 3)
        return found

    def _rebuilt(self, case: Prepared) -> Iterator[tuple[NDArray[np.int64], Tensor, Tensor]]:
        """Batches of slices with mask: their indices, and (N, C, I, J) as they are and as they are rebuilt."""
        net: nn.Module = self._fitted() if self.fast_net_ is None else self.fast_net_
        self._check_case(case)
        slices = np.moveaxis(case.voxels, 3, 0)
        shown = np.flatnonzero(case.mask.any(axis=(0, 1)))
        for start in range(0, len(shown), self.config.batch):
            which = shown[start : start + self.config.batch]
            images = torch.from_numpy(slices[which])
            with torch.inference_mode():
                rebuilt = net(images)
            yield which, images, rebuilt

    def state(self) -> State:
        """Weights of the network."""
        return net_arrays(self._fitted())

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights."""
        net = self._new_net()
        load_net_arrays(net, arrays)
        nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
        self.net_, self.fast_net_, self.history_ = net.eval(), None, None
        return self

    def _new_net(self) -> Autoencoder:
        shape = AutoencoderConfig(len(self.modalities), self.config.widths, self.config.downsampling)
        return Autoencoder(shape)

    def _fitted(self) -> Autoencoder:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_


def _squared_error(net: nn.Module, images: Tensor) -> Tensor:
    return functional.mse_loss(net(images).float(), images)
