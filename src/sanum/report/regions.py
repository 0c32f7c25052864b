"""Where in the brain a position on the template is, by the nearest published landmark, in words.

The landmarks come with nilearn: 160 named places of cortex, deep nuclei and cerebellum (Dosenbach et al. 2010) and the
hippocampal, amygdalar, striatal and thalamic places of Seitzman et al. (2018). A name says what is near, not what a
finding is in. None of them is a ventricle, whose places stand here: they were read off the template.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WORDS = {
    "vmPFC": "ventromedial prefrontal cortex",
    "mPFC": "medial prefrontal cortex",
    "mFC": "medial frontal cortex",
    "aPFC": "anterior prefrontal cortex",
    "vent aPFC": "ventral anterior prefrontal cortex",
    "dlPFC": "dorsolateral prefrontal cortex",
    "vlPFC": "ventrolateral prefrontal cortex",
    "vPFC": "ventral prefrontal cortex",
    "vFC": "ventral frontal cortex",
    "dFC": "dorsal frontal cortex",
    "frontal": "frontal cortex",
    "sup frontal": "superior frontal cortex",
    "ACC": "anterior cingulate cortex",
    "dACC": "dorsal anterior cingulate cortex",
    "post cingulate": "posterior cingulate cortex",
    "SMA": "supplementary motor area",
    "pre-SMA": "pre-supplementary motor area",
    "ant insula": "anterior insula",
    "mid insula": "middle insula",
    "post insula": "posterior insula",
    "IPL": "inferior parietal lobule",
    "IPS": "intraparietal sulcus",
    "TPJ": "temporoparietal junction",
    "parietal": "parietal cortex",
    "post parietal": "posterior parietal cortex",
    "sup parietal": "superior parietal lobule",
    "temporal": "temporal cortex",
    "sup temporal": "superior temporal cortex",
    "inf temporal": "inferior temporal cortex",
    "fusiform": "fusiform gyrus",
    "occipital": "occipital cortex",
    "post occipital": "posterior occipital cortex",
    "inf cerebellum": "inferior cerebellum",
    "lat cerebellum": "lateral cerebellum",
    "med cerebellum": "medial cerebellum",
}
"""Dosenbach's abbreviations written out; other names are words already."""

DEEP = {"3": "hippocampus", "4": "amygdala", "5": "basal ganglia", "6": "thalamus"}
"""Anatomical codes of Seitzman's table that are taken."""

MIDLINE_MM = 4.0
"""Closer to the midline than this no side is named."""

FAR_MM = 30.0
"""Beyond, no landmark is near enough to name: the position is outside the brain or the registration failed."""


VENTRICLES = {
    "lateral ventricle": (
        (8, 22, 8), (7, 6, 14), (11, -14, 23), (18, -32, 20), (27, -50, 10), (32, -42, 2), (33, -22, -12),
    ),
    "third ventricle": ((0, -8, 2),),
    "fourth ventricle": ((0, -46, -32),),
}  # fmt: skip
"""Places along each, in MNI mm on the right; the left ones mirror them."""

VENTRICLE_MM = 14.0
"""Fluid so near to a place of a ventricle belongs to it, also where the ventricle is wider than the template's."""


def region_name(position: tuple[float, float, float], *, fluid: bool = False) -> str:
    """Name what lies at a position on the template, such as "left, 6 mm from precentral gyrus".

    Args:
        position: MNI coordinates in mm (RAS+).
        fluid: the scan shows cerebrospinal fluid there, so a ventricle or another space of fluid is named.

    Returns:
        The name, or "" where no landmark is within `FAR_MM`.
    """
    x = position[0]
    side = "midline" if abs(x) < MIDLINE_MM else "left" if x < 0 else "right"
    ventricle = _ventricle(position) if fluid else ""
    if ventricle:
        return f"{side}, in fluid at the {ventricle}"
    names, places = _landmarks()
    distances = np.linalg.norm(places - np.asarray(position, float), axis=1)
    nearest = int(distances.argmin())
    if distances[nearest] > FAR_MM:
        return ""
    return f"{side}, {'in fluid, ' if fluid else ''}{distances[nearest]:.0f} mm from {names[nearest]}"


def _ventricle(position: tuple[float, float, float]) -> str:
    """The nearest ventricle, or "" where none is near."""
    mirrored = np.array([abs(position[0]), position[1], position[2]])
    apart = {
        name: float(np.linalg.norm(np.array(places) - mirrored, axis=1).min())
        for name, places in VENTRICLES.items()
    }
    nearest = min(apart, key=lambda name: apart[name])
    return nearest if apart[nearest] <= VENTRICLE_MM else ""


@functools.cache
def _landmarks() -> tuple[list[str], NDArray[np.float64]]:
    folder = _nilearn_tables()
    names, places = [], []
    with (folder / "dosenbach_2010.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            names.append(WORDS.get(row["name"], row["name"]))
            places.append([float(row["x"]), float(row["y"]), float(row["z"])])
    codes = (folder / "seitzman_2018_ROIs_anatomicalLabels.txt").read_text().split()[1:]
    rows = (folder / "seitzman_2018_ROIs_300inVol_MNI_allInfo.txt").read_text().splitlines()[1:]
    for code, line in zip(codes, rows, strict=True):
        if code in DEEP:
            names.append(DEEP[code])
            places.append([float(value) for value in line.split()[:3]])
    return names, np.array(places)


def _nilearn_tables() -> Path:
    """Folder of nilearn's bundled tables, found without importing nilearn."""
    found = importlib.util.find_spec("nilearn")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("nilearn is not installed; run `pip install nilearn`")
    return Path(found.origin).parent / "datasets" / "data"
