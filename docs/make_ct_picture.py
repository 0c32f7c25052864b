"""The picture of `sanum-ct`: python docs/make_ct_picture.py STORE CASE [STORE CASE …].

Each case of a store of CT on the template gives two rows of slices: the brain's window, and the map in colour over it, the planted lesion
outlined. Writes docs/images/head-ct.png.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from sanum.core.shipped import shipped_models
from sanum.model import load
from sanum.prepare.store import Store

OUT = Path(__file__).parent / "images" / "head-ct.png"
SLICES, FULL = range(14, 84, 8), 3.0
HOT, OUTLINE = np.array([255.0, 60.0, 0.0]), (0, 255, 0)


def rows(store: Path, case: str) -> list[np.ndarray]:
    """Grey and coloured slices of one case, right on the left."""
    prepared = Store.open(store).load(case)
    found = np.nan_to_num(load(shipped_models()["sanum-ct"]).detector.score(prepared).values)
    grey = np.repeat(255.0 * np.asarray(prepared.voxels[0])[..., None], 3, axis=3)
    share = 0.65 * np.clip(found / FULL, 0.0, 1.0)[..., None]
    hot = grey * (1.0 - share) + HOT * share
    if prepared.lesion is not None:
        lesion = np.asarray(prepared.lesion) > 0
        flat = ndimage.generate_binary_structure(3, 1)
        flat[:, :, [0, 2]] = False
        hot[lesion & ~ndimage.binary_erosion(lesion, flat)] = OUTLINE
    return [np.concatenate([np.rot90(volume[::-1, :, k]) for k in SLICES], axis=1) for volume in (grey, hot)]


def main() -> None:
    """Stack the rows of all cases."""
    pairs = list(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    stacked = np.concatenate([row for store, case in pairs for row in rows(Path(store), case)])
    Image.fromarray(stacked.clip(0, 255).astype(np.uint8)).save(OUT, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
