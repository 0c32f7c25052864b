"""How many wrong pairs a pair model tells from true ones, by the score that `sanum cohort --pair-model` asks.

    python -m benchmarks.repaired_pairs MODEL STORE [--split calibration]

Of each healthy case of the split: as it is, with the second modality of the next case of somebody else (of the same
plane, where the cases' names end in one), and with the second modality's left and right exchanged (where these lie in
the slices). Told means surprised above the level of the check.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sanum.core.errors import ConfigError
from sanum.core.records import Prepared
from sanum.evaluation.metrics import auroc
from sanum.evaluation.rates import rate
from sanum.model import load
from sanum.prepare.store import Store
from sanum.synthesis.cross_modal import plant_cross
from sanum.workflow.pair_doubts import FUSED, LEVEL, TOLD, pair_surprises

PLANES = ("axial", "coronal", "sagittal")


def main() -> None:
    """Print a line a kind of pair."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=Path)
    parser.add_argument("store", type=Path)
    parser.add_argument("--split", default="test")
    given = parser.parse_args()
    model, store = load(given.model), Store.open(given.store)
    rows = [
        row
        for row in store.manifest()
        if (row.split, row.status, row.label) == (given.split, "ready", "healthy")
    ]
    cases = [store.load(row.case) for row in rows]
    groups = {"true": cases, "re-paired": re_paired(cases), "sides exchanged": exchanged(cases)}
    asked = {
        kind: [pair_surprises(model, case)[FUSED] for case in group]
        for kind, group in groups.items()
        if group
    }
    own = asked["true"]
    for kind, decades in asked.items():
        told = rate(np.array(decades) >= TOLD)
        truth = np.r_[np.zeros(len(own)), np.ones(len(decades))] > 0
        better = "" if kind == "true" else f", AUROC {auroc(np.array([*own, *decades]), truth):.3f}"
        print(
            f"{kind}: told at {LEVEL:g}: {told}{better}; decades {np.min(decades):.1f} to {np.max(decades):.1f}"
        )


def re_paired(cases: Sequence[Prepared]) -> list[Prepared]:
    """Each case with the second modality of the next case of somebody else."""
    found = []
    for number, case in enumerate(cases):
        for other in (*cases[number + 1 :], *cases[:number]):
            if other.subject != case.subject and plane_of(other) == plane_of(case):
                found.append(plant_cross(case, "foreign-slice", case.modalities[1], size=1.0, donor=other))
                break
    return found


def plane_of(case: Prepared) -> str:
    """The plane that the case's name ends in; "" of a volume."""
    ending = case.case.rpartition("_")[2]
    return ending if ending in PLANES else ""


def exchanged(cases: Sequence[Prepared]) -> list[Prepared]:
    """Each case that shows left and right, with those of the second modality exchanged."""
    found = []
    for case in cases:
        try:
            found.append(plant_cross(case, "left-right-swap", case.modalities[1], size=1.0))
        except ConfigError:
            continue
    return found


if __name__ == "__main__":
    main()
