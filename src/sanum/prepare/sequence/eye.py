"""Which sequence a scan is, by its looks alone."""

from __future__ import annotations

import functools
from pathlib import Path

from sanum.core.records import Scan
from sanum.core.sequence import SEQUENCES, Looks
from sanum.prepare.sequence.features import features_of
from sanum.prepare.sequence.look import shown_to_eye, slices_of
from sanum.prepare.sequence.network import Judges, read_judges

WEIGHTS = Path(__file__).with_name("eye.safetensors")
"""Taught by `benchmarks/sequence`; docs/sequences.md has the commands."""


def recognise(scan: Scan) -> Looks:
    """What a scan looks like; its name and modality play no part.

    Args:
        scan: volume of a head or an extracted brain, or a picture of one axial slice.

    Returns:
        How likely it is each of `SEQUENCES`, by the mean of several small networks.
    """
    shares = _judges().shares(features_of(shown_to_eye(slices_of(scan))))
    return Looks(dict(zip(SEQUENCES, (float(share) for share in shares), strict=True)))


@functools.cache
def _judges() -> Judges:
    return read_judges(WEIGHTS)
