"""The one training loop. It reads from top to bottom; what differs between methods comes in as `loss`."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.config import config_sha256, formerly
from sanum.core.errors import TrainingError
from sanum.core.records import Prepared
from sanum.training.checkpoint import Identity, load_checkpoint, load_net_arrays, net_arrays, save_checkpoint
from sanum.training.data import Images, Slices, cases_sha256, prefetched, split_subjects
from sanum.training.device import has_bfloat16, pick_device, seeded
from sanum.training.history import History
from sanum.training.run import Progress, Run

REPORT_SECONDS = 1.0
"""Pause between two progress reports within an epoch."""

Loss = Callable[[nn.Module, Tensor], Tensor]
"""What is minimised: (net, images (N, C, I, J) or stacks (N, C, K, I, J)) to a scalar, their mean."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    Attributes:
        epochs: passes over the training slices.
        batch: slices a step.
        learning_rate: of Adam.
        validation_share: part of the subjects kept apart for the validation loss.
        owner: identity of the config that trains; a checkpoint of another is not resumed.
        final_rate: share of the learning rate that is left at the end, reached along half a cosine.
        keep: whose weights stay at the end: the "last" epoch's, or those of the "best" validation loss.
        depth: adjacent slices an image; 0 gives single slices (N, C, I, J), more gives stacks (N, C, K, I, J), and
            `sanum.training.data.WHOLE` whole cases.
        weight_decay: share of each weight taken off a step, times the learning rate (Loshchilov and Hutter 2019).
        max_grad_norm: norm to which a longer gradient is shortened; None leaves every gradient as it is.
    """

    epochs: int
    batch: int
    learning_rate: float
    validation_share: float
    owner: str
    final_rate: float = 1.0
    keep: Literal["last", "best"] = "last"
    depth: int = 0
    weight_decay: float = 0.0
    max_grad_norm: float | None = formerly("steepest", None)

    def rate(self, done: float) -> float:
        """Learning rate when the share `done` of the training lies behind."""
        fall = 0.5 * (1.0 - math.cos(math.pi * min(done, 1.0)))
        return self.learning_rate * (1.0 - (1.0 - self.final_rate) * fall)


def train(
    net: nn.Module, loss: Loss, cases: Sequence[Prepared], schedule: Schedule, *, seed: int, run: Run
) -> History:
    """Train `net` in place by Adam (Kingma and Ba 2015), in bfloat16 where the machine has it.

    The same net, cases, schedule and seed on the same machine and number of threads give the same weights
    to the bit, also when the training was stopped between and resumed from `run.checkpoint`. A group of
    several processes takes the same steps together, see `sanum.training.process_group`.

    Raises:
        TrainingError: no slices, a loss that is not finite, or a checkpoint of another training.
        ConfigError: `run.device` is not there.
        StorageError: the checkpoint can't be written.
    """
    device, group = pick_device(run.device), run.group
    parts = split_subjects(cases, schedule.validation_share, seed)
    training, validation = (Slices.of(part, schedule.depth) for part in parts)
    if len(training) == 0:
        raise TrainingError("no training slice: give at least one healthy case whose mask is not empty")
    nn.utils.convert_conv2d_weight_memory_format(net.to(device), torch.channels_last)
    optimiser = torch.optim.AdamW(
        net.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    identity = Identity(config_sha256(schedule), cases_sha256(cases), seed)
    history, best = History(), _Best(net, schedule.keep)
    if run.resume and run.checkpoint is not None and run.checkpoint.exists():
        history, best.arrays = load_checkpoint(run.checkpoint, identity, net, optimiser)

    planned = max(1, schedule.epochs * len(training))
    for epoch in range(history.epochs, schedule.epochs):
        meter = _Meter(device)
        with seeded(seed, device, epoch, group.rank):
            net.train()
            for images in prefetched(training.shuffled(schedule.batch, seed, epoch)):
                mine = group.part(images)
                _set_rate(optimiser, schedule.rate((history.images + meter.images) / planned))
                for error in _errors(net, loss, mine, device):
                    optimiser.zero_grad()
                    torch.autograd.backward(error)
                    group.average_gradients(net, group.share(images, mine))
                    if schedule.max_grad_norm is not None:
                        nn.utils.clip_grad_norm_(net.parameters(), schedule.max_grad_norm)
                    optimiser.step()
                meter.add(error, len(images))
                if meter.due() and group.is_main:
                    _refuse_divergence(net, meter.loss(), epoch)
                    run.on_progress(_within_epoch(meter, history, schedule, len(training)))
            group.share_statistics(net)
            training_loss, seconds = group.mean(meter.loss()), meter.seconds()
            held_out = _validation_loss(net, loss, validation, schedule.batch, device)
        _refuse_divergence(net, training_loss, epoch)
        history = history.extended(training_loss, held_out, meter.images, seconds)
        best.offer(history)
        if run.checkpoint is not None and group.is_main:
            save_checkpoint(run.checkpoint, identity, history, net, optimiser, best.arrays)
        if group.is_main:
            run.on_progress(_end_of_epoch(history, schedule, len(training)))
    best.restore()
    net.eval()
    return history


def _loss(net: nn.Module, loss: Loss, images: Images, device: torch.device) -> Tensor:
    batch = torch.from_numpy(images).to(device, non_blocking=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
        return loss(net, batch)


def _errors(net: nn.Module, loss: Loss, images: Images, device: torch.device) -> Iterator[Tensor]:
    """The error of each step that a batch gives: one, or as many as the loss makes of it."""
    many = getattr(loss, "batches", None)
    if many is None:
        yield _loss(net, loss, images, device)
        return
    steps = many(net, torch.from_numpy(images).to(device, non_blocking=True))
    while True:
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device)):
            error = next(steps, None)
        if error is None:
            return
        yield error


def _validation_loss(
    net: nn.Module, loss: Loss, validation: Slices, batch: int, device: torch.device
) -> float | None:
    """Mean loss over the validation slices, or None where there are none."""
    if len(validation) == 0:
        return None
    net.eval()
    meter = _Meter(device)
    with torch.no_grad():
        for images in prefetched(validation.batches(batch)):
            meter.add(_loss(net, loss, images, device), len(images))
    return meter.loss()


def _refuse_divergence(net: nn.Module, loss: float, epoch: int) -> None:
    """The last step may have spoilt the weights though the loss before it was finite: look at both."""
    if math.isfinite(loss) and all(bool(value.isfinite().all()) for value in net.parameters()):
        return
    raise TrainingError(
        f"training diverged in epoch {epoch + 1} (loss {loss:g}): lower learning_rate, "
        "and check that the prepared voxels are finite and within 0 to 1"
    )


class _Best:
    """The weights of the epoch with the lowest validation loss, where those are to be kept."""

    def __init__(self, net: nn.Module, keep: Literal["last", "best"]) -> None:
        self.arrays: dict[str, NDArray[Any]] = {}
        self._net, self._wanted = net, keep == "best"

    def offer(self, history: History) -> None:
        """Take the present weights if the last epoch was the best so far."""
        losses = history.validation_loss
        if self._wanted and losses and losses[-1] == min(losses):
            self.arrays = net_arrays(self._net)

    def restore(self) -> None:
        """Put the best weights into the net, where there are any."""
        if self.arrays:
            load_net_arrays(self._net, self.arrays)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


class _Meter:
    """Mean loss and pace since it was made. The sum stays on the device, so that no step waits for it."""

    def __init__(self, device: torch.device) -> None:
        self.images = 0
        self._sum = torch.zeros((), dtype=torch.float64, device=device)
        self._started = self._reported = time.perf_counter()

    def add(self, loss: Tensor, images: int) -> None:
        self._sum += loss.detach() * images
        self.images += images

    def loss(self) -> float:
        return float(self._sum) / self.images

    def seconds(self) -> float:
        return time.perf_counter() - self._started

    def due(self) -> bool:
        now = time.perf_counter()
        if now - self._reported < REPORT_SECONDS:
            return False
        self._reported = now
        return True


def _within_epoch(meter: _Meter, history: History, schedule: Schedule, slices: int) -> Progress:
    pace = meter.images / meter.seconds()
    left = schedule.epochs * slices - history.images - meter.images
    return Progress(
        epoch=history.epochs,
        epochs=schedule.epochs,
        loss=meter.loss(),
        validation_loss=_last(history.validation_loss),
        images_per_second=pace,
        seconds_left=left / pace,
        epoch_ended=False,
    )


def _end_of_epoch(history: History, schedule: Schedule, slices: int) -> Progress:
    pace = history.images_per_second
    return Progress(
        epoch=history.epochs,
        epochs=schedule.epochs,
        loss=history.training_loss[-1],
        validation_loss=_last(history.validation_loss),
        images_per_second=pace,
        seconds_left=(schedule.epochs * slices - history.images) / pace,
        epoch_ended=True,
    )


def _last(values: tuple[float, ...]) -> float | None:
    return values[-1] if values else None
