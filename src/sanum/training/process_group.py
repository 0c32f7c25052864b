"""Several processes that share one training, as torchrun starts them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of one training; alone by default.

    Each takes a part of every batch and the gradients are averaged, so the steps are those that one process
    would take, but for rounding, for what is drawn at random, and for batch statistics.

    Attributes:
        rank: number of this process; the one with 0 is the main process: it alone reports and writes.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def part(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """This process's rows of a batch; a batch with fewer rows than processes goes whole to each."""
        return batch if len(batch) < self.size else batch[self.rank :: self.size]

    def share(self, batch: NDArray[np.float32], part: NDArray[np.float32]) -> float:
        """Weight of this process's `part` of a batch; those of all processes add up to 1."""
        return 1.0 / self.size if len(batch) < self.size else len(part) / len(batch)

    def average_gradients(self, net: nn.Module, share: float) -> None:
        """Sum the gradients of all processes, each times the `share` of the batch that it has seen."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        slopes = [value.grad for value in net.parameters() if value.grad is not None]
        flat = torch.cat([slope.flatten() for slope in slopes]) * share
        distributed.all_reduce(flat)
        parts = torch.split(flat, [slope.numel() for slope in slopes])
        for slope, summed in zip(slopes, parts, strict=True):
            slope.copy_(summed.view_as(slope))

    def share_statistics(self, net: nn.Module) -> None:
        """Give every process the leader's buffers, such as the running means of normalisation."""
        if self.size == 1:
            return
        from torch import distributed

        for value in net.buffers():
            distributed.broadcast(value, 0)

    def mean(self, value: float) -> float:
        """Mean of a number over the processes."""
        if self.size == 1:
            return value
        from torch import distributed

        numbers: list[float] = [0.0] * self.size
        distributed.all_gather_object(numbers, value)
        return sum(numbers) / self.size


@contextlib.contextmanager
def process_group(device: str = "auto") -> Iterator[ProcessGroup]:
    """Join the processes that torchrun started; alone where it did not start this one.

    Args:
        device: of the training; on "cpu", and where there is no CUDA, the processes talk by gloo, else by NCCL.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup()
        return
    import torch

    gpu = device != "cpu" and torch.cuda.is_available()
    if gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield ProcessGroup(int(os.environ["RANK"]), size)
        torch.distributed.barrier()  # one that left early would break off a connection that another still reads
    finally:
        torch.distributed.destroy_process_group()
