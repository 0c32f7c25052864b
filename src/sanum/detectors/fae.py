"""An autoencoder of features instead of brightness, judged by structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.records import Prepared
from sanum.detectors.base import State
from sanum.detectors.encoders import Encoded, EncodedConfig, Patches
from sanum.detectors.slicewise import Teaching, require_widths, teach, to_eval
from sanum.nets.feature_autoencoder import FeatureAutoencoder, similarity
from sanum.training.checkpoint import load_net_arrays, net_arrays
from sanum.training.history import History
from sanum.training.run import Run


@dataclass(frozen=True)
class Config(EncodedConfig, Teaching):
    """Settings of the autoencoder of features and its training.

    Attributes:
        widths: maps of each stage of the autoencoder.
    """

    epochs: int = 40
    batch: int = 16
    widths: tuple[int, ...] = (96, 64, 48)

    def __post_init__(self) -> None:
        EncodedConfig.__post_init__(self)
        Teaching.__post_init__(self)
        require_widths(self.widths)


class FeatureReconstruction(Encoded):
    """1 - structural similarity of an encoder's features and what an autoencoder makes of them.

    The structural feature autoencoder (FAE, Meissen et al. 2022), on an encoder trained here. A training that
    is resumed trains an encoder given as a recipe again.

    Attributes:
        net_: the autoencoder of features.
        history_: course of its training; None after `load_state`.
    """

    name = "fae"
    Config = Config

    net_: FeatureAutoencoder | None = None
    history_: History | None = None

    def _learn(self, cases: Sequence[Prepared], *, seed: int, run: Run) -> None:
        features = len(self._scale()[0])
        self.net_, self.history_ = teach(
            lambda: FeatureAutoencoder(features, self.config.widths),
            self._loss,
            cases,
            self.config,
            seed=seed,
            run=run,
            depth=2 * self._encoder().context + 1,
            keep="best",
            final_rate=0.01,
        )

    def _loss(self, net: nn.Module, windows: Tensor) -> Tensor:
        with torch.autocast(windows.device.type, enabled=False):
            features = self._uncentred(self._features(windows.cpu())).to(windows.device)
        return 1.0 - similarity(net(features).float(), features).mean()

    @torch.no_grad()
    def _score_patches(self, patches: Patches, case: Prepared) -> NDArray[np.float32]:
        del case
        standardised = torch.from_numpy(np.ascontiguousarray(np.moveaxis(patches.features, 2, 0)))[None]
        features = self._uncentred(standardised)
        scores: NDArray[np.float32] = (1.0 - similarity(self._net()(features), features)).mean(1)[0].numpy()
        return scores

    def _uncentred(self, features: Tensor) -> Tensor:
        """Features from 0 upwards and of unit variance: structural similarity is meant for values of one sign."""
        mean, spread = self._scale()
        return features + torch.from_numpy(mean / spread)[:, None, None]

    def _learned(self) -> State:
        return net_arrays(self._net())

    def _load_learned(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        net = FeatureAutoencoder(len(self._scale()[0]), self.config.widths)
        load_net_arrays(net, arrays)
        self.net_, self.history_ = to_eval(net), None

    def _net(self) -> FeatureAutoencoder:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_
