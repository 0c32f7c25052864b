"""CPU seconds of the quality record a scan, beside those of reading it: python benchmarks/quality_cost.py SCAN…

Extracted T1w scans; for whole heads give a mask after a comma: SCAN,MASK.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from sanum.formats import read_mask, read_scan
from sanum.prepare.measures.likeness import likeness
from sanum.prepare.measures.record import measure
from sanum.prepare.steps.brain_mask import extracted_brain, given_brain


def main(arguments: list[str]) -> None:
    print("scan\tvoxels\tread_s\tmeasure_s\tlikeness_s")
    for argument in arguments:
        name, _, mask = argument.partition(",")
        started = time.process_time()
        scan = read_scan(Path(name), "T1w")
        read = time.process_time()
        brain = given_brain(read_mask(Path(mask)), scan) if mask else extracted_brain(scan)
        masked = time.process_time()
        measure(scan, brain, "T1w")
        measured = time.process_time()
        likeness(scan.voxels, brain, scan.grid)
        done = time.process_time()
        seconds = (read - started, measured - masked, done - measured)
        print("\t".join([name, str(scan.voxels.size), *(f"{one:.2f}" for one in seconds)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
