"""A network of slices that learned on CT made of healthy heads, with blood and other lesions planted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from sanum.core.config import later
from sanum.core.errors import ConfigError
from sanum.core.modalities import CHANNEL_MARK, TABLE
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.shipped import find_model
from sanum.detectors.base import Detector, Opinion, State
from sanum.detectors.head_training import require_heads, train_on_heads
from sanum.detectors.plane_scoring import scored_volume
from sanum.detectors.slicewise import Teaching, require_at_least, require_widths
from sanum.detectors.smoothing import smooth_within
from sanum.detectors.stored import part, read_detector
from sanum.nets.plane_restorer import PlaneRestorer, PlaneRestorerConfig
from sanum.synthesis.ct_scanner import ct_view, hounsfield_of
from sanum.synthesis.made_ct import CtPlan, make_ct_volumes
from sanum.training.checkpoint import compact_arrays, load_net_arrays
from sanum.training.history import History
from sanum.training.run import Run
from sanum.training.volume_loss import VolumeLoss, Windows

WINDOW = "CT:subdural"
"""The channel that is read: its window holds fluid, brain, blood and the beginning of bone."""


@dataclass(frozen=True)
class Config(Teaching):
    """Settings of the network, of what it is taught with, and of scoring; `batch` counts heads.

    Attributes:
        widths: feature maps of each level of the U-Net.
        fold: side of the pixel blocks that the network works on.
        plan: how volumes are made of heads.
        windows: how slices are drawn of made volumes.
        planes: axes across which slices are scored, 0 to 2; the score is their mean.
        smoothing_mm: standard deviation of a Gaussian over the score.
        start: model file of this detector whose network the training starts from; "" starts from random weights.
    """

    epochs: int = 16
    batch: int = 8
    learning_rate: float = 1.5e-3
    widths: tuple[int, ...] = (32, 64, 96, 128, 128)
    fold: int = 2
    plan: CtPlan = field(default_factory=CtPlan)
    windows: Windows = field(default_factory=Windows)
    planes: tuple[int, ...] = (0, 1, 2)
    smoothing_mm: float = 2.0
    start: str = later("")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_widths(self.widths)
        require_at_least(1, "fold", self.fold)
        require_at_least(0, "smoothing_mm", self.smoothing_mm)
        if not self.planes or not set(self.planes) <= {0, 1, 2}:
            raise ValueError(f"planes: expected some of 0, 1 and 2, got {self.planes}")


class HeadCt(Detector):
    """How sure a network is of a lesion within the skull, on CT in Hounsfield units.

    The network of `multi-contrast`, taught on made CT alone. With the chance p of a lesion the score is −ln(1 − p), the
    mean over the planes.

    Attributes:
        net_: the trained network.
        history_: course of the training; None after `load_state`.
    """

    name = "head-ct"
    Config = Config
    of_heads: ClassVar[tuple[str, ...]] = ("CT",)

    net_: PlaneRestorer | None = None
    history_: History | None = None

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on heads: cases whose channels are `sanum.synthesis.tissues.HEAD_CHANNELS`.

        Raises:
            TrainingError: no cases, or cases of other channels, beside what the loop raises.
        """
        require_heads(self.name, cases)
        settings: Config = self.config
        make = partial(make_ct_volumes, settings.plan)
        loss = VolumeLoss(make, settings.plan.lesions, settings.windows, self.of_heads)
        self.net_, self.history_ = train_on_heads(self._first_net, loss, cases, settings, seed=seed, run=run)
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """−ln(1 − chance of lesion) at each voxel, 0 and up, smoothed."""
        return self.judge(case, reconstruct=False).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map, and the windows of CT as they would look with the restored volume in its place."""
        self._check_case(case)
        seen = _seen(case)
        settings: Config = self.config
        with torch.inference_mode():
            log_odds, healthy = scored_volume(
                self._fitted(), seen, case.mask, torch.ones(1), settings.planes, settings.windows.margin
            )
        values = smooth_within(
            functional.softplus(log_odds).numpy(), case.mask, case.grid, settings.smoothing_mm
        )
        restored = _windows_of(healthy, case) if reconstruct else None
        return Opinion(self._map(case, values), reconstruction=restored)

    def state(self) -> State:
        """Weights of the network in half precision."""
        return {f"net.{name}": array for name, array in compact_arrays(self._fitted()).items()}

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights."""
        net = self._new_net()
        load_net_arrays(net, part(arrays, "net."))
        nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
        self.net_, self.history_ = net.eval(), None
        return self

    def _first_net(self) -> PlaneRestorer:
        source = self.config.start
        if not source:
            return self._new_net()
        found = read_detector(find_model(Path(source))).detector
        if not isinstance(found, HeadCt) or found.config.widths != self.config.widths:
            raise ConfigError(f"{source}: expected a head-ct model of widths {self.config.widths}")
        return found._fitted()

    def _new_net(self) -> PlaneRestorer:
        settings: Config = self.config
        return PlaneRestorer(PlaneRestorerConfig(self.of_heads, settings.widths, settings.fold))

    def _fitted(self) -> PlaneRestorer:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_


def _seen(case: Prepared) -> Tensor:
    """(I, J, K) in [0, 1], 0 outside the mask: the grey scale that the network learned in."""
    low, high = TABLE["CT"].windows["subdural"].ends
    channel = torch.from_numpy(np.ascontiguousarray(case.voxels[case.modalities.index(WINDOW)]))
    return ct_view(low + channel.float() * (high - low)) * torch.from_numpy(np.ascontiguousarray(case.mask))


def _windows_of(view: Tensor, case: Prepared) -> NDArray[np.float32]:
    """(C, I, J, K) in [0, 1]: a volume of that grey scale in the windows of the case."""
    hounsfield = hounsfield_of(view).numpy()
    ends = [TABLE["CT"].windows[name.removeprefix("CT" + CHANNEL_MARK)].ends for name in case.modalities]
    windows = [((hounsfield - low) / (high - low)).clip(0.0, 1.0) for low, high in ends]
    return np.stack(windows).astype(np.float32)
