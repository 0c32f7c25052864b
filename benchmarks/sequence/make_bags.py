"""Make what the eye for sequences is taught on: python -m benchmarks.sequence.make_bags OUT.npz --labels … (see --help).

Only sources that may teach weights which are published: label maps of SynthSeg and SynthSR (Apache-2.0), subjects
1 to 40 of OpenNeuro ds002748 (CC0), one head of py_synthsr (Apache-2.0), and the template that nilearn ships.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sequence.heads import RealScan, read_head, read_real, real_scan
from benchmarks.sequence.make import Sources, make_bag
from sanum.core.sequence import SEQUENCES
from sanum.prepare.sequence.look import shown_to_eye
from sanum.prepare.template import icbm152

SHARES = {"T1w": 0.2, "T2w": 0.16, "FLAIR": 0.18, "PDw": 0.1, "T1ce": 0.13, "CT": 0.09, "other": 0.14}
LEVELS = 200.0
"""Steps from 0 to 1 in which a bag is kept."""

SUBJECTS = 40
"""Of ds002748: the others are for marking."""

_sources: Sources


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("out", type=Path)
    ask.add_argument("--labels", type=Path, required=True, help="folder of label maps, .nii.gz at any depth")
    ask.add_argument("--ds002748", type=Path, required=True, help="BIDS folder")
    ask.add_argument("--flair", type=Path, required=True, help="whole-head FLAIR of py_synthsr")
    ask.add_argument("--bags", type=int, default=6000)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--workers", type=int, default=2)
    how = ask.parse_args()
    global _sources
    _sources = _read_sources(how.labels, how.ds002748, how.flair)
    jobs = [(how.seed, number) for number in range(how.bags)]
    with multiprocessing.get_context("fork").Pool(how.workers) as pool:
        made = []
        for one in pool.imap(_one, jobs, chunksize=20):
            made.append(one)
            if len(made) % 500 == 0:
                print(f"{len(made)} of {how.bags} bags", flush=True)
    kinds, bags = zip(*made, strict=True)
    np.savez(how.out, bags=np.stack(bags), kinds=np.array(kinds, np.int64))


def _read_sources(labels: Path, ds002748: Path, flair: Path) -> Sources:
    heads = [read_head(path) for path in sorted(labels.rglob("*.nii.gz"))]
    subjects = [f"sub-{number:02d}" for number in range(1, SUBJECTS + 1)]
    real: list[RealScan] = [
        read_real(ds002748 / name / "anat" / f"{name}_T1w.nii.gz", "T1w", extracted=True) for name in subjects
    ]
    template = icbm152()
    shown = template.t1 * template.brain
    real.append(real_scan(shown, np.array(template.grid.spacing), "T1w", extracted=True))
    real.append(read_real(flair, "FLAIR", extracted=False))
    return Sources(heads, real)


def _one(job: tuple[int, int]) -> tuple[int, NDArray[np.uint8]]:
    """A sequence by its number, and a bag of its slices as the eye is shown them."""
    rng = np.random.default_rng(job)
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    bag = make_bag(kind, _sources, rng)
    return SEQUENCES.index(kind), np.rint(shown_to_eye(bag) * LEVELS).astype(np.uint8)


if __name__ == "__main__":
    main()
