"""Training faults of a pair: lesions that one modality shows and the other does not, and pairs that are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.kinds import TRAINING_PAINTS, TRAINING_SHAPES
from sanum.synthesis.paints import Brush
from sanum.synthesis.plant import BRIGHTEST, dealt, radius_of
from sanum.synthesis.shapes import cut

LIKEST = 3
"""A foreign slice is one of so many whose outline is likest: an outline alone shall not give it away."""


@dataclass(frozen=True)
class Faults:
    """What a batch of pairs is planted with.

    Attributes:
        healthy: share of the pairs without a lesion.
        both: share of the lesions that every modality shows, each in its own way.
        foreign: share of the pairs one modality of which is another case's.
        missing: share of the pairs that are shown with one modality only.
        smallest: least share of the head that a lesion takes.
        largest: greatest share; sizes are log-uniform.
        bright: share of the lesions brighter than their surroundings, drawn for each modality.
        mildest: least severity, 0 to 1.
        narrow: share of the lesions whose contrast is drawn within the narrow window of a modality that has one.
    """

    healthy: float = 0.25
    both: float = 0.2
    foreign: float = 0.2
    missing: float = 0.1
    smallest: float = 0.0025
    largest: float = 0.15
    bright: float = 0.5
    mildest: float = 0.1
    narrow: float = 0.6


def plant_one_sided(
    healthy: Tensor, brain: Tensor, levels: Tensor, windows: Sequence[float], faults: Faults, draws: Draws
) -> tuple[Tensor, Tensor]:
    """Plant lesions of the training kinds in one modality of each pair, or in both.

    Args:
        healthy: stacks of slices (N, C, K, I, J) in [0, 1].
        brain: (N, 1, K, I, J) in {0, 1}.
        levels: (N, C), intensity at the middle of each modality's narrow window.
        windows: width of each modality's window, 0 for none.
        faults: how often, how large, how visible.
        draws: source of randomness.

    Returns:
        Stacks with lesions, and where each modality shows one (N, C, K, I, J) in {0, 1}.
    """
    count, channels = healthy.shape[:2]
    voxels = draws.log_uniform(faults.smallest, faults.largest, count) * brain.flatten(1).sum(1)
    radius, edge = radius_of(voxels, brain), draws.log_uniform(0.05, 0.8, count)
    ill = (~draws.chance(faults.healthy, count)) & (voxels >= 1.0)
    soft, lesion = torch.zeros_like(brain), torch.zeros_like(brain)
    for (shape, _), rows in zip(TRAINING_SHAPES, dealt(TRAINING_SHAPES, ill, draws), strict=True):
        if len(rows):
            level = shape(brain[rows], radius[rows], draws)
            soft[rows], lesion[rows] = cut(level, brain[rows], voxels[rows], edge[rows])
    severity = draws.uniform(faults.mildest, 1.0, count)
    chosen = draws.choose(torch.ones(channels, device=healthy.device), count)
    shown = draws.chance(faults.both, count)[:, None] | (
        chosen[:, None] == torch.arange(channels, device=healthy.device)
    )
    diseased = healthy.clone()
    for channel, width in enumerate(windows):
        sign = torch.where(draws.chance(faults.bright, count, 1), 1.0, -1.0)
        narrow = draws.chance(faults.narrow, count) & torch.tensor(width > 0.0, device=healthy.device)
        for rows, zero, unit in _spaces(shown[:, channel] & ill, narrow, levels[:, channel], width):
            tissue = (healthy[:, channel : channel + 1] - spread(zero)) / unit
            brush = Brush(draws, sign, severity, tissue)
            painted = _painted(tissue, soft, rows, brush)
            diseased[rows, channel : channel + 1] = painted[rows] * unit + spread(zero)[rows]
    planted = lesion * shown[:, :, None, None, None]
    return diseased.clamp(0.0, BRIGHTEST) * brain, planted


def mispair(pairs: Tensor, share: float, draws: Draws) -> tuple[Tensor, Tensor]:
    """Replace one modality of some pairs by that of another case with a like outline.

    Args:
        pairs: (N, C, K, I, J), zero outside the head.
        share: of the pairs.
        draws: source of randomness.

    Returns:
        The pairs, and which of them are none (N,) in {0, 1}.
    """
    count, channels = pairs.shape[:2]
    wrong = draws.chance(share, count) & torch.tensor(count > LIKEST and channels > 1, device=pairs.device)
    mixed = pairs.clone()
    if bool(wrong.any()):
        outline = (pairs.amax(1) > 0).flatten(1).float()
        shared = outline @ outline.T
        size = outline.sum(1)
        alike = shared / (size[:, None] + size[None] - shared).clamp_min(1.0)
        alike.fill_diagonal_(-1.0)
        nearest = alike.topk(LIKEST, dim=1).indices
        for row in torch.nonzero(wrong)[:, 0].tolist():
            donor = int(nearest[row, draws.integer(0, LIKEST - 1)])
            channel = draws.integer(0, channels - 1)
            mixed[row, channel] = pairs[donor, channel]
    return mixed, wrong.float()


def _spaces(
    shown: Tensor, narrow: Tensor, levels: Tensor, width: float
) -> Iterator[tuple[Tensor, Tensor, float]]:
    """Rows painted over the full range, then those within the narrow window; zero and unit of each space."""
    wide_rows = torch.nonzero(shown & ~narrow)[:, 0]
    if len(wide_rows):
        yield wide_rows, torch.zeros_like(levels), 1.0
    narrow_rows = torch.nonzero(shown & narrow)[:, 0]
    if len(narrow_rows):
        yield narrow_rows, levels - 0.5 * width, width


def _painted(tissue: Tensor, soft: Tensor, rows: Tensor, brush: Brush) -> Tensor:
    painted = tissue.clone()
    ill = torch.zeros(len(tissue), dtype=torch.bool, device=tissue.device).index_fill(0, rows, True)
    for (paint, _), some in zip(TRAINING_PAINTS, dealt(TRAINING_PAINTS, ill, brush.draws), strict=True):
        if len(some):
            painted[some] = paint(tissue[some], soft[some], brush.part(some))
    return painted
