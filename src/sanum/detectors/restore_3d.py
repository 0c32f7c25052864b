"""A 3D U-Net that learned on synthetic lesions in healthy volumes to mark the lesions and to restore the health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from sanum.core.config import formerly
from sanum.core.errors import ModelFileError, ScanError
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Channels, Volume
from sanum.detectors.base import Detector, Opinion, State
from sanum.detectors.healthy_place import learn_prior, over_prior, refuse_other_grids
from sanum.detectors.lesion_training import train_on_lesions
from sanum.detectors.slicewise import Teaching, require_at_least
from sanum.detectors.smoothing import smooth_within
from sanum.nets.unet3d import GROUP
from sanum.nets.volume_restorer import VolumeRestorer
from sanum.synthesis.augmentation import Augmentation
from sanum.synthesis.draws import Draws
from sanum.synthesis.plant import Mixture
from sanum.training.checkpoint import compact, compact_arrays, load_net_arrays
from sanum.training.data import WHOLE
from sanum.training.history import History
from sanum.training.lesion_loss import LesionBatch, LesionLoss, LesionPlan, make_whole_batch
from sanum.training.run import Run

EMA_DECAY = 0.995
"""Decay of the running average of the weights: about the last 200 steps."""


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the network, of what it is taught with, and of scoring; an epoch shows each volume once.

    Attributes:
        widths: feature maps of each level of the 3D U-Net, finest first; multiples of 8.
        block: side of the blocks of voxels that are averaged first; the map is enlarged again.
        easy_steps: steps over which lesions pass from glaring to hardly visible.
        lesions: what is planted in each volume.
        augmentation: how healthy volumes are varied.
        flip: whether the score is the mean of a volume's and its mirrored volume's.
        smoothing_mm: standard deviation of a Gaussian over the score, in mm.
        location_prior: above 0 divides the score at each place by a high healthy score there plus this number.
    """

    epochs: int = 240
    batch: int = 2
    learning_rate: float = 1e-3
    widths: tuple[int, ...] = (16, 32, 64, 96, 128)
    block: int = 2
    easy_steps: int = 300
    lesions: Mixture = field(default_factory=Mixture)
    augmentation: Augmentation = formerly("healthy", factory=Augmentation)
    flip: bool = True
    smoothing_mm: float = 0.0
    location_prior: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.widths or any(width < GROUP or width % GROUP for width in self.widths):
            raise ValueError(f"widths: expected one or more multiples of {GROUP}, got {self.widths}")
        require_at_least(1, "block", self.block)
        for name in ("easy_steps", "smoothing_mm", "location_prior"):
            require_at_least(0, name, getattr(self, name))


class Restore3d(Detector):
    """How sure a network is of a lesion that sees a whole volume beside the healthy mean and spread at each place.

    The kin of `restore` (see there for sources) for volumes on one grid: form in 3D tells a sulcus from a hole, and the
    atlas tells what is usual where. With the chance p of a lesion the score is −ln(1 − p), which goes on rising where p
    is as good as 1, so that the scores of cases do not pile up there. Weights are rounded to half precision when training
    ends, so that a file of half the size gives the same bits. Scoring runs in float32 on the CPU.

    Attributes:
        net_: the trained network.
        prior_: a high healthy score at each place, see `detectors.healthy_place`; None without `location_prior`.
        history_: course of the training; None after `load_state`.
    """

    name = "restore-3d"
    Config = Config

    net_: VolumeRestorer | None = None
    prior_: Volume | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on whole healthy cases; see `sanum.training.loop.train`.

        Raises:
            TrainingError: cases on different grids, beside what the loop raises.
        """
        self._check_training_cases(cases)
        refuse_other_grids(cases, "restore-3d needs the template preset; for others use restore-volume")
        settings: Config = self.config
        plan = LesionPlan(settings.lesions, settings.augmentation, context=0, easy_steps=settings.easy_steps)
        mean, spread = self._atlas(cases)
        self.net_, self.history_ = train_on_lesions(
            lambda: VolumeRestorer(settings.widths, mean, spread),
            LesionLoss(plan, self._batch),
            cases,
            settings,
            ema_decay=EMA_DECAY,
            depth=WHOLE,
            seed=seed,
            run=run,
        )
        self.prior_ = (
            learn_prior(cases, lambda case: self._surprise(case)[0], settings.location_prior)
            if settings.location_prior > 0.0
            else None
        )
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """−ln(1 − chance of lesion) at each voxel, 0 and up, smoothed and weighed by the prior."""
        return self.judge(case, reconstruct=False).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map, and the case with the change that the network would make to it."""
        values, change = self._surprise(case)
        if self.prior_ is not None:
            values = over_prior(values, self.prior_, self.config.location_prior, case)
        healthy = None
        if reconstruct:
            healthy = (case.voxels + self._fine(change, case)).clip(0.0, 1.0).astype(np.float32)
        return Opinion(self._map(case, values), reconstruction=healthy)

    def state(self) -> State:
        """Weights in half precision, the atlas, and the location prior where there is one."""
        arrays = {f"net.{name}": array for name, array in compact_arrays(self._fitted()).items()}
        return arrays if self.prior_ is None else {**arrays, **compact({"prior": self.prior_.copy()})}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights, atlas and prior."""
        wanted = self.config.location_prior > 0.0
        if wanted != ("prior" in arrays) or "net.mean" not in arrays:
            raise ModelFileError(
                f"restore-3d: expected an atlas and {'a' if wanted else 'no'} location prior, as its config says; "
                "the model file is damaged or of another config"
            )
        atlas = torch.zeros(len(self.modalities), *arrays["net.mean"].shape[1:])
        net = VolumeRestorer(self.config.widths, atlas, atlas.clone())
        weights = {name.removeprefix("net."): array for name, array in arrays.items() if name != "prior"}
        load_net_arrays(net, weights)
        self.net_, self.history_ = net.eval(), None
        self.prior_ = arrays["prior"].astype(np.float32) if wanted else None
        return self

    def _surprise(self, case: Prepared) -> tuple[Volume, Tensor]:
        """The smoothed score (I, J, K), and the change to health (1, C, K, I, J) as the network sees the case."""
        net, coarse = self._fitted(), self._seen(case)
        with torch.inference_mode():
            log_odds, healthy = net(coarse)
            surprise = functional.softplus(log_odds)
            if self.config.flip:
                surprise = 0.5 * (surprise + functional.softplus(net(coarse.flip(3))[0]).flip(3))
            change = healthy - coarse
        fine = self._fine(surprise, case)[0]
        return smooth_within(fine, case.mask, case.grid, self.config.smoothing_mm), change

    def _seen(self, case: Prepared) -> Tensor:
        """The case as the network sees it, (1, C, K, I, J)."""
        net = self._fitted()
        self._check_case(case)
        coarse = self._coarser(torch.from_numpy(np.moveaxis(case.voxels, 3, 1).copy())[None])
        if coarse.shape[2:] != net.mean.shape[1:]:
            raise ScanError(
                f"{case.case}: {case.grid} is not the grid of this model; prepare it as the model says"
            )
        return coarse

    def _fine(self, coarse: Tensor, case: Prepared) -> Channels:
        """A map (1, C, K, I, J) of the network on the case's grid, (C, I, J, K)."""
        size = [side * self.config.block for side in coarse.shape[2:]]
        fine = functional.interpolate(coarse, size=size, mode="trilinear", align_corners=False)[0]
        i, j, k = case.grid.shape
        return np.moveaxis(fine[:, :k, :i, :j].numpy(), 1, 3)

    def _coarser(self, stacks: Tensor) -> Tensor:
        block = self.config.block
        missing = [part for side in reversed(stacks.shape[2:]) for part in (0, -side % block)]
        return functional.avg_pool3d(functional.pad(stacks, missing, mode="replicate"), block)

    def _batch(self, stacks: Tensor, plan: LesionPlan, mixture: Mixture, draws: Draws) -> LesionBatch:
        return make_whole_batch(self._coarser(stacks), plan, mixture, draws)

    def _atlas(self, cases: Sequence[Prepared]) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (C, K, I, J) of healthy cases and their mirror images, as training mirrors them."""
        total = square = torch.zeros(())
        for case in cases:
            coarse = self._coarser(torch.from_numpy(np.moveaxis(case.voxels, 3, 1).copy())[None])[0]
            total, square = total + coarse, square + coarse.square()
        mean, power = ((part + part.flip(2)) / (2 * len(cases)) for part in (total, square))
        return mean, (power - mean.square()).clamp_min(0.0).sqrt()

    def _fitted(self) -> VolumeRestorer:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_
