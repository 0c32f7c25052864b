"""Which sequence a scan is, by its looks alone."""

from __future__ import annotations

import functools
from pathlib import Path

from sanum.core.records import Scan
from sanum.core.sequence import SEQUENCES, Looks
from sanum.prepare.sequence.features import features_of
from sanum.prepare.sequence.hounsfield import in_hounsfield_units
from sanum.prepare.sequence.look import shown_to_eye, slices_of
from sanum.prepare.sequence.network import Judges, read_judges

WEIGHTS = Path(__file__).with_name("eye.safetensors")
"""Taught by `benchmarks/sequence`; docs/sequences.md has the commands."""

PICTURE_WEIGHTS = Path(__file__).with_name("picture_eye.safetensors")
"""The same for pictures of one slice."""


def recognise(scan: Scan) -> Looks:
    """What a scan looks like; its name and modality play no part.

    Args:
        scan: volume of a head or an extracted brain, or a picture of one axial slice.

    Returns:
        How likely it is each of `SEQUENCES`, by the mean of several small networks; of a volume in Hounsfield units it
        is sure without them.
    """
    if not scan.is_image and in_hounsfield_units(scan.voxels):
        return Looks({name: float(name == "CT") for name in SEQUENCES}, one_slice=False)
    judges = _judges(PICTURE_WEIGHTS if scan.is_image else WEIGHTS)
    shares = judges.shares(features_of(shown_to_eye(slices_of(scan))))
    named = zip(SEQUENCES, (float(share) for share in shares), strict=True)
    return Looks(dict(named), one_slice=scan.is_image)


@functools.cache
def _judges(weights: Path) -> Judges:
    return read_judges(weights)
