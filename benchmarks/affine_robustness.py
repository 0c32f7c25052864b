"""Whether the affine finds a brain however its header says that it lies.

    python -m benchmarks.affine_robustness SCAN [SCAN ...] [--rigid 40] [--seed 0] [--only rigid]

Each scan is registered once as it is, then again after its header was perturbed: by random rigid motions up to 30° and
40 mm, by quarter and half turns, and by mirrors along each axis. A run succeeds when the brain comes to lie within 2 mm
of where it lay unperturbed, as the mean over its voxels. A mirrored brain can't come to lie there, because the affine
never mirrors; it is compared with the mirror image of the unperturbed place. A scan must be brain-extracted, or be
given with its brain mask as SCAN=MASK.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation
from scipy.stats import binomtest

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Scan
from sanum.core.units import Affine, Mask
from sanum.formats import read_mask, read_scan
from sanum.prepare.placing import align_to_template
from sanum.prepare.step_log import StepLog
from sanum.prepare.steps.brain_mask import extracted_brain, given_brain

NEAR_MM = 2.0
DEGREES, MILLIMETRES = 30.0, 40.0
MIRROR = np.diag([-1.0, 1.0, 1.0, 1.0])


def perturbations(rigid: int, seed: int) -> list[tuple[str, Affine]]:
    """Kind and (4, 4) world to world: quarter and half turns, mirrors, then random rigid motions."""
    found: list[tuple[str, Affine]] = []
    for axis, name in enumerate("xyz"):
        for degrees in (90, -90, 180):
            found.append(
                (f"turn {name} {degrees}", _rigid(np.deg2rad(degrees) * np.eye(3)[axis], np.zeros(3)))
            )
        mirror = np.eye(4)
        mirror[axis, axis] = -1.0
        found.append((f"mirror {name}", mirror))
    rng = np.random.default_rng(seed)
    for _ in range(rigid):
        directions = rng.standard_normal((2, 3))
        turn, shift = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        angle, length = np.deg2rad(rng.uniform(0, DEGREES)), rng.uniform(0, MILLIMETRES)
        found.append(("rigid", _rigid(angle * turn, length * shift)))
    return found


def _rigid(turn: np.ndarray, shift: np.ndarray) -> Affine:
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    motion[:3, 3] = shift
    return motion


def main() -> None:
    """Print one line a run, then the success rate of each kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("scans", nargs="+")
    parser.add_argument("--rigid", type=int, default=40, help="random rigid motions a scan")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="leave out the kinds that do not begin so")
    settings = parser.parse_args()
    brains = [_read(name) for name in settings.scans]
    usual = [_align(scan, region)[0] for scan, region in brains]
    outcomes: dict[str, list[bool]] = {}
    for kind, motion in perturbations(settings.rigid, settings.seed):
        if not kind.startswith(settings.only):
            continue
        for (scan, region), before in zip(brains, usual, strict=True):
            moved = dataclasses.replace(scan, grid=Grid(scan.grid.shape, motion @ scan.grid.affine))
            wanted = MIRROR @ before if np.linalg.det(motion) < 0 else before
            started = time.process_time()
            error, overlap = _error(moved, region, scan, motion, wanted)
            seconds = time.process_time() - started
            print(
                f"{Path(scan.source.path).name}\t{kind}\t{error:.2f} mm\toverlap {overlap:.3f}\t{seconds:.1f} s",
                flush=True,
            )
            outcomes.setdefault(kind.partition(" ")[0], []).append(error <= NEAR_MM)
    for kind, good in outcomes.items():
        interval = binomtest(sum(good), len(good)).proportion_ci(method="wilson")
        print(
            f"{kind}: {sum(good)} of {len(good)} within {NEAR_MM:g} mm (95 % {interval.low:.3f} to {interval.high:.3f})"
        )


def _read(name: str) -> tuple[Scan, Mask]:
    path, _, mask = name.partition("=")
    scan = read_scan(Path(path), None)
    return scan, given_brain(read_mask(Path(mask)), scan) if mask else extracted_brain(scan)


def _align(scan: Scan, region: Mask) -> tuple[Affine, float]:
    log = StepLog()
    return align_to_template(scan, region, log), log.steps[-1].facts["dice"]


def _error(moved: Scan, region: Mask, scan: Scan, motion: Affine, wanted: Affine) -> tuple[float, float]:
    """Mean distance in mm over the brain, and the overlap with the template; infinite where it was refused."""
    try:
        found, overlap = _align(moved, region)
    except PreparationError:
        return float("inf"), 0.0
    places = scan.grid.to_world(np.argwhere(region)[::101])
    difference = found @ motion - wanted
    return float(np.linalg.norm(places @ difference[:3, :3].T + difference[:3, 3], axis=1).mean()), overlap


if __name__ == "__main__":
    main()
