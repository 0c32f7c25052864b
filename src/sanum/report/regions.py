"""Where in the brain a position on the template is, by the nearest published landmark, in words.

The landmarks, written out by `docs/make_template.py`: 160 named places of cortex, deep nuclei and cerebellum (Dosenbach
et al. 2010) and the hippocampal, amygdalar, striatal and thalamic places of Seitzman et al. (2018). A name says what is
near, not what a finding is in. None of them is a ventricle, whose places stand here: they were read off the template.
"""

from __future__ import annotations

import csv
import functools

import numpy as np
from numpy.typing import NDArray

from sanum.core.shipped import FOLDER as SHIPPED

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
    with (SHIPPED / "landmarks.tsv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    places = np.array([[float(row[axis]) for axis in "xyz"] for row in rows])
    return [row["name"] for row in rows], places
