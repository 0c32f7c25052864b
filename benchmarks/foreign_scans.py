"""How well models mark lesions in scans of a kind that they were not made for; the product refuses such scans.

    python -m benchmarks.foreign_scans STORE MODEL... [--sign bright]

For each model, and for brightness and darkness, the average precision in the brain, pooled and a case, with 95 %
intervals of 1,000 bootstraps over subjects (seed 0). The modality and the preparation of the store need not be those of
the model; its grid must suit. `--sign` adds a row a model whose score is weighed by brightness, as `restore`'s setting of
that name does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from sanum.core.records import Prepared
from sanum.core.shipped import find_model
from sanum.core.units import Volume
from sanum.detectors.base import Detector
from sanum.detectors.intensity import Config, Intensity
from sanum.detectors.sign import sign_weight
from sanum.evaluation.metrics import average_precision
from sanum.evaluation.pixels import PixelCounts, average_precisions, choose_edges, count_pixels
from sanum.evaluation.resample import case_weights, interval, weighted_mean
from sanum.model import load
from sanum.prepare.store import Store

Score = Callable[[Prepared], Volume]


def as_if(detector: Detector) -> Score:
    """The detector's map of a case, whatever sequence it shows."""
    return lambda case: detector.score(replace(case, modalities=detector.modalities)).values


def weighed(score: Score, sign: str) -> Score:
    """The map weighed by brightness or darkness."""
    return lambda case: score(case) * sign_weight(case, bright=sign == "bright")


def rows(models: list[Path], cases: list[Prepared], sign: str) -> dict[str, Score]:
    """What is compared, by name."""
    modalities = cases[0].modalities
    found: dict[str, Score] = {}
    for name, config in {"brightness": Config(), "darkness": Config(sign="dark")}.items():
        found[name] = as_if(Intensity(config, modalities).fit(cases, seed=0))
    for path in models:
        score = as_if(load(find_model(path)).detector)
        found[path.stem] = score
        if sign:
            found[f"{path.stem}, {sign}"] = weighed(score, sign)
    return found


def figures(score: Score, cases: list[Prepared]) -> str:
    """One row of the table."""
    inside = [score(case)[case.mask] for case in cases]
    marked = [np.asarray(case.lesion)[case.mask] for case in cases]
    edges = choose_edges(
        np.concatenate([values[::7] for values in inside]),
        np.concatenate([values[lesion] for values, lesion in zip(inside, marked, strict=True)]),
    )
    counts = [count_pixels(values, lesion, edges) for values, lesion in zip(inside, marked, strict=True)]
    pixels = PixelCounts(edges, np.array([one for one, _ in counts]), np.array([one for _, one in counts]))
    weights = case_weights([case.subject for case in cases], 1000, 0)
    pooled = average_precisions(*pixels.pooled())[0]
    low, high = np.nanquantile(average_precisions(*pixels.drawn(weights)), [0.025, 0.975])
    each = np.array([average_precision(v, m) for v, m in zip(inside, marked, strict=True)])
    mean = interval(weighted_mean(each), weights)
    return f"{pooled:.3f} [{low:.3f}, {high:.3f}]\t{mean}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("models", type=Path, nargs="*")
    parser.add_argument("--sign", default="", choices=["", "bright", "dark"])
    given = parser.parse_args()
    store = Store.open(given.store)
    ready = [row.case for row in store.manifest() if row.status == "ready"]
    cases = [case for name in ready if (case := store.load(name)).lesion is not None and case.lesion.any()]
    share = np.mean([case.lesion[case.mask].mean() for case in cases if case.lesion is not None])
    print(f"{given.store.name}: {len(cases)} cases, mean prevalence {share:.4f}")
    print("score\tpooled AP\tAP a case")
    for name, score in rows(given.models, cases, given.sign).items():
        print(f"{name}\t{figures(score, cases)}", flush=True)


if __name__ == "__main__":
    main()
