"""Training faults of a pair: lesions that one modality shows and the other does not, and pairs that are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from sanum.synthesis.draws import Draws, spread
from sanum.synthesis.kinds import TRAINING_SHAPES
from sanum.synthesis.paints import Brush
from sanum.synthesis.plant import BRIGHTEST, dealt, radius_of
from sanum.synthesis.shapes import cut
from sanum.synthesis.side_paints import PAIR_PAINTS, one_tissue

UNSEEN = 0.06
"""Change, as a share of the full range or of the narrow window it is painted in, that no one can be asked to see."""

DEEP = 0.06
"""Depth below the outline, as a share of the longer side of the slice, at which a deep lesion begins."""

FEWEST = 12.0
"""Voxels of one tissue below which a lesion takes all tissues."""

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
        single: share of the lesions that take one tissue only, drawn for each modality.
        deep: share of the lesions that lie well below the head's outline.
    """

    healthy: float = 0.15
    both: float = 0.2
    foreign: float = 0.2
    missing: float = 0.1
    smallest: float = 0.0025
    largest: float = 0.15
    bright: float = 0.5
    mildest: float = 0.3
    narrow: float = 0.6
    single: float = 0.25
    deep: float = 0.7


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
        Stacks with lesions, and where each modality shows one to a careful eye (N, C, K, I, J) in {0, 1}.
    """
    count, channels = healthy.shape[:2]
    voxels = draws.log_uniform(faults.smallest, faults.largest, count) * brain.flatten(1).sum(1)
    radius, edge = radius_of(voxels, brain), draws.log_uniform(0.05, 0.8, count)
    ill = (~draws.chance(faults.healthy, count)) & (voxels >= 1.0)
    room = _room(brain, draws.chance(faults.deep, count))
    soft, lesion = torch.zeros_like(brain), torch.zeros_like(brain)
    for (shape, _), rows in zip(TRAINING_SHAPES, dealt(TRAINING_SHAPES, ill, draws), strict=True):
        if len(rows):
            level = shape(room[rows], radius[rows], draws)
            soft[rows], lesion[rows] = cut(level, room[rows], voxels[rows], edge[rows])
    severity = draws.uniform(faults.mildest, 1.0, count)
    chosen = draws.choose(torch.ones(channels, device=healthy.device), count)
    shown = draws.chance(faults.both, count)[:, None] | (
        chosen[:, None] == torch.arange(channels, device=healthy.device)
    )
    diseased, planted = healthy.clone(), torch.zeros_like(healthy)
    for channel, width in enumerate(windows):
        here = slice(channel, channel + 1)
        sign = torch.where(draws.chance(faults.bright, count, 1), 1.0, -1.0)
        narrow = draws.chance(faults.narrow, count) & torch.tensor(width > 0.0, device=healthy.device)
        part = soft * _share(healthy[:, here], soft, lesion, draws.chance(faults.single, count), draws)
        for rows, zero, unit in _spaces(shown[:, channel] & ill, narrow, levels[:, channel], width):
            tissue = (healthy[:, here] - spread(zero)) / unit
            painted = _painted(tissue, part, rows, Brush(draws, sign, severity, tissue))
            changed = (painted[rows] * unit + spread(zero)[rows]).clamp(0.0, BRIGHTEST) * brain[rows]
            seen = (changed - healthy[rows, here]).abs() > UNSEEN * unit
            diseased[rows, here], planted[rows, here] = changed, lesion[rows] * seen
    return diseased, planted


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


def _room(brain: Tensor, deep: Tensor) -> Tensor:
    """Where each lesion may lie (N, 1, K, I, J): anywhere, or below the outline where that leaves half of the head."""
    width = 2 * round(DEEP * max(brain.shape[-2:])) + 1
    slices = functional.pad(1.0 - brain.flatten(0, 2)[:, None], [width // 2] * 4, value=1.0)
    wide = functional.max_pool2d(functional.max_pool2d(slices, (width, 1), 1), (1, width), 1)
    inner = 1.0 - wide.view_as(brain)
    enough = inner.flatten(1).sum(1) > 0.5 * brain.flatten(1).sum(1)
    return torch.where(spread(deep & enough), inner, brain)


def _share(images: Tensor, soft: Tensor, lesion: Tensor, single: Tensor, draws: Draws) -> Tensor:
    """Share of each voxel that is painted: all, or that of one tissue where the lesion holds enough of it."""
    share = one_tissue(images, soft, lesion, draws)
    enough = single & ((share * lesion).flatten(1).sum(1) >= FEWEST)
    return torch.where(spread(enough), share, 1.0)


def _painted(tissue: Tensor, soft: Tensor, rows: Tensor, brush: Brush) -> Tensor:
    painted = tissue.clone()
    ill = torch.zeros(len(tissue), dtype=torch.bool, device=tissue.device).index_fill(0, rows, True)
    for (paint, _), some in zip(PAIR_PAINTS, dealt(PAIR_PAINTS, ill, brush.draws), strict=True):
        if len(some):
            painted[some] = paint(tissue[some], soft[some], brush.part(some))
    return painted
