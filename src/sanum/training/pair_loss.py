"""What a `cross-modal` network is taught with: registered pairs, varied together, spoilt on one side, and scored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from sanum.nets.cross_modal import Reading
from sanum.nets.ema import EMA
from sanum.nets.views import tissue_level
from sanum.synthesis.augmentation import Augmentation, imaged, moved
from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.one_sided import Faults, mispair, plant_one_sided
from sanum.synthesis.plant import BRIGHTEST
from sanum.training.lesion_loss import VALIDATION_SEED, brain_of

OWN_WEIGHT, CROSS_WEIGHT, AGREE_WEIGHT = 30.0, 1.0, 0.5
"""Weights of own reconstruction, cross likelihood and agreement."""

TEMPERATURE = 0.1
"""Of the contrastive loss."""


@dataclass(frozen=True)
class PairPlan:
    """What is taught.

    Attributes:
        faults: what is planted.
        augmentation: how healthy pairs are varied; pose and form are the same in all modalities.
        windows: width of each modality's narrow window, 0 for none; one with a window has a fixed scale, and
            only noise and a small gain are varied.
        misregistration: greatest shift between modalities that still counts as healthy, in pixels.
    """

    faults: Faults
    augmentation: Augmentation
    windows: tuple[float, ...]
    misregistration: float


@dataclass(frozen=True, eq=False)
class PairBatch:
    """One batch to learn from; images (N, M, I, J).

    Attributes:
        spoilt: pairs with lesions, some of them mispaired or short of a modality.
        at_odds: (N, M, I, J) in {0, 1}, where each modality shows a lesion.
        mispaired: (N,) in {0, 1}.
        present: (N, M) in {0, 1}.
        brain: (N, 1, I, J) in {0, 1}.
    """

    spoilt: Tensor
    at_odds: Tensor
    mispaired: Tensor
    present: Tensor
    brain: Tensor


@torch.no_grad()
def make_pair_batch(images: Tensor, plan: PairPlan, faults: Faults, draws: Draws) -> PairBatch:
    """Make a batch of healthy registered images (N, M, I, J) in [0, 1]."""
    stacks = images[:, :, None]
    brain = brain_of(stacks)
    healthy, brain = moved(stacks, brain, plan.augmentation, draws)
    healthy = misregistered(healthy, plan.misregistration, draws)
    levels = torch.stack([tissue_level(each[:, 0]) for each in healthy.unbind(1)], dim=1)
    spoilt, at_odds = plant_one_sided(healthy, brain, levels, plan.windows, faults, draws)
    scanned = _scanned(spoilt, brain, plan, draws)
    scanned, mispaired = mispair(scanned, faults.foreign, draws)
    present = _present(len(scanned), scanned.shape[1], faults.missing, draws)
    seen = present[:, :, None, None]
    return PairBatch(scanned[:, :, 0] * seen, at_odds[:, :, 0] * seen, mispaired, present, brain[:, :, 0])


def misregistered(pairs: Tensor, reach: float, draws: Draws) -> Tensor:
    """Every modality but the first shifted by up to `reach` pixels and turned a little."""
    count, channels, _, *plane = pairs.shape
    shifted = [pairs[:, :1]]
    for channel in range(1, channels):
        turn = 0.01 * reach * draws.uniform(-1.0, 1.0, count)
        shift = reach * draws.uniform(-1.0, 1.0, count, 2) * 2.0 / torch.tensor(plane[::-1])
        rows = [torch.stack([turn.cos(), -turn.sin(), shift[:, 0]], 1)]
        rows += [torch.stack([turn.sin(), turn.cos(), shift[:, 1]], 1)]
        grid = functional.affine_grid(torch.stack(rows, 1), [count, 1, *plane], align_corners=False)
        moved_ = functional.grid_sample(pairs[:, channel], grid, padding_mode="zeros", align_corners=False)
        shifted.append(moved_[:, None])
    return torch.cat(shifted, dim=1)


class PairLoss:
    """The loss of a training; validation takes the same on variations and faults that are fixed."""

    def __init__(self, plan: PairPlan) -> None:
        self.plan = plan

    def __call__(self, net: nn.Module, images: Tensor) -> Tensor:
        """Teach, or examine, on healthy pairs (N, M, I, J). `net` is an `EMA` `CrossModal`."""
        assert isinstance(net, EMA)
        draws = Draws(None if net.training else VALIDATION_SEED, images.device)
        if net.training:
            net.update()
        with torch.autocast(images.device.type, enabled=False):
            batch = make_pair_batch(images, self.plan, self.plan.faults, draws)
        return pair_loss(net(batch.spoilt, batch.present), batch)


def pair_loss(reading: Reading, batch: PairBatch) -> Tensor:
    """Own error, cross likelihood and agreement, where nothing was planted, in true pairs only."""
    images, present = batch.spoilt, batch.present
    untouched = batch.brain * (batch.at_odds.amax(1, keepdim=True) < 0.5)
    untouched = untouched * (1.0 - batch.mispaired)[:, None, None, None]
    total = OWN_WEIGHT * within(untouched * present[:, :, None, None], (reading.own - images).square())
    if images.shape[1] > 1:
        whole = untouched * present.prod(1)[:, None, None, None]
        likelihood = 0.5 * reading.residuals(images).square() + reading.log_spread
        total = total + CROSS_WEIGHT * within(whole, likelihood)
        total = total + AGREE_WEIGHT * agreement_loss(reading, whole)
    return total


def agreement_loss(reading: Reading, brain: Tensor) -> Tensor:
    """Contrastive loss (van den Oord et al. 2018): at each cell a case's latents know their partner's among others'."""
    cells = functional.adaptive_avg_pool2d(
        brain, (reading.latents.shape[3], reading.latents.shape[4])
    ).flatten(1)
    one, *rest = functional.normalize(reading.latents, dim=2).flatten(3)
    names = torch.arange(len(one), device=one.device)[None].expand(cells.shape[1], -1)
    losses = []
    for other in rest:
        alike = torch.einsum("ncp,mcp->pnm", one, other) / TEMPERATURE
        for table in (alike, alike.transpose(1, 2)):
            each = functional.cross_entropy(table.flatten(0, 1), names.flatten(), reduction="none")
            losses.append((each.view_as(names) * cells.T).sum() / cells.sum().clamp_min(1.0))
    return torch.stack(losses).mean()


def within(weight: Tensor, values: Tensor) -> Tensor:
    """Weighted mean over a batch (N, M, I, J); the weight may lack the modalities."""
    weight = weight.expand_as(values)
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def _scanned(spoilt: Tensor, brain: Tensor, plan: PairPlan, draws: Draws) -> Tensor:
    """Each modality as another scanner would give it; one of fixed scale, as CT, with a little gain and fine noise."""
    shown = []
    for channel, width in enumerate(plan.windows):
        one = spoilt[:, channel : channel + 1]
        if width <= 0.0:
            shown.append(imaged(one, one, brain, plan.augmentation, draws)[0])
            continue
        gain = spread(draws.uniform(0.96, 1.04, len(one)))
        noise = 0.1 * spread(plan.augmentation.noise * draws.uniform(0.0, 1.0, len(one)))
        noisy = (one * gain + noise * draws.normal(*one.shape)).clamp(0.0, BRIGHTEST)
        shown.append(noisy * (one > 0.0) * brain)
    return torch.cat(shown, dim=1)


def _present(count: int, channels: int, share: float, draws: Draws) -> Tensor:
    present = torch.ones(count, channels, device=draws.device)
    if channels > 1:
        lost = draws.chance(share, count)
        which = draws.choose(torch.ones(channels, device=draws.device), count)
        present[lost, which[lost]] = 0.0
    return present
