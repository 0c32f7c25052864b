"""A network and the running average of its weights (Polyak and Juditsky 1992), as one module."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)

EARLY = 10.0
"""Steps after which the average begins to reach far back: a first weak average forgets its random start."""


class EMA(nn.Module, Generic[Net]):
    """Trains `live`, answers by `steady`: in evaluation mode the averaged weights speak.

    Both lie in the state, so a checkpoint holds them, and `steps` counts the training steps taken.

    Args:
        net: the network to train.
        decay: share of the old average kept at each step.
    """

    steps: Tensor

    def __init__(self, net: Net, decay: float) -> None:
        super().__init__()
        self.live = net
        self.steady = copy.deepcopy(net).requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, *inputs: Tensor) -> Any:
        """Answer by the live network in training, by the averaged one in evaluation."""
        return self.live(*inputs) if self.training else self.steady(*inputs)

    def train(self, mode: bool = True) -> EMA[Net]:
        """Switch the mode; the averaged network stays in evaluation."""
        super().train(mode)
        self.steady.eval()
        return self

    @torch.no_grad()
    def update(self) -> None:
        """Count a step and let the average follow the live weights; statistics of normalisation are copied."""
        steps = float(self.steps)
        keep = min(self.decay, (steps + 1.0) / (steps + EARLY))
        for old, new in zip(self.steady.parameters(), self.live.parameters(), strict=True):
            old.lerp_(new, 1.0 - keep)
        for kept, present in zip(self.steady.buffers(), self.live.buffers(), strict=True):
            kept.copy_(present)
        self.steps += 1

    def result(self) -> Net:
        """The averaged network."""
        return self.steady
