"""A U-Net that learned on synthetic lesions in healthy scans to mark the lesion and to restore the health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.config import formerly, later
from sanum.core.errors import ModelFileError
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Channels, Volume
from sanum.detectors.base import Detector, Incomplete, Opinion, State
from sanum.detectors.healthy_place import learn_prior, over_prior, refuse_other_grids
from sanum.detectors.lesion_training import train_on_lesions
from sanum.detectors.sign import sign_weight
from sanum.detectors.slicewise import (
    Teaching,
    require_at_least,
    require_widths,
    shown_slices,
    windows_of,
)
from sanum.detectors.smoothing import smooth_within
from sanum.nets.restorer import Restorer, RestorerConfig
from sanum.synthesis.augmentation import Augmentation
from sanum.synthesis.plant import Mixture
from sanum.training.checkpoint import compact, compact_arrays, load_net_arrays
from sanum.training.history import History
from sanum.training.lesion_loss import LesionLoss, LesionPlan
from sanum.training.run import Run

EMA_DECAY = 0.998
"""Decay of the running average of the weights: about the last 500 steps."""


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the network, of what it is taught with, and of scoring; `batch` counts stacks, and slices in scoring.

    Attributes:
        widths: feature maps of each level of the U-Net.
        fold: side of the pixel blocks that the network works on; 1 is finest, 2 costs a quarter.
        context: distance in slices of the neighbours that are seen as well; 0 sees each slice alone.
        mirror: whether the network sees the mirrored slice too.
        targets: adjacent slices of a stack that a training step learns from, when there is context.
        easy_steps: steps over which lesions pass from glaring to hardly visible.
        lesions: what is planted.
        augmentation: how healthy scans are varied.
        flip: whether the score is the mean of a slice's and its mirrored slice's.
        smoothing_mm: standard deviation of a Gaussian over the score, in mm (pixels in an image).
        sign: "bright" or "dark" weighs the score by how bright or dark the place is within the case's own brain,
            where lesions of the contrast are known to be so; "any" does not.
        location_prior: above 0 divides the score at each place by a high healthy score there plus this number;
            0 does not. It needs cases on one grid, as the template preset gives them.
        channel_dropout: chance that a modality is missing from a training slice; above 0 the model judges cases
            that lack some modalities, but not all.
    """

    widths: tuple[int, ...] = (32, 64, 96, 128, 128)
    fold: int = 2
    context: int = 0
    mirror: bool = True
    targets: int = 4
    epochs: int = 60
    batch: int = 16
    learning_rate: float = 2e-3
    easy_steps: int = 500
    lesions: Mixture = field(default_factory=Mixture)
    augmentation: Augmentation = formerly("healthy", factory=Augmentation)
    flip: bool = True
    smoothing_mm: float = 0.0
    sign: Literal["any", "bright", "dark"] = "any"
    location_prior: float = 0.0
    channel_dropout: float = later(0.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths(self.widths)
        for name, least in (("fold", 1), ("targets", 1), ("context", 0)):
            require_at_least(least, name, getattr(self, name))
        for name in ("easy_steps", "smoothing_mm", "location_prior"):
            require_at_least(0, name, getattr(self, name))
        if not 0.0 <= self.channel_dropout < 1.0:
            raise ValueError(f"channel_dropout: expected 0 to below 1, got {self.channel_dropout}")


class Restore(Detector):
    """Probability of lesion from a network that only ever saw synthetic lesions, planted in healthy scans.

    Foreign patches (Tan et al. 2020), simulated defects (Zavrtanik et al. 2021) and many kinds at once (Baugh
    et al. 2023) are the family; the network also restores the healthy slice, as in DISYRE (Naval Marimont et
    al. 2024). The epoch that is kept is the one with the best average precision on synthetic lesions in
    validation subjects; no real lesion is seen. Scoring runs in float32 on the CPU.

    Attributes:
        prior_: a high healthy smoothed score at each place, see `detectors.healthy_place`.
        history_: course of the training; None after `load_state`.
    """

    name = "restore"
    Config = Config

    net_: Restorer | None = None
    prior_: Volume | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on the slices of healthy cases; see `sanum.training.loop.train`."""
        self._check_training_cases(cases)
        settings: Config = self.config
        depth = 1 if settings.context == 0 else settings.targets + 2 * settings.context
        plan = LesionPlan(
            settings.lesions,
            settings.augmentation,
            settings.context,
            settings.easy_steps,
            settings.channel_dropout,
        )
        self.net_, self.history_ = train_on_lesions(
            self._new_net,
            LesionLoss(plan),
            cases,
            settings,
            ema_decay=EMA_DECAY,
            depth=depth,
            seed=seed,
            run=run,
        )
        if settings.location_prior > 0.0:
            refuse_other_grids(cases, "a location prior needs the template preset, or set location_prior = 0")
            self.prior_ = learn_prior(
                cases, lambda case: self._smoothed_chance(case)[0], settings.location_prior
            )
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Probability of lesion at each voxel, slice by slice along K, smoothed and weighed by the prior."""
        return self.judge(case).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map, and the healthy slices that the network gives beside the lesion."""
        del reconstruct
        self._fitted()
        if self.incomplete == "filled":
            case = _filled(case, self.modalities)
        self._check_case(case)
        values, healthy = self._smoothed_chance(case)
        if self.prior_ is not None:
            values = over_prior(values, self.prior_, self.config.location_prior, case)
        return Opinion(self._map(case, values), reconstruction=healthy)

    def state(self) -> State:
        """Weights of the network, and the location prior where there is one."""
        arrays = {f"net.{name}": array for name, array in compact_arrays(self._fitted()).items()}
        return arrays if self.prior_ is None else {**arrays, **compact({"prior": self.prior_.copy()})}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights, and the prior."""
        wanted = self.config.location_prior > 0.0
        if wanted != ("prior" in arrays):
            raise ModelFileError(
                f"restore: expected {'a' if wanted else 'no'} location prior, as its config says; "
                "the model file is damaged or of another config"
            )
        net = self._new_net()
        load_net_arrays(net, {name.removeprefix("net."): a for name, a in arrays.items() if name != "prior"})
        nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
        self.net_, self.history_ = net.eval(), None
        self.prior_ = arrays["prior"].astype(np.float32) if wanted else None
        return self

    @property
    def incomplete(self) -> Incomplete:
        """A case that lacks modalities is judged where training left channels out."""
        return "filled" if self.config.channel_dropout > 0.0 else "refused"

    @property
    def context(self) -> int:
        """Slices seen on each side of the target."""
        return int(self.config.context)

    @property
    def step(self) -> int:
        """Slices are extended to a multiple of this."""
        return self._fitted().unet.step

    def levels(self, windows: Tensor) -> list[Tensor]:
        """Feature maps of the U-Net on its way down; see `detectors.encoders.Encoder`."""
        return self._fitted().levels(windows)

    def _smoothed_chance(self, case: Prepared) -> tuple[Volume, Channels]:
        """Smoothed chance of lesion (I, J, K), and the healthy case (C, I, J, K)."""
        net, settings = self._fitted(), self.config
        values: Volume = np.zeros(case.grid.shape, dtype=np.float32)
        restored: Channels = np.zeros_like(case.voxels)
        with torch.inference_mode():
            for which in shown_slices(case, settings.batch):
                windows = windows_of(case, which, settings.context)
                log_odds, healthy = net(windows)
                chance = log_odds.sigmoid()
                restored[..., which] = np.moveaxis(healthy.clamp(0.0, 1.0).numpy(), 0, 3)
                if settings.flip:
                    chance = 0.5 * (chance + net(windows.flip(3))[0].sigmoid().flip(2))
                values[..., which] = np.moveaxis(chance[:, 0].numpy(), 0, 2)
        if settings.sign != "any":
            values *= sign_weight(case, bright=settings.sign == "bright")
        return smooth_within(values, case.mask, case.grid, settings.smoothing_mm), restored

    def _new_net(self) -> Restorer:
        settings: Config = self.config
        return Restorer(
            RestorerConfig(
                len(self.modalities), settings.widths, settings.fold, settings.context, settings.mirror
            )
        )

    def _fitted(self) -> Restorer:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_


def _filled(case: Prepared, modalities: tuple[str, ...]) -> Prepared:
    """The case with an empty channel for each modality that it lacks; one of other modalities as it is."""
    if not case.modalities or case.modalities == modalities or not set(case.modalities) <= set(modalities):
        return case
    voxels = np.zeros((len(modalities), *case.grid.shape), dtype=np.float32)
    for name, channel in zip(case.modalities, case.voxels, strict=True):
        voxels[modalities.index(name)] = channel
    return replace(case, voxels=voxels, modalities=modalities)
