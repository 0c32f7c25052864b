"""Seconds and memory of preparation, a source at a time.

    python -m benchmarks.prepare_sources DATA [--cases 2] [--only nichart]

DATA holds the development scans by source. Each source runs in a process of its own, after the template and the network
were loaded. Seconds are of processor time over all threads, which other work on the machine does not lengthen by
waiting; a machine with two idle cores needs no more wall clock than that. Peak memory is the process's, libraries and
template counted in. Every shown share is a step's part of the time after reading.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import time
from dataclasses import dataclass
from pathlib import Path

from sanum.core.errors import SanumError
from sanum.formats import read_scan
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Preparation, Slices, Template
from sanum.prepare.template import icbm152


@dataclass(frozen=True)
class Kind:
    """Cases of one sort: the files of the first modality, the others by another ending, and the preset."""

    pattern: str
    config: Preparation
    endings: tuple[str, ...] = ("",)


T1, FLAIR, BOTH = Template(("T1w",)), Template(("FLAIR",)), Template(("T1w", "FLAIR"))
KINDS = {
    "nichart T1w": Kind("nichart/Subj?_T1w.nii.gz", T1),
    "nichart T1w+FLAIR": Kind("nichart/Subj?_T1w.nii.gz", BOTH, ("_T1w.nii.gz", "_FLAIR.nii.gz")),
    "heads T1w": Kind("heads/*_T1w.nii.gz", T1),
    "heads FLAIR": Kind("heads/*_FLAIR.nii.gz", FLAIR),
    "dicom T1w": Kind("dicom/mr-t1-and-perfusion.zip", T1),
    "ds002748 T1w": Kind("ds002748/sub-*/anat/*_T1w.nii.gz", T1),
    "oasis T1w": Kind("oasis/*_T1w.nii.gz", T1),
    "brats2018 T1w+FLAIR": Kind("brats2018/*_T1w.nii.gz", BOTH, ("_T1w.nii.gz", "_FLAIR.nii.gz")),
    "mslub T1w+FLAIR": Kind("mslub/*_T1w.nii.gz", BOTH, ("_T1w.nii.gz", "_FLAIR.nii.gz")),
    "lgg-mri FLAIR": Kind("lgg-mri/TCGA_*/*_2?.tif", Slices(("FLAIR",)), ("#2",)),
}


def main() -> None:
    """Print one line a case and one a source."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--cases", type=int, default=2, help="of each source")
    parser.add_argument("--only", default="", help="sources whose names begin so")
    settings = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for name in KINDS:
        if name.startswith(settings.only):
            child = context.Process(target=_source, args=(name, settings.data, settings.cases))
            child.start()
            child.join()


def _source(name: str, data: Path, cases: int) -> None:
    icbm152()
    _load_network()
    kind = KINDS[name]
    spent = []
    for path in sorted(data.glob(kind.pattern))[:cases]:
        started = time.process_time()
        try:
            told = _case(path, kind)
        except SanumError as error:
            told = f"REFUSED {error}"
        spent.append(time.process_time() - started)
        print(f"{name}\t{path.name}\t{spent[-1]:.1f} s\t{told}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}\t{len(spent)} cases\t{max(spent):.1f} s at most\tpeak {peak:.0f} MB", flush=True)


def _load_network() -> None:
    from sanum.prepare.steps import head

    head._network()


def _case(path: Path, kind: Kind) -> str:
    names = [Path(str(path).removesuffix(kind.endings[0]) + ending) for ending in kind.endings]
    if kind.endings[0].startswith("#"):
        names = [path.with_name(path.name + kind.endings[0])]
    scans = {
        modality: read_scan(name, modality)
        for modality, name in zip(kind.config.modalities, names, strict=True)
    }
    case = prepare(scans, kind.config, case="case", subject="case")
    seconds = {}
    for step in case.steps:
        seconds[step.name] = seconds.get(step.name, 0.0) + step.facts["seconds"]
    total = sum(seconds.values())
    route = case.steps[0].facts["route"]
    shares = ", ".join(f"{step} {part / total:.0%}" for step, part in seconds.items() if part > 0.02 * total)
    return f"{route}; {shares}"


if __name__ == "__main__":
    main()
