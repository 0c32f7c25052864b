"""Random numbers for synthesis, so that every made lesion can be made again."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class Draws:
    """Batches of random numbers, from a seed of their own or from torch's present state.

    Args:
        seed: gives the same draws each time; None goes on from torch's global state, as a training does
            whose loop has seeded it.
        device: where the numbers are wanted.
    """

    def __init__(self, seed: int | None = None, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self._generator = None if seed is None else torch.Generator(self.device).manual_seed(seed)

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers between `low` and `high`."""
        share = torch.rand(shape, generator=self._generator, device=self.device)
        return low + (high - low) * share

    def log_uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Numbers between `low` and `high` whose logarithm is uniform: each magnitude is as likely."""
        return self.uniform(math.log(low), math.log(high), *shape).exp()

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""
        return torch.randn(shape, generator=self._generator, device=self.device)

    def integer(self, low: int, high: int) -> int:
        """One whole number from `low` up to and including `high`."""
        drawn = torch.randint(low, high + 1, (1,), generator=self._generator, device=self.device)
        return int(drawn)

    def number(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number between `low` and `high`."""
        return float(self.uniform(low, high, 1))

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens, once."""
        return self.number() < probability

    def pick(self, options: Sequence[tuple[str, float]]) -> str:
        """A name in proportion to its weight."""
        weights = torch.tensor([weight for _, weight in options], device=self.device)
        return options[int(self.choose(weights, 1))][0]

    def chance(self, probability: float, *shape: int) -> Tensor:
        """True with the given probability."""
        return self.uniform(0.0, 1.0, *shape) < probability

    def choose(self, weights: Tensor, count: int) -> Tensor:
        """`count` indices in proportion to `weights`, shape (options,) or (N, options)."""
        return torch.multinomial(weights, count, replacement=True, generator=self._generator)

    def order(self, count: int) -> Tensor:
        """A permutation of `count` indices."""
        return torch.randperm(count, generator=self._generator, device=self.device)


def spread(values: Tensor) -> Tensor:
    """(N,) or (N, C) numbers as (N, C, 1, 1, 1), one a stack and channel; (N,) serves all channels."""
    columns = values if values.dim() == 2 else values[:, None]
    return columns[:, :, None, None, None]
