"""The routes to a brain mask, in order: given, already extracted, estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from sanum.core.records import Scan
from sanum.core.units import Mask
from sanum.prepare.presets import BrainSource
from sanum.prepare.steps.brain_mask import (
    evidence_of_extraction,
    extracted_brain,
    facts_of_mask,
    find_extracted,
    given_brain,
)
from sanum.prepare.steps.head import estimated_brain
from sanum.prepare.steps.picture_brain import picture_brain


@dataclass(frozen=True, eq=False)
class Brain:
    """Voxels of the brain on the scan's grid (I, J, K), by which route, and what is known about them.

    `facts` of a volume hold its ml, the share of its outline on the field's border, and `flags`: what a person
    should look at.
    """

    mask: Mask
    route: Literal["given", "extracted", "estimated"]
    facts: dict[str, Any]


def find_brain(scan: Scan, given: Scan | None, source: BrainSource, modality: str) -> Brain:
    """Take the first route that leads to a brain.

    Args:
        scan: where it is wanted.
        given: a mask on the scan's grid, above 0 = brain.
        source: whether the brain of a whole head may be estimated.
        modality: BIDS suffix of the scan.

    Raises:
        PreparationError: no route leads to a plausible brain.
        GeometryError: the given mask lies on another grid.
    """
    if given is not None:
        return _known(scan, given_brain(given, scan), "given")
    if source == "given-or-extracted":
        return _known(scan, extracted_brain(scan), "extracted")
    extracted = find_extracted(scan)
    if extracted is not None:
        return _known(scan, extracted, "extracted")
    if scan.is_image:
        mask, told = picture_brain(scan.voxels, scan.source.path)
        return Brain(mask, "estimated", {"px": int(mask.sum()), **told})
    mask, told = estimated_brain(scan, modality)
    known = _known(scan, mask, "estimated")
    flags = [*known.facts["flags"], *told["flags"]]
    return Brain(mask, "estimated", {**known.facts, **told, "flags": flags})


def _known(scan: Scan, mask: Mask, route: Literal["given", "extracted", "estimated"]) -> Brain:
    facts = {"px": int(mask.sum())} if scan.is_image else facts_of_mask(mask, scan.grid)
    if route == "extracted":
        facts |= evidence_of_extraction(scan, mask)
    return Brain(mask, route, facts)
