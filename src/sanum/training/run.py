"""How a training is conducted, apart from what is trained: where to keep checkpoints, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sanum.training.process_group import ProcessGroup


@dataclass(frozen=True)
class Progress:
    """One report from the loop, at the end of each epoch and about once a second within it.

    Attributes:
        epoch: epochs finished.
        epochs: epochs planned.
        loss: running training loss of the epoch.
        validation_loss: of the last finished epoch; None before the first, or without validation.
        images_per_second: training throughput, input included.
        seconds_left: at the present pace.
        epoch_ended: this report closes an epoch.
    """

    epoch: int
    epochs: int
    loss: float
    validation_loss: float | None
    images_per_second: float
    seconds_left: float
    epoch_ended: bool


def _silent(_: Progress) -> None:
    return None


@dataclass(frozen=True)
class Run:
    """Conduct of one training.

    Attributes:
        device: "auto" (CUDA when there is one), "cpu", "cuda", "cuda:1", …
        checkpoint: file that holds weights, optimiser and loop state after each epoch; None keeps nothing.
        resume: go on from `checkpoint` when it is there and was made by the same config, data and seed.
        on_progress: called with each report.
        group: the processes that share the training.
    """

    device: str = "auto"
    checkpoint: Path | None = None
    resume: bool = False
    on_progress: Callable[[Progress], None] = _silent
    group: ProcessGroup = field(default_factory=ProcessGroup)
