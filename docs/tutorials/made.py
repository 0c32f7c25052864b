"""Made brain scans for the tutorials, so that they run anywhere. With scans of your own you need none of this."""

from pathlib import Path

import numpy as np

from sanum.formats import write_volume
from sanum.prepare.template import icbm152
from sanum.synthesis.subject import Variation, make_subject

LEVELS = {"FLAIR": (0.05, 0.6, 0.5), "T2w": (1.0, 0.55, 0.4)}
"""How bright fluid, grey and white matter are; a T1w is the template itself."""


def made_scan(folder, number, modality="T1w", *, lesion_ml=None, shading=0.08):
    """Write a brain of another shape, contrast and pose for each number, and the mask of its lesion where it has one.

    `shading` is the depth of the coil's field. Returns the path of the scan and of the mask (or None).
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    template = icbm152()
    if modality == "T1w":
        voxels = template.t1
    else:
        fluid, grey, white = LEVELS[modality]
        rest = np.clip(1.0 - template.grey - template.white, 0.0, 1.0)
        voxels = fluid * rest + grey * template.grey + white * template.white
    made = make_subject(
        voxels.astype(np.float32),
        template.brain,
        template.grid,
        seed=number,
        lesion_ml=lesion_ml,
        variation=Variation(bias=shading),
    )
    scan = folder / f"sub-{number:03d}_{modality}.nii.gz"
    write_volume(scan, made.voxels, made.grid)
    if lesion_ml is None:
        return scan, None
    mask = folder / f"sub-{number:03d}_lesion.nii.gz"
    write_volume(mask, made.lesion.astype(np.uint8), made.grid)
    return scan, mask
