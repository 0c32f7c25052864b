"""The brain mask of whole heads: deepbet's own code against sanum's way through the same networks, in turns.

    OMP_NUM_THREADS=1 python -m benchmarks.mask_speed HEAD_T1w.nii.gz …

Prints processor seconds of each, Dice of the two masks, and the voxels that differ. Both are warm.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path

import numpy as np

from sanum.formats import modality_of, read_scan
from sanum.prepare.steps.head_network import head_network
from sanum.prepare.steps.orient import ras_voxels


def main(paths: list[Path]) -> None:
    rival, own = importlib.import_module("deepbet.bet").BrainExtraction(no_gpu=True), head_network()
    for number, path in enumerate([paths[0], *paths]):
        scan = read_scan(path, modality_of(path) or "T1w")
        voxels = np.ascontiguousarray(ras_voxels(scan.voxels, scan.grid))
        times, masks = [time.process_time()], []
        for network in (rival, own):
            masks.append(network.run_model(voxels.copy()) > 0.5)
            times.append(time.process_time())
        if number == 0:
            continue  # the first round warms both up
        dice = 2.0 * (masks[0] & masks[1]).sum() / (masks[0].sum() + masks[1].sum())
        spent = np.diff(times)
        print(
            f"{path.name}: deepbet {spent[0]:.2f} s, sanum {spent[1]:.2f} s ({spent[1] / spent[0]:.2f}); "
            f"Dice {dice:.6f}, {(masks[0] != masks[1]).sum()} voxels differ"
        )


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
