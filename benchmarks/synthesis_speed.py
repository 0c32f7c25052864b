"""Targets a second from made volumes against those from stacks of slices, on one thread, in one run.

    python -m benchmarks.synthesis_speed HEADS [rounds]

HEADS is a store of heads (`sanum tissues`). Both make what a network learns from and no more: the rival is the synthesis
of `restore-volume`, five stacks of four targets a batch. Ratios are of processor time; the two take turns.
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from sanum.core.modalities import MRI_SEQUENCES
from sanum.detectors.recipes import resolve_recipe
from sanum.prepare.store import Store
from sanum.synthesis.draws import Draws
from sanum.synthesis.made_volumes import Plan, make_volumes
from sanum.training.lesion_loss import LesionPlan, make_batch
from sanum.training.volume_loss import VolumeLoss, Windows


def stacks_a_second(scans: torch.Tensor, batches: int) -> float:
    """Targets a processor second of `restore-volume`'s synthesis, from scans (N, 1, K, I, J)."""
    config = resolve_recipe("restore-volume", {}).config
    plan = LesionPlan(config.lesions, config.augmentation, config.context, config.easy_steps)
    depth, targets, draws = config.targets + 2 * config.context, 0, Draws(0)
    started = time.process_time()
    for batch in range(batches):
        first = 20 + 6 * batch % (scans.shape[2] - 40)
        stacks = scans[: config.batch, :, first : first + depth]
        targets += len(make_batch(stacks, plan, plan.lesions, draws).windows)
    return targets / (time.process_time() - started)


def volumes_a_second(heads: torch.Tensor) -> float:
    """Targets a processor second of made volumes, from heads (N, C, K, I, J)."""
    plan, targets = Plan(), 0
    loss = VolumeLoss(partial(make_volumes, plan), plan.lesions, Windows(), MRI_SEQUENCES)
    started = time.process_time()
    for batch in loss.made_batches(heads):
        targets += len(batch.windows)
    return targets / (time.process_time() - started)


def main(folder: str, rounds: int) -> None:
    torch.set_num_threads(1)
    store = Store.open(Path(folder))
    rows = [row for row in store.manifest() if row.status == "ready" and row.site != "label map"][:5]
    cases = [store.load(row.case) for row in rows]
    heads = torch.from_numpy(np.stack([np.moveaxis(np.asarray(c.voxels, np.float32), 3, 1) for c in cases]))
    pairs = [(stacks_a_second(heads[:, :1], 12), volumes_a_second(heads)) for _ in range(rounds)]
    old, new = (max(column) for column in zip(*pairs, strict=True))
    ratios = sorted(after / before for before, after in pairs)
    print(f"restore-volume {old:.0f} targets/s, multi-contrast {new:.0f} targets/s, best of {rounds} rounds")
    print(
        f"ratio, median of the rounds: {ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3)
