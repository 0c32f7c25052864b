"""What N4 gains on each scan, and what it costs.

    python -m benchmarks.bias_field SCAN [SCAN ...]

Prints, without and with it, the coefficient of variation of white matter and the coefficient of joint variation of grey
and white matter, (spread of white + spread of grey) / difference of their means (Ganzetti et al., Frontiers in
Neuroinformatics 10, 2016); lower is better for both. Tissue is where the template's share of it is .9 or more; values
are in scanner units on the model grid. Seconds are of processor time.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from sanum.core.grid import Grid
from sanum.core.names import modality_of
from sanum.core.units import Mask, Volume
from sanum.formats import read_scan
from sanum.prepare.channels import sample
from sanum.prepare.placing import on_template
from sanum.prepare.presets import Template
from sanum.prepare.step_log import StepLog
from sanum.prepare.steps.bias import bias_field
from sanum.prepare.steps.brain import find_brain
from sanum.prepare.template import icbm152

PURE = 0.9


def main() -> None:
    """Print one line a scan, then the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scans", nargs="+", type=Path)
    rows = []
    for path in parser.parse_args().scans:
        before, after, strength, seconds = _compare(path)
        rows.append((*before, *after))
        print(
            f"{path.name}\twhite {before[0]:.3f} -> {after[0]:.3f}\tjoint {before[1]:.3f} -> {after[1]:.3f}\t"
            f"strength {strength:.2f}\t{seconds:.1f} s",
            flush=True,
        )
    medians = np.median(rows, axis=0)
    print(
        f"median of {len(rows)}\twhite {medians[0]:.3f} -> {medians[2]:.3f}\tjoint {medians[1]:.3f} -> {medians[3]:.3f}"
    )


def _compare(path: Path) -> tuple[tuple[float, float], tuple[float, float], float, float]:
    modality = modality_of(path) or "T1w"
    config, log = Template((modality,)), StepLog()
    scan = read_scan(path, modality)
    place = on_template(scan, find_brain(scan, None, config.brain, modality).mask, config, log)
    sampled, mask = sample([scan], place, config, log)
    started = time.process_time()
    field = bias_field(sampled[0], mask, place.grid)
    seconds = time.process_time() - started
    low, high = np.percentile(field[mask], (2, 98))
    return (
        _variation(sampled[0], mask, place.grid),
        _variation(sampled[0] / field, mask, place.grid),
        float(high / low),
        seconds,
    )


def _variation(values: Volume, mask: Mask, grid: Grid) -> tuple[float, float]:
    template = icbm152()
    white, grey = (_tissue(values, mask, grid, share >= PURE) for share in (template.white, template.grey))
    joint = (white.std() + grey.std()) / abs(white.mean() - grey.mean())
    return float(white.std() / white.mean()), float(joint)


def _tissue(values: Volume, mask: Mask, grid: Grid, where: Mask) -> np.ndarray:
    index = np.rint(grid.to_voxel(icbm152().grid.to_world(np.argwhere(where)))).astype(int)
    index = index[((index >= 0) & (index < grid.shape)).all(axis=1)]
    i, j, k = index.T
    return values[i, j, k][mask[i, j, k]]


if __name__ == "__main__":
    main()
