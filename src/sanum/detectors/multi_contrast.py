"""A network of slices that learned on made contrasts of healthy heads, so that it judges any sequence of MRI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from sanum.core.config import later
from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.core.modalities import MRI_SEQUENCES
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.shipped import find_model
from sanum.detectors.base import Detector, Incomplete, Opinion, State
from sanum.detectors.experts import Experts
from sanum.detectors.head_training import require_heads, train_on_heads
from sanum.detectors.plane_scoring import scored_volume
from sanum.detectors.sign import sign_weight
from sanum.detectors.slicewise import Teaching, require_at_least, require_widths
from sanum.detectors.smoothing import smooth_within
from sanum.detectors.stored import part, read_detector
from sanum.nets.plane_restorer import PlaneRestorer, PlaneRestorerConfig
from sanum.synthesis.made_volumes import Plan, make_volumes
from sanum.training.checkpoint import compact_arrays, load_net_arrays
from sanum.training.history import History
from sanum.training.run import Run
from sanum.training.volume_loss import VolumeLoss, Windows


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the network, of what it is taught with, and of scoring; `batch` counts heads.

    Attributes:
        widths: feature maps of each level of the U-Net.
        fold: side of the pixel blocks that the network works on.
        plan: how volumes are made of heads.
        windows: how slices are drawn of made volumes.
        planes: axes across which slices are scored, 0 to 2; the score is their mean.
        smoothing_mm: standard deviation of a Gaussian over the score, in mm, for each of `MRI_SEQUENCES`.
        bright: sequences whose score is weighed by how bright the place is within the case's own brain.
        network: model file of this detector whose network is taken in place of a training; "" trains one.
        start: model file of this detector whose network the training starts from; "" starts from random weights.
        experts: model files (or names of shipped models) for scans of T1w alone, on the same template.
        expert_share: weight of an expert's score beside the network's, each in healthy heights.
    """

    epochs: int = 16
    batch: int = 8
    learning_rate: float = 1.5e-3
    widths: tuple[int, ...] = (32, 64, 96, 128, 128)
    fold: int = 2
    plan: Plan = field(default_factory=Plan)
    windows: Windows = field(default_factory=Windows)
    planes: tuple[int, ...] = (0, 1, 2)
    smoothing_mm: tuple[float, ...] = (2.0, 2.0, 1.5, 2.0)
    bright: tuple[str, ...] = ("FLAIR",)
    network: str = ""
    start: str = later("")
    experts: tuple[str, ...] = ()
    expert_share: float = 0.7

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths(self.widths)
        require_at_least(1, "fold", self.fold)
        if len(self.smoothing_mm) != len(MRI_SEQUENCES) or min(self.smoothing_mm) < 0:
            raise ValueError(
                f"smoothing_mm: expected a number from 0 for each of {MRI_SEQUENCES}, got {self.smoothing_mm}"
            )
        if not set(self.bright) <= set(MRI_SEQUENCES):
            raise ValueError(f"bright: expected some of {MRI_SEQUENCES}, got {self.bright}")
        if not 0.0 <= self.expert_share <= 1.0:
            raise ValueError(f"expert_share: expected 0 to 1, got {self.expert_share}")
        if not self.planes or not set(self.planes) <= {0, 1, 2}:
            raise ValueError(f"planes: expected some of 0, 1 and 2, got {self.planes}")


class MultiContrast(Detector):
    """How sure a network is of a lesion that was taught on made contrasts, in slices across three axes.

    The kin of `restore` (see there for sources); contrasts are made of tissue memberships in the manner of SynthSeg
    (Billot et al. 2023), so that one network judges sequences that it never saw scanned. It is told the sequence. With
    the chance p of a lesion the score is −ln(1 − p), the mean over the planes.

    Attributes:
        net_: the trained network.
        experts_: detectors of one sequence that are weighed in; None without.
        history_: course of the training; None after `load_state`.
    """

    name = "multi-contrast"
    Config = Config

    net_: PlaneRestorer | None = None
    experts_: Experts | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on heads: cases whose channels are `sanum.synthesis.tissues.HEAD_CHANNELS`.

        Raises:
            TrainingError: no cases, or cases of other channels, beside what the loop raises.
        """
        require_heads(self.name, cases)
        if self.config.network:
            self.net_, self.history_ = self._network_of(self.config.network), None
        else:
            self._train(cases, seed, run)
        if self.config.experts:
            scans = [scan for case in cases if (scan := _t1w_of(case)) is not None]
            self.experts_ = Experts.measured(self.config.experts, self, scans)
        return self

    def _train(self, cases: Sequence[Prepared], seed: int, run: Run | None) -> None:
        settings: Config = self.config
        make = partial(make_volumes, settings.plan)
        loss = VolumeLoss(make, settings.plan.lesions, settings.windows, MRI_SEQUENCES)
        start = self._network_of(settings.start) if settings.start else None
        first = (lambda: start) if start is not None else self._new_net
        self.net_, self.history_ = train_on_heads(first, loss, cases, settings, seed=seed, run=run)

    def _network_of(self, source: str) -> PlaneRestorer:
        found = read_detector(find_model(Path(source))).detector
        if not isinstance(found, MultiContrast) or found.config.widths != self.config.widths:
            raise ConfigError(f"{source}: expected a multi-contrast model of widths {self.config.widths}")
        return found._fitted()

    def score(self, case: Prepared) -> AnomalyMap:
        """−ln(1 − chance of lesion) at each voxel, 0 and up, weighed by brightness on FLAIR, smoothed."""
        return self.judge(case, reconstruct=False).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map, and the volume as the network restores it, the mean over the planes."""
        self._check_case(case)
        with torch.inference_mode():
            log_odds, healthy = scored_volume(
                self._fitted(),
                torch.from_numpy(np.ascontiguousarray(case.voxels[0])),
                case.mask,
                torch.tensor([float(case.modalities[0] == name) for name in MRI_SEQUENCES]),
                self.config.planes,
                self.config.windows.margin,
            )
        values = functional.softplus(log_odds).numpy()
        (name,) = case.modalities
        if name in self.config.bright:
            values = values * sign_weight(case, bright=True)
        smoothing = self.config.smoothing_mm[MRI_SEQUENCES.index(name)]
        values = smooth_within(values, case.mask, case.grid, smoothing)
        if self.experts_ is not None:
            values = self.experts_.weigh(values, case, self.config.expert_share)
        restored = healthy.clamp(0.0, 1.0).numpy()[None] if reconstruct else None
        return Opinion(self._map(case, values), reconstruction=restored)

    @property
    def incomplete(self) -> Incomplete:
        """Each modality is a whole case."""
        return "each"

    def _check_case(self, case: Prepared) -> None:
        if len(case.modalities) != 1 or case.modalities[0] not in self.modalities:
            raise ScanError(
                f"{case.case}: this detector takes one of {', '.join(self.modalities)} at a time; "
                f"the case has {', '.join(case.modalities)}"
            )
        if not case.mask.any():
            raise ScanError(f"{case.case}: the mask is empty, so there is nothing to judge")

    def state(self) -> State:
        """Weights of the network in half precision, and the experts."""
        arrays = {f"net.{name}": array for name, array in compact_arrays(self._fitted()).items()}
        return arrays if self.experts_ is None else {**arrays, **self.experts_.state()}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights, and the experts."""
        if bool(self.config.experts) != ("heights" in arrays):
            raise ModelFileError(
                f"multi-contrast: expected {len(self.config.experts)} experts, as its config says; the model file is "
                "damaged or of another config"
            )
        self.experts_ = Experts.of_state(arrays, self.name) if self.config.experts else None
        net = self._new_net()
        load_net_arrays(net, part(arrays, "net."))
        nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
        self.net_, self.history_ = net.eval(), None
        return self

    def _new_net(self) -> PlaneRestorer:
        settings: Config = self.config
        return PlaneRestorer(PlaneRestorerConfig(MRI_SEQUENCES, settings.widths, settings.fold))

    def _fitted(self) -> PlaneRestorer:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_


def _t1w_of(head: Prepared) -> Prepared | None:
    """The T1w scan of a head as a case of its own; None of a label map."""
    scan = np.asarray(head.voxels[:1], np.float32)
    if not scan.any():
        return None
    return replace(head, voxels=scan, modalities=("T1w",))
