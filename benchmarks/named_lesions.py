"""How well the network of a `multi-contrast` model marks lesions that have a name, in volumes made of heads it never saw.

    python -m benchmarks.named_lesions HEADS [--model sanum-brain] [--volumes 2] [--seed 900]

HEADS is a store of `sanum tissues`; its heads outside the split `train` are taken in turn. Each kind is planted once
in each of so many volumes of each sequence (T1w as scanned where the head has a scan), severity .3 to 1. The network is
judged without experts. Found is a lesion whose highest score lies above that of all but .1 % of the voxels without
lesion of the same sequence. Prints, for each kind, the mean average precision of a case in all and by sequence, and how
many were found.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sanum.core.modalities import MRI_SEQUENCES
from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.detectors.multi_contrast import MultiContrast
from sanum.detectors.stored import read_detector
from sanum.evaluation.pixels import average_precisions, choose_edges, count_pixels
from sanum.prepare.store import Store
from sanum.synthesis.draws import Draws
from sanum.synthesis.made_volumes import Mix, Plan, make_volumes
from sanum.synthesis.named_lesions import NAMED, plant_named

MILDEST = 0.3
QUIETER = 0.999
"""Share of the voxels without lesion that lie below what counts as found."""


def network_of(source: str) -> MultiContrast:
    """The detector of a model, without experts."""
    found = read_detector(find_model(Path(source))).detector
    assert isinstance(found, MultiContrast)
    alone = MultiContrast(replace(found.config, experts=()), found.modalities)
    alone.net_ = found.net_
    return alone


def planted(head: Prepared, kind: str, sequence: str, seed: int) -> Prepared:
    """A made scan of a head with one lesion."""
    draws, voxels = Draws(seed), torch.from_numpy(np.asarray(head.voxels, np.float32))
    severity = draws.number(MILDEST, 1.0)

    def plant(
        image: Tensor, tissues: Tensor, brain: Tensor, contrast: str, draws: Draws
    ) -> tuple[Tensor, Tensor]:
        return plant_named(image, tissues, brain, kind, contrast, severity=severity, draws=draws)

    made = tuple(float(sequence == one) for one in MRI_SEQUENCES)
    plan = Plan(mix=Mix(scanned=1e6 * made[0], made=made, free=0.0))
    (volume,) = make_volumes(plan, voxels[:-1], voxels[-1], plan.lesions, 1, draws, plant)
    return replace(
        head,
        voxels=np.ascontiguousarray(volume.image.numpy()[None], np.float32),
        mask=volume.brain.numpy() > 0.5,
        modalities=(sequence,),
        lesion=volume.lesion.numpy() > 0.5,
    )


def judged(
    detector: MultiContrast, heads: Sequence[Prepared], sequence: str, volumes: int, seed: int
) -> list[tuple[str, NDArray[np.float32], NDArray[np.bool_]]]:
    """Kind, scores and lesion within the mask of each case of a sequence, where there was room for a lesion."""
    cases = []
    for number, kind in enumerate(NAMED):
        for volume in range(volumes):
            drawn = seed + 100 * number + 10 * volume + MRI_SEQUENCES.index(sequence)
            case = planted(heads[drawn % len(heads)], kind, sequence, drawn)
            assert case.lesion is not None
            if case.lesion.any():
                cases.append((kind, detector.score(case).values[case.mask], case.lesion[case.mask]))
    return cases


def precision(scores: NDArray[np.float32], lesion: NDArray[np.bool_]) -> float:
    """Average precision of the voxels of a case."""
    edges = choose_edges(scores[::7], scores[lesion])
    highest_first = [counts[None, ::-1] for counts in count_pixels(scores, lesion, edges)]
    return float(average_precisions(*highest_first)[0])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("heads", type=Path)
    parser.add_argument("--model", default="sanum-brain")
    parser.add_argument("--volumes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=900)
    given = parser.parse_args()
    torch.set_num_threads(1)
    store, detector = Store.open(given.heads), network_of(given.model)
    rows = [row for row in store.manifest() if row.status == "ready" and row.split != "train"]
    heads = [store.load(row.case) for row in rows]
    figures: dict[str, dict[str, list[tuple[float, bool]]]] = {kind: {} for kind in NAMED}
    for sequence in MRI_SEQUENCES:
        cases = judged(detector, heads, sequence, given.volumes, given.seed)
        limit = float(
            np.quantile(np.concatenate([scores[~lesion][::5] for _, scores, lesion in cases]), QUIETER)
        )
        for kind, scores, lesion in cases:
            figure = precision(scores, lesion), bool(scores[lesion].max() > limit)
            figures[kind].setdefault(sequence, []).append(figure)
    for kind, by_sequence in figures.items():
        every = [one for found in by_sequence.values() for one in found]
        each = " ".join(
            f"{name} {np.mean([ap for ap, _ in found]):.3f}" for name, found in by_sequence.items()
        )
        found = sum(one for _, one in every)
        print(f"{kind:17} AP {np.mean([ap for ap, _ in every]):.3f} ({each}); found {found} of {len(every)}")


if __name__ == "__main__":
    main()
