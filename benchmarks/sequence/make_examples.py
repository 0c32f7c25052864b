"""Make what the eye for sequences is taught on: python -m benchmarks.sequence.make_examples --help.

Only sources that may teach weights which are published: label maps of SynthSeg and SynthSR (Apache-2.0), subjects
1 to 40 of OpenNeuro ds002748 (CC0), one head of py_synthsr (Apache-2.0), and the template that nilearn ships.
"""

from __future__ import annotations

import argparse
import multiprocessing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.sequence.heads import RealScan, phantom, read_head, read_real, real_scan
from benchmarks.sequence.make import Sources, make_bag
from benchmarks.sequence.maps import make_other
from sanum.cohort.table import read_cohort
from sanum.core.sequence import OTHER, SEQUENCES
from sanum.formats import read_scan
from sanum.prepare.sequence.features import SHOWN, features_of
from sanum.prepare.sequence.look import SLICES, shown_to_eye, slice_of
from sanum.prepare.template import icbm152

SHARES = {"T1w": 0.2, "T2w": 0.16, "FLAIR": 0.18, "PDw": 0.1, "T1ce": 0.13, "CT": 0.09, "other": 0.14}
SHORT = 0.12
"""Share of the bags that lack slices at one end, as a short scan does."""

SUBJECTS = 40
"""Of ds002748: the others are for marking."""

PHANTOMS = 6

LEAST_SHOWN = 0.08
"""Share of the field that a slice must show to be a picture of a head."""

SCANNED = 0.25
"""Share of the pictures of FLAIR that were scanned, where such are given."""

_sources: Sources
_pictures: bool
_flair_pictures: list[NDArray[np.float32]]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("out", type=Path)
    ask.add_argument("--labels", type=Path, required=True, help="folder of label maps, .nii.gz at any depth")
    ask.add_argument("--ds002748", type=Path, required=True, help="BIDS folder")
    ask.add_argument("--flair", type=Path, required=True, help="whole-head FLAIR of py_synthsr")
    ask.add_argument(
        "--pictures", action="store_true", help="of one slice each, as exported pictures have it"
    )
    ask.add_argument(
        "--flair-pictures", type=Path, help="cohort table of FLAIR pictures; only its split `train` is taken"
    )
    ask.add_argument("--examples", type=int, default=24000)
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--workers", type=int, default=1)
    how = ask.parse_args()
    global _sources, _pictures, _flair_pictures
    _pictures = how.pictures
    _flair_pictures = _read_pictures(how.flair_pictures) if how.flair_pictures else []
    _sources = _read_sources(how.labels, how.ds002748, how.flair)
    jobs = [(how.seed, number) for number in range(how.examples)]
    with multiprocessing.get_context("fork").Pool(how.workers) as pool:
        made = []
        for one in pool.imap(_one, jobs, chunksize=20):
            made.append(one)
            if len(made) % 1000 == 0:
                print(f"{len(made)} of {how.examples}", flush=True)
    kinds, measures = zip(*made, strict=True)
    np.savez(how.out, measures=np.stack(measures), kinds=np.array(kinds, np.int64))


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
    return Sources(heads, real, [phantom(np.random.default_rng(number)) for number in range(PHANTOMS)])


def _read_pictures(table: Path) -> list[NDArray[np.float32]]:
    rows = [row for row in read_cohort(table).rows if row.split == "train"]
    return [read_scan(row.scans["FLAIR"]).voxels[..., 0] for row in rows]


def _one(job: tuple[int, int]) -> tuple[int, NDArray[np.float32]]:
    """A sequence by its number, and the measures of a bag of its slices."""
    rng = np.random.default_rng(job)
    kind = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    return SEQUENCES.index(kind), features_of(shown_to_eye(_slices(kind, rng))).astype(np.float32)


def _slices(kind: str, rng: np.random.Generator) -> NDArray[np.float32]:
    if _pictures and kind == "FLAIR" and _flair_pictures and rng.random() < SCANNED:
        return slice_of(_flair_pictures[int(rng.integers(len(_flair_pictures)))])
    bag = make_other(_sources, rng) if kind == OTHER else make_bag(kind, _sources, rng)
    if _pictures:
        return _as_picture(bag, rng)
    if rng.random() < SHORT:
        kept = int(rng.integers(2, SLICES))
        return bag[:kept] if rng.random() < 0.7 else bag[-kept:]
    return bag


def _as_picture(bag: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """One of the slices that show enough, windowed as viewers export pictures."""
    scaled = shown_to_eye(bag)[:, 0]
    enough = [number for number, one in enumerate(scaled) if (one > SHOWN).mean() > LEAST_SHOWN]
    plane = bag[int(rng.choice(enough))] if enough else bag[0]
    low, high = np.percentile(plane, (rng.uniform(0.0, 2.0), rng.uniform(97.0, 100.0)))
    window = ((plane - low) / max(float(high - low), 1e-6)).clip(0.0, 1.0)
    return slice_of(np.rint(255.0 * window).astype(np.float32))


if __name__ == "__main__":
    main()
