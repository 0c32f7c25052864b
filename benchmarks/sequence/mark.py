"""Mark the gate on real scans: python -m benchmarks.sequence.mark FOLDER… [--store STORE…] (see --help).

Every scan is called by its own name, then by each name that is wrong. FOLDERs hold data sets under the names in
`SETS`. STOREs of the preset template, in which scans were prepared under their own names, tell the tissues of those that
they hold: medians are of the same places whatever a scan is called.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sanum.core.records import Scan
from sanum.core.sequence import OTHER, Looks
from sanum.core.units import MODALITIES
from sanum.formats import read_scan
from sanum.prepare.sequence import recognise
from sanum.prepare.sequence.verdict import (
    ALIKE,
    contradicts,
    is_doubtful,
    tissues_are_odd,
    tissues_contradict,
)
from sanum.prepare.store import Store


@dataclass(frozen=True)
class Set:
    """Scans of one sequence; `taught` and `tuned` say what the eye or its thresholds have seen."""

    name: str
    pattern: str
    sequence: str
    numbers: tuple[int, ...] = ()
    dev: bool = False
    series: str = ""


SETS = (
    Set("nichart 1-8 T1w", "nichart/Subj{}_T1.nii.gz", "T1w", tuple(range(1, 9)), dev=True),
    Set("nichart 1-8 FLAIR", "nichart/Subj{}_FL.nii.gz", "FLAIR", tuple(range(1, 9)), dev=True),
    Set("heads T1w", "heads/*_T1w.nii.gz", "T1w", dev=True),
    Set("heads FLAIR", "heads/*_FLAIR.nii.gz", "FLAIR", dev=True),
    Set("nichart 9-16 T1w", "nichart/Subj{}_T1.nii.gz", "T1w", tuple(range(9, 17))),
    Set("nichart 9-16 FLAIR", "nichart/Subj{}_FL.nii.gz", "FLAIR", tuple(range(9, 17))),
    Set("ds002748 41-60 T1w", "ds002748/sub-{:02d}/anat/*_T1w.nii.gz", "T1w", tuple(range(41, 61))),
    Set("oasis T1w", "oasis/*_SS.nii.gz", "T1w"),
    Set("brats2018 T1w", "brats2018/case_{}/T1.nii.gz", "T1w", tuple(range(7))),
    Set("brats2018 FLAIR", "brats2018/case_{}/FLAIR.nii.gz", "FLAIR", tuple(range(7))),
    Set("mslub T1w", "mslub/*/T1_*.nii.gz", "T1w"),
    Set("mslub T1ce", "mslub/*/T1POST_*.nii.gz", "T1ce"),
    Set("mslub T2w", "mslub/*/T2_*.nii.gz", "T2w"),
    Set("mslub FLAIR", "mslub/*/FLAIR_*.nii.gz", "FLAIR"),
    Set("kirby21 T1w", "kirby21/*MPRAGE*.nii.gz", "T1w"),
    Set("kirby21 T2w", "kirby21/*T2w*.nii.gz", "T2w"),
    Set("kirby21 FLAIR", "kirby21/*FLAIR*.nii.gz", "FLAIR"),
    Set("FNNDSC T1w", "fnndsc_adi/dicom/adi_brain", "T1w", series="5"),
    Set("FNNDSC T2w", "fnndsc_adi/dicom/adi_brain", "T2w", series="6"),
    Set("dcm_qa CT", "dicom/ct-ge-tilted.zip", "CT"),
    Set("dcm_qa perfusion sources", "dicom/mr-enhanced-multiframe.dcm.gz", OTHER, series="1903.1"),
)


@dataclass
class Counts:
    """What became of names right and wrong."""

    scans: int = 0
    known: int = 0
    warned: int = 0
    refused: int = 0
    wrong: int = 0
    wrong_refused: int = 0
    wrong_warned: int = 0
    alike: int = 0
    alike_told: int = 0

    def add(self, truth: str, looks: Looks, ratio: float | None) -> None:
        """Count one scan under all its names."""
        self.scans += 1
        self.known += looks.sequence == truth
        if truth != OTHER:
            refused, doubted = judged(truth, looks, ratio)
            self.refused += refused
            self.warned += doubted and not refused
        for name in MODALITIES:
            if name == truth:
                continue
            refused, doubted = judged(name, looks, ratio)
            if {name, truth} in ALIKE:
                self.alike += 1
                self.alike_told += refused or doubted
                continue
            self.wrong += 1
            self.wrong_refused += refused
            self.wrong_warned += doubted and not refused

    def line(self, name: str) -> str:
        """A row of the table."""
        missed = self.wrong - self.wrong_refused - self.wrong_warned
        return (
            f"| {name} | {self.scans} | {self.known} | {self.warned} | {self.refused} | {self.wrong} | "
            f"{self.wrong_refused} | {self.wrong_warned} | {missed} | {self.alike_told} of {self.alike} |"
        )


def judged(name: str, looks: Looks, ratio: float | None) -> tuple[bool, bool]:
    """Whether a scan called so is refused, and whether it is doubtful; `ratio` of white to grey matter where known."""
    refused, doubted = contradicts(name, looks), is_doubtful(name, looks)
    if ratio is None:
        return refused, doubted
    return refused or tissues_contradict(name, ratio, looks), doubted or tissues_are_odd(name, ratio, looks)


def ratios_in(stores: list[Path]) -> dict[str, float]:
    """White over grey matter by the hash of the scan's file."""
    found = {}
    for store in (Store.open(path) for path in stores):
        for row in store.manifest():
            if row.status != "ready":
                continue
            case = store.load(row.case)
            facts = next(step.facts for step in case.steps if step.name == "quality")[case.modalities[0]]
            if facts["white"] and facts["grey"]:
                found[case.sources[0].sha256] = facts["white"] / facts["grey"]
    return found


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folders", type=Path, nargs="+")
    ask.add_argument("--store", type=Path, nargs="+", default=[], help="prepared under the right names")
    ask.add_argument("--grey-levels", action="store_true", help="scale every scan to 0 to 255 first")
    ask.add_argument("--dev", action="store_true", help="only the sets that thresholds may be chosen on")
    ask.add_argument("--scans", action="store_true", help="a line a scan")
    how = ask.parse_args()
    total, rows, seconds, ratios = Counts(), [], [], ratios_in(how.store)
    for one in SETS:
        if how.dev and not one.dev:
            continue
        counts = Counts()
        for scan in scans_of(one, how.folders):
            shown = _grey(scan) if how.grey_levels else scan
            begun = time.process_time()
            looks = recognise(shown)
            seconds.append(time.process_time() - begun)
            ratio = ratios.get(scan.source.sha256)
            counts.add(one.sequence, looks, ratio)
            total.add(one.sequence, looks, ratio)
            if how.scans:
                told = " ".join(
                    f"{name} {share:.2f}" for name, share in looks.shares.items() if share >= 0.01
                )
                tissues = "" if ratio is None else f" white/grey {ratio:.2f}"
                print(f"{one.name}: {Path(scan.source.path).name}: {told}{tissues}", flush=True)
        if counts.scans:
            rows.append(counts.line(one.name))
    print(
        "| scans | n | recognised | right name: doubtful | surely wrong | wrong names | surely wrong | doubtful | missed "
        "| neighbours told |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    print("\n".join([*rows, total.line("all")]))
    print(f"processor seconds a scan: median {np.median(seconds):.2f}, highest {max(seconds):.2f}")


def scans_of(one: Set, folders: list[Path]) -> Iterator[Scan]:
    """The scans of a set in some folders."""
    patterns = [one.pattern.format(number) for number in one.numbers] or [one.pattern]
    for pattern in patterns:
        for path in sorted({path for folder in folders for path in folder.glob(pattern)}):
            yield read_scan(path, series=one.series) if one.series else read_scan(path)


def _grey(scan: Scan) -> Scan:
    low, high = float(scan.voxels.min()), float(scan.voxels.max())
    levels = np.rint(255 * (scan.voxels - low) / (high - low)).astype(np.float32)
    return replace(scan, voxels=levels)


if __name__ == "__main__":
    main()
