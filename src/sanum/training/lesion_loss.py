"""What a `restore` network is taught with: healthy stacks in, varied, planted with lesions, and scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sanum.nets.ema import EMA
from sanum.synthesis.augmentation import (
    Augmentation,
    aged,
    imaged,
    moved,
    of_another_sequence,
    recontrasted,
)
from sanum.synthesis.draws import Draws
from sanum.synthesis.plant import Mixture, plant_mixture

VALIDATION_SEED = 20
"""Seed of the lesions that choose the best epoch: the same for every epoch and every model."""

OVERLAP_WEIGHT, RESTORE_WEIGHT = 0.5, 3.0
"""Weights of the overlap and restoration losses beside the cross-entropy."""


@dataclass(frozen=True)
class LesionPlan:
    """What is taught.

    Attributes:
        lesions: what is planted.
        augmentation: how healthy scans are varied.
        context: slices that the network sees on each side of its target.
        easy_steps: steps over which lesions pass from glaring and large to hardly visible and small.
        channel_dropout: chance that a channel is missing from a window, never all of them.
    """

    lesions: Mixture
    augmentation: Augmentation
    context: int
    easy_steps: int
    channel_dropout: float = 0.0


@dataclass(frozen=True, eq=False)
class LesionBatch:
    """One batch to learn from.

    Attributes:
        windows: what the network sees, with lesions: (N, C, 2·context + 1, I, J), or whole stacks.
        lesion: (N, 1, I, J) in {0, 1}.
        restored: (N, C, I, J), the middle slices without lesion and noise.
        brain: (N, 1, I, J) in {0, 1}; nothing else is scored.
    """

    windows: Tensor
    lesion: Tensor
    restored: Tensor
    brain: Tensor


@torch.no_grad()
def make_batch(stacks: Tensor, plan: LesionPlan, mixture: Mixture, draws: Draws) -> LesionBatch:
    """Make a batch of healthy stacks (N, C, K, I, J), K > 2·context; every inner slice is a target."""
    whole = make_whole_batch(stacks, plan, mixture, draws)
    windows = whole.windows.unfold(2, 2 * plan.context + 1, 1).movedim(-1, 3)
    targets = slice(plan.context, stacks.shape[2] - plan.context)
    return LesionBatch(
        without_channels(windows.transpose(1, 2).flatten(0, 1), plan.channel_dropout, draws),
        *(_slices(part[:, :, targets]) for part in (whole.lesion, whole.restored, whole.brain)),
    )


@torch.no_grad()
def make_whole_batch(stacks: Tensor, plan: LesionPlan, mixture: Mixture, draws: Draws) -> LesionBatch:
    """Make a batch whose windows are whole stacks (N, C, K, I, J); its other parts have K as well."""
    healthy, brain = moved(stacks, brain_of(stacks), plan.augmentation, draws)
    healthy = aged(healthy, brain, plan.augmentation, draws)
    healthy = of_another_sequence(healthy, plan.augmentation, draws)
    diseased, lesion = plant_mixture(healthy, brain, mixture, draws)
    channels = healthy.shape[1]
    both = recontrasted(torch.cat([diseased, healthy], dim=1), plan.augmentation, draws)
    scanned, restored = imaged(both[:, :channels], both[:, channels:], brain, plan.augmentation, draws)
    return LesionBatch(scanned, lesion, restored, brain)


BatchMaker = Callable[[Tensor, LesionPlan, Mixture, Draws], LesionBatch]


class LesionLoss:
    """The loss of a training: cross-entropy and overlap of the lesion, and error of the restored slice.

    In evaluation it gives 1 − average precision on a fixed set of synthetic lesions instead.

    Args:
        plan: what is taught.
        make: makes a batch of healthy stacks; `make_batch` for networks that see windows of slices.
    """

    def __init__(self, plan: LesionPlan, make: BatchMaker = make_batch) -> None:
        self.plan = plan
        self._make = make

    def __call__(self, net: nn.Module, stacks: Tensor) -> Tensor:
        """Teach, or examine, on healthy stacks (N, C, K, I, J). `net` is an `EMA` restorer."""
        assert isinstance(net, EMA)
        if not net.training:
            batch = self._batch(stacks, self.plan.lesions, Draws(VALIDATION_SEED, stacks.device))
            log_odds, _ = net(batch.windows)
            return 1.0 - average_precision(log_odds, batch.lesion, batch.brain)
        net.update()
        mixture = self.mixture(int(net.steps))
        batch = self._batch(stacks, mixture, Draws(None, stacks.device))
        log_odds, restored = net(batch.windows)
        return lesion_loss(log_odds, restored, batch)

    def _batch(self, stacks: Tensor, mixture: Mixture, draws: Draws) -> LesionBatch:
        """Synthesis needs float32: bfloat16 can't tell neighbouring voxels' positions apart."""
        with torch.autocast(stacks.device.type, enabled=False):
            return self._make(stacks, self.plan, mixture, draws)

    def mixture(self, steps: int) -> Mixture:
        """Lesions for the training step `steps`: at first none is missing, small or faint."""
        last, ease = self.plan.lesions, max(0.0, 1.0 - steps / max(self.plan.easy_steps, 1))
        return replace(
            last,
            healthy=last.healthy * (1.0 - ease),
            smallest=min(last.smallest * (1.0 + 9.0 * ease), last.largest),
            mildest=max(last.mildest, 0.6 * ease),
        )


def without_channels(windows: Tensor, chance: float, draws: Draws) -> Tensor:
    """Windows (N, C, ...) with each channel set to 0 by chance, as a missing modality is given; never all of them."""
    if chance == 0.0 or windows.shape[1] == 1:
        return windows
    missing = draws.chance(chance, *windows.shape[:2])
    missing = missing & ~missing.all(dim=1, keepdim=True)
    return windows.masked_fill(missing[:, :, None, None, None], 0.0)


def lesion_loss(log_odds: Tensor, restored: Tensor, batch: LesionBatch, *, together: bool = False) -> Tensor:
    """Mean over the brain of the cross-entropy, + soft Dice loss (Milletari et al. 2016), + squared error of the
    restored slice.

    Dice is taken of each slice with a lesion, or `together` of the whole batch: where many lesions are small, which
    nothing can overlap at first, slice by slice would teach silence.
    """
    lesion, brain = batch.lesion, batch.brain
    size = brain.sum().clamp_min(1.0)
    entropy = functional.binary_cross_entropy_with_logits(log_odds, lesion, reduction="none")
    chance = log_odds.sigmoid() * brain
    slices = 0 if together else 1
    hit, total, marked = (part.flatten(slices).sum(-1) for part in (chance * lesion, chance + lesion, lesion))
    ill = torch.ones_like(hit) if together else (marked > 0).float()
    overlap = ((1.0 - (2.0 * hit + 1.0) / (total + 1.0)) * ill).sum() / ill.sum().clamp_min(1.0)
    error = ((restored - batch.restored).square().mean(1, keepdim=True) * brain).sum() / size
    return (entropy * brain).sum() / size + OVERLAP_WEIGHT * overlap + RESTORE_WEIGHT * error


def average_precision(score: Tensor, lesion: Tensor, brain: Tensor) -> Tensor:
    """Average precision over the brain; 0 where there is no lesion."""
    inside = brain > 0.5
    order = score[inside].float().sort(descending=True).indices
    hits = lesion[inside][order]
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1, device=hits.device)
    return (precision * hits).sum() / hits.sum().clamp_min(1.0)


def brain_of(stacks: Tensor) -> Tensor:
    """Brain (N, 1, K, I, J) in {0, 1} of prepared stacks, which are 0 outside; single black voxels are inside."""
    shown = (stacks.amax(1) > 0).float().flatten(0, 1)[:, None]
    grown = functional.max_pool2d(shown, 3, 1, 1)
    return (-functional.max_pool2d(-grown, 3, 1, 1)).view(len(stacks), 1, *stacks.shape[2:])


def _slices(stacks: Tensor) -> Tensor:
    """(N, C, K, I, J) to (N·K, C, I, J)."""
    return stacks.transpose(1, 2).flatten(0, 1)
