"""The loss of a network of slices that learns from whole made volumes: many steps from each group of heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from sanum.core.records import MIN_SLICE_VOXELS, Prepared
from sanum.nets.ema import EMA
from sanum.nets.plane_restorer import windows_along
from sanum.synthesis.draws import Draws
from sanum.synthesis.local_lesions import Lesions
from sanum.synthesis.made_volumes import MadeVolume
from sanum.training.device import seeded
from sanum.training.lesion_loss import (
    VALIDATION_SEED,
    LesionBatch,
    average_precision,
    lesion_loss,
)

MakeVolumes: TypeAlias = Callable[[Tensor, Tensor, Lesions, int, Draws], list[MadeVolume]]
"""Volumes of one head: memberships and scan (1 + T, I, J, K), brain (I, J, K), lesions, how many, randomness."""

SHARE_OF_AXES = (0.3, 0.3, 0.4)
"""Part of the windows cut across I, J and K."""


@dataclass(frozen=True)
class Windows:
    """How windows are drawn from made volumes.

    Attributes:
        contrasts: volumes made of each head and pose.
        each: windows taken of each volume.
        batch: windows a step.
        easy_steps: steps over which lesions pass from glaring and large to hardly visible and small.
        margin: voxels left out at both ends of I, where no brain on the template reaches.
    """

    contrasts: int = 4
    each: int = 60
    batch: int = 32
    easy_steps: int = 2500
    margin: int = 16


class VolumeLoss:
    """Cross-entropy and overlap of the lesion, and error of the restored slices, over windows of made volumes.

    `train` takes every error that `batches` gives as a step of its own. In evaluation it gives 1 − average precision
    on a fixed set of made volumes.

    Args:
        make: makes volumes of a head.
        lesions: what they are planted with in the end.
        windows: how windows are drawn.
        sequences: names that the network can be told, in the order of its channels.
    """

    def __init__(
        self, make: MakeVolumes, lesions: Lesions, windows: Windows, sequences: tuple[str, ...]
    ) -> None:
        self.make, self.hardest, self.windows, self.sequences = make, lesions, windows, sequences

    def __call__(self, net: nn.Module, heads: Tensor) -> Tensor:
        """Examine on heads (N, 2 + T, K, I, J): scan, tissues, brain."""
        draws = Draws(VALIDATION_SEED, heads.device)
        volumes = self._volumes(heads, self.hardest, draws)
        found: list[tuple[Tensor, LesionBatch]] = []
        for batch in self._batches(volumes, draws):
            found.append((net(batch.windows)[0].float().flatten(), batch))
        parts = [torch.cat([getattr(e, name).flatten() for _, e in found]) for name in ("lesion", "brain")]
        return 1.0 - average_precision(torch.cat([odds for odds, _ in found]), *parts)

    def batches(self, net: nn.Module, heads: Tensor) -> Iterator[Tensor]:
        """The error of each step that a group of heads gives."""
        assert isinstance(net, EMA)
        draws = Draws(None, heads.device)
        volumes = self._volumes(heads, self.lesions(int(net.steps)), draws)
        for batch in self._batches(volumes, draws):
            net.update()
            log_odds, restored = net(batch.windows)
            yield lesion_loss(log_odds, restored, batch, together=True)

    def made_batches(self, heads: Tensor) -> Iterator[LesionBatch]:
        """Batches of windows of volumes made of heads (N, 2 + T, K, I, J), without an error."""
        draws = Draws(None, heads.device)
        return self._batches(self._volumes(heads, self.hardest, draws), draws)

    def lesions(self, steps: int) -> Lesions:
        """Lesions for the training step `steps`: at first none is missing, small or faint."""
        last, ease = self.hardest, max(0.0, 1.0 - steps / max(self.windows.easy_steps, 1))
        return replace(
            last,
            healthy=last.healthy * (1.0 - ease),
            smallest=min(last.smallest * (1.0 + 19.0 * ease), last.largest),
            mildest=max(last.mildest, 0.6 * ease),
        )

    def _volumes(self, heads: Tensor, lesions: Lesions, draws: Draws) -> list[MadeVolume]:
        made: list[MadeVolume] = []
        margin = self.windows.margin
        with torch.autocast(heads.device.type, enabled=False):
            for head in heads.permute(0, 1, 3, 4, 2):
                inner = head[:, margin : head.shape[1] - margin]
                made += self.make(inner[:-1], inner[-1], lesions, self.windows.contrasts, draws)
        return made

    def _batches(self, volumes: Sequence[MadeVolume], draws: Draws) -> Iterator[LesionBatch]:
        """Batches of windows, each across one axis and from many of the volumes, in a random order."""
        batches: list[tuple[int, list[tuple[int, int]]]] = []
        for axis, share in enumerate(SHARE_OF_AXES):
            drawn = [
                (number, k)
                for number, volume in enumerate(volumes)
                for k in _drawn_slices(volume, axis, round(share * self.windows.each), draws)
            ]
            mixed = [drawn[n] for n in draws.order(len(drawn)).tolist()]
            size = self.windows.batch
            batches += [
                (axis, mixed[start : start + size]) for start in range(0, len(mixed) - size + 1, size)
            ]
        for n in draws.order(len(batches)).tolist():
            yield self._batch(volumes, *batches[n])

    def _batch(
        self, volumes: Sequence[MadeVolume], axis: int, chosen: Sequence[tuple[int, int]]
    ) -> LesionBatch:
        parts: list[tuple[Tensor, ...]] = []
        for number in sorted({number for number, _ in chosen}):
            volume = volumes[number]
            which = torch.tensor([k for other, k in chosen if other == number])
            told = torch.tensor([float(volume.sequence == name) for name in self.sequences])
            aims = [
                part.movedim(axis, 0)[which][:, None]
                for part in (volume.lesion, volume.healthy, volume.brain)
            ]
            parts.append((windows_along(volume.image, axis, which, told), *aims))
        return LesionBatch(*(torch.cat(same) for same in zip(*parts, strict=True)))


@torch.no_grad()
def refresh_statistics(net: nn.Module, loss: VolumeLoss, heads: Sequence[Prepared], *, seed: int) -> None:
    """Take the statistics of batch normalisation anew, over many volumes at once (Wu and Johnson 2021).

    Those of training are an average over the last few steps, which saw a plane or two and a handful of contrasts.

    Args:
        net: a trained network; its weights stay.
        loss: makes the volumes.
        heads: cases of a store of heads.
        seed: of everything drawn.
    """
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    with seeded(seed, torch.device("cpu")):
        stacks = [torch.from_numpy(np.asarray(head.voxels, np.float32)).permute(0, 3, 1, 2) for head in heads]
        for batch in loss.made_batches(torch.stack(stacks)):
            net(batch.windows)
    net.eval()


def _drawn_slices(volume: MadeVolume, axis: int, count: int, draws: Draws) -> list[int]:
    """Numbers of slices with enough brain: half of them with a lesion, large ones rather than small ones."""
    others = tuple(other for other in range(3) if other != axis)
    usable = volume.brain.sum(others) >= MIN_SLICE_VOXELS
    ill = usable * volume.lesion.sum(others).sqrt()
    weights = usable.float() + 1e-9
    if float(ill.sum()) > 0.0:
        weights = usable / usable.sum().clamp_min(1) + ill / ill.sum() + 1e-9
    return draws.choose(weights, count).tolist()
