"""What detectors share that are one network over single slices: training, scoring, and the state."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.config import config_sha256
from sanum.core.records import AnomalyMap, Prepared
from sanum.core.units import Volume
from sanum.detectors.base import Detector, Opinion, State
from sanum.training.checkpoint import load_net_arrays, net_arrays
from sanum.training.device import seeded
from sanum.training.history import History
from sanum.training.loop import Loss, Schedule, train
from sanum.training.run import Run

Net = TypeVar("Net", bound=nn.Module)


@dataclass(frozen=True)
class Teaching:
    """Settings of a training by epochs.

    Attributes:
        epochs: passes over the training slices.
        batch: slices a training step, and a scoring step.
        learning_rate: of Adam.
        validation_share: part of the training subjects kept apart for the validation loss, 0 to below 1.
    """

    epochs: int = 30
    batch: int = 32
    learning_rate: float = 1e-3
    validation_share: float = 0.1

    def __post_init__(self) -> None:
        for name in ("epochs", "batch"):
            require_at_least(1, name, getattr(self, name))
        if not 0.0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate: expected above 0, got {self.learning_rate}")
        if not 0.0 <= self.validation_share < 1.0:
            raise ValueError(f"validation_share: expected 0 to below 1, got {self.validation_share}")


def require_at_least(least: float, name: str, value: float) -> None:
    """Refuse a setting that is too small, infinite or no number.

    Raises:
        ValueError: as `from_dict` expects it of a config.
    """
    if not least <= value < math.inf:
        raise ValueError(f"{name}: expected {least} or more, got {value}")


def require_widths(widths: tuple[int, ...]) -> None:
    """Refuse a network without feature maps.

    Raises:
        ValueError: as `from_dict` expects it of a config.
    """
    if not widths or min(widths) < 1:
        raise ValueError(f"widths: expected one or more sizes of 1 or more, got {widths}")


def teach(
    make: Callable[[], Net],
    loss: Loss,
    cases: Sequence[Prepared],
    settings: Teaching,
    *,
    seed: int,
    run: Run | None,
    depth: int = 0,
    keep: Literal["last", "best"] = "last",
    final_rate: float = 1.0,
    weight_decay: float = 0.0,
    max_grad_norm: float | None = None,
) -> tuple[Net, History]:
    """Make a network from a seed and train it by `sanum.training.loop.train`; it returns on the CPU.

    Args:
        make: gives the network with random weights.
        loss: what is minimised.
        cases: healthy ones.
        settings: how long and how fast; a checkpoint belongs to the whole config.
        seed: of weights, order and all that the loss draws.
        run: conduct of the training.
        depth: as in `Schedule`.
        keep: as in `Schedule`.
        final_rate: as in `Schedule`.
        weight_decay: as in `Schedule`.
        max_grad_norm: as in `Schedule`.
    """
    schedule = Schedule(
        epochs=settings.epochs,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        validation_share=settings.validation_share,
        owner=config_sha256(settings),
        final_rate=final_rate,
        keep=keep,
        depth=depth,
        weight_decay=weight_decay,
        max_grad_norm=max_grad_norm,
    )
    with seeded(seed, torch.device("cpu")):
        net = make()
    history = train(net, loss, cases, schedule, seed=seed, run=run or Run())
    return net.cpu(), history


def shown_slices(case: Prepared, batch: int) -> Iterator[NDArray[np.int64]]:
    """Numbers of the slices with any mask, in batches."""
    shown = np.flatnonzero(case.mask.any(axis=(0, 1)))
    for start in range(0, len(shown), batch):
        yield shown[start : start + batch]


def slices_of(case: Prepared, which: NDArray[np.int64]) -> Tensor:
    """Some slices of a case as images (N, C, I, J)."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(case.voxels[..., which], 3, 0)))


def windows_of(case: Prepared, which: NDArray[np.int64], context: int) -> Tensor:
    """Windows (N, C, 2·context + 1, I, J) around some slices; beyond the ends the last slice is repeated."""
    around = (which[:, None] + np.arange(-context, context + 1)).clip(0, case.voxels.shape[3] - 1)
    return torch.from_numpy(np.ascontiguousarray(case.voxels[..., around].transpose(3, 0, 4, 1, 2)))


def to_eval(net: Net) -> Net:
    """A loaded network laid out in memory as a trained one, so that it computes the same bits."""
    nn.utils.convert_conv2d_weight_memory_format(net, torch.channels_last)
    return net.eval()


class SliceDetector(Detector, Generic[Net]):
    """One network, trained on slices and asked about slices. Scoring runs in float32 on the CPU, so that a
    model gives the same map wherever it was trained.

    A subclass's `Config` is a `Teaching`. The last epoch's weights are kept and the rate stays, unless the
    subclass says otherwise.

    Attributes:
        net_: the trained network.
        history_: course of the training; None after `load_state`.
    """

    keep: ClassVar[Literal["last", "best"]] = "last"
    final_rate: ClassVar[float] = 1.0

    net_: Net | None = None
    history_: History | None = None

    @abstractmethod
    def _new_net(self) -> Net:
        """The network with random weights."""

    @abstractmethod
    def _loss(self, net: nn.Module, images: Tensor) -> Tensor:
        """What training minimises, a scalar; images (N, C, I, J)."""

    @abstractmethod
    def _scored(self, net: Net, images: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N, I, J) of images (N, C, I, J), and what it makes of them, (N, C, I, J); gradients are off."""

    def _finished(self, values: Volume, case: Prepared) -> Volume:
        """What is done to the scores (I, J, K) of a whole case; nothing, unless a subclass smooths them."""
        del case
        return values

    def fit(self, cases: Sequence[Prepared], *, seed: int, run: Run | None = None) -> Self:
        """Train on the slices of healthy cases; see `sanum.training.loop.train`."""
        self._check_training_cases(cases)
        self.net_, self.history_ = teach(
            self._new_net,
            self._loss,
            cases,
            self.config,
            seed=seed,
            run=run,
            keep=self.keep,
            final_rate=self.final_rate,
        )
        return self

    def score(self, case: Prepared) -> AnomalyMap:
        """Score slice by slice along K."""
        return self.judge(case, reconstruct=False).map

    def judge(self, case: Prepared, *, reconstruct: bool = True) -> Opinion:
        """The map, and what the network makes of each slice."""
        net = self._fitted()
        self._check_case(case)
        values = np.zeros(case.grid.shape, dtype=np.float32)
        healthy = np.zeros_like(case.voxels) if reconstruct else None
        with torch.no_grad():
            for which in shown_slices(case, self.config.batch):
                score, rebuilt = self._scored(net, slices_of(case, which))
                values[..., which] = np.moveaxis(score.numpy(), 0, 2)
                if healthy is not None:
                    healthy[..., which] = np.moveaxis(rebuilt.clamp(0.0, 1.0).numpy(), 0, 3)
        return Opinion(self._map(case, self._finished(values, case)), reconstruction=healthy)

    def state(self) -> State:
        """Weights of the network."""
        return net_arrays(self._fitted())

    def load_state(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take up saved weights."""
        net = self._new_net()
        load_net_arrays(net, arrays)
        self.net_, self.history_ = to_eval(net), None
        return self

    def _fitted(self) -> Net:
        if self.net_ is None:
            raise self._not_fitted()
        return self.net_
