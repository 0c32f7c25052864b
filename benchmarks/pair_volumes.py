"""How well a model of CT and MRI tells ill from healthy made pairs, fused and by each modality, as `sanum detect` judges.

    python -m benchmarks.pair_volumes MODEL healthy/cohort.tsv KIND=ill/cohort.tsv … --mri T1w

The tables come from `sanum render MAPS --modality CT,T1w,FLAIR [--lesion KIND --ml 5]`. Beside these kinds, each healthy
pair is judged with another subject's MRI and with its MRI mirrored. Cases are ordered by the fused p-value, among equal
ones by the leading score over its threshold. AUROC with 95 % intervals of 1,000 bootstraps over persons, seed 0.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.judge import finding_level_alpha
from sanum.cohort.table import Row, read_cohort
from sanum.core.shipped import find_model
from sanum.evaluation.rates import rate
from sanum.evaluation.resample import case_weights, interval, weighted_auroc
from sanum.model import Model, load
from sanum.workflow.detect import CaseDetection, detect
from sanum.workflow.each_modality import asked_for_one_head, fuse

Judged = dict[str, CaseDetection]


def judged(model: Model, row: Row, names: Sequence[str]) -> Judged:
    """Each modality of a case by itself."""
    return {
        name: replace(
            detect(model, replace(row, scans={name: row.scans[name]}), reconstruct=False), anomaly_map=None
        )
        for name in names
    }


def fused(model: Model, parts: Judged) -> CaseDetection:
    """As `detect` decides over them."""
    heads, _ = asked_for_one_head(parts)
    return fuse(parts, finding_level_alpha(model.calibrated().rule), heads)


def mirrored(found: CaseDetection) -> CaseDetection:
    """The same verdict on a scan whose left and right are exchanged."""
    assert found.scan is not None
    return replace(found, scan=replace(found.scan, voxels=np.ascontiguousarray(found.scan.voxels[::-1])))


def order(found: CaseDetection) -> float:
    """The higher the more abnormal; the least p-value first, then the score."""
    if found.status == "refused" or found.score is None or found.p_value is None:
        return -2.0
    return -found.p_value + 1e-6 * float(np.tanh(found.score / max(found.threshold or 1.0, 1e-9)))


def line(healthy: Sequence[CaseDetection], ill: Sequence[CaseDetection]) -> dict[str, str | int]:
    """AUROC and how many are called abnormal."""
    scores = np.array([order(one) for one in (*healthy, *ill)])
    abnormal = np.arange(len(scores)) >= len(healthy)
    drawn = case_weights([str(number) for number in range(len(scores))], 1000, 0)
    return {
        "AUROC": str(interval(weighted_auroc(scores, abnormal), drawn)),
        "abnormal": f"{sum(one.status == 'abnormal' for one in ill)} of {len(ill)}",
        "refused": sum(one.status == "refused" for one in ill),
    }


def main() -> None:
    """Print a line a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("healthy", type=Path)
    parser.add_argument("kinds", nargs="+")
    parser.add_argument("--mri", default="T1w")
    given = parser.parse_args()
    model, names = load(find_model(Path(given.model))), ("CT", given.mri)
    rows = read_cohort(given.healthy).rows
    healthy = [judged(model, row, names) for row in rows]
    whole = [fused(model, parts) for parts in healthy]
    alone = {name: [parts[name] for parts in healthy] for name in names}
    alarms = {"fused": whole, **alone}
    print(json.dumps({f"false alarms {name}": _rate(found) for name, found in alarms.items()}), flush=True)
    for kind, found in _mispaired(model, rows, healthy, given.mri).items():
        print(json.dumps({"kind": kind, "n": len(found), "fused": line(whole, found)}), flush=True)
    for kind, _, table in (each.partition("=") for each in given.kinds):
        cases = [judged(model, row, names) for row in read_cohort(Path(table)).rows]
        told: Mapping[str, dict[str, str | int]] = {
            "fused": line(whole, [fused(model, parts) for parts in cases]),
            **{name: line(alone[name], [parts[name] for parts in cases]) for name in names},
        }
        print(json.dumps({"kind": kind, "n": len(cases), **told}), flush=True)


def _mispaired(
    model: Model, rows: Sequence[Row], healthy: Sequence[Judged], mri: str
) -> dict[str, list[CaseDetection]]:
    """With the MRI of the next person of another map, and with the own one mirrored."""
    heads = [row.subject.split("-")[0] for row in rows]
    found: dict[str, list[CaseDetection]] = {"another's MRI": [], "MRI mirrored": []}
    for number, parts in enumerate(healthy):
        order_of_search = [*range(number, len(rows)), *range(number)]
        stranger = next(other for other in order_of_search if heads[other] != heads[number])
        found["another's MRI"].append(fused(model, {**parts, mri: healthy[stranger][mri]}))
        found["MRI mirrored"].append(fused(model, {**parts, mri: mirrored(parts[mri])}))
    return found


def _rate(found: Sequence[CaseDetection]) -> str:
    flags: NDArray[np.bool_] = np.array([one.status == "abnormal" for one in found])
    return str(rate(flags))


if __name__ == "__main__":
    main()
