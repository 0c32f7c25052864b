"""The quality record of a case, from its scans as they were read and from what the steps measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from sanum.core.quality import CaseQuality, ScanQuality
from sanum.core.records import Scan, Step
from sanum.core.units import Mask
from sanum.prepare.contrast import rough_contrast_flags
from sanum.prepare.measures.air import air
from sanum.prepare.measures.detail import gradient_entropy, noise, unevenness
from sanum.prepare.measures.likeness import Likeness, likeness
from sanum.prepare.measures.tissues import tissues
from sanum.prepare.step_log import StepLog
from sanum.prepare.steps.resample import resample_mask

DIGITS = 5
"""Significant digits that a record keeps."""


def measure_case(
    scans: Mapping[str, Scan],
    region: Mask,
    log: StepLog,
    of_first: Callable[[], ScanQuality],
    *,
    on_template: bool,
) -> tuple[ScanQuality, ...]:
    """Measure every scan of a case in its own grid, and see whether an unregistered head lies the right way up.

    Args:
        scans: by modality, the first one first.
        region: the brain on the first scan's grid.
        log: of the steps so far. A brain that is not known is not measured: the classic rule takes the whole field.
        of_first: gives what `measure` finds in the first scan.
        on_template: the case was registered, so that nothing has to be fitted.
    """
    done = {step.name: step.facts for step in log.steps}
    if done["brain_mask"]["route"] == "whole field":
        return tuple(ScanQuality(modality) for modality in scans)
    first = next(iter(scans.values()))
    brains = {modality: _brain_on(scan, first, region, log.steps) for modality, scan in scans.items()}
    found = (of_first(), *(measure(scans[name], brains[name], name) for name in [*scans][1:]))
    if not on_template and not first.is_image:
        shown = {
            modality: likeness(scan.voxels, brains[modality], scan.grid)
            for modality, scan in scans.items()
            if modality != "CT"
        }
        log("likeness", **_told({modality: one for modality, one in shown.items() if one is not None}))
    log("measure", scans=len(found))
    return found


def _told(shown: Mapping[str, Likeness]) -> dict[str, Any]:
    """Facts of the fits of moments: overlap and information of the first scan, contrast and position of all."""
    if not shown:
        return {}
    first = next(iter(shown.values()))
    ratios = {
        name: round(one.white_to_grey, 3) for name, one in shown.items() if one.white_to_grey is not None
    }
    turned = [f"{modality}: {flag}" for modality, one in shown.items() for flag in one.flags()]
    return {
        "dice": round(first.overlap, 4),
        "mutual_information": round(first.mutual_information, 4),
        "white_to_grey": ratios,
        "flags": turned,
        "contrast": {"flags": rough_contrast_flags(ratios)},
    }


def _brain_on(scan: Scan, first: Scan, region: Mask, steps: Iterable[Step]) -> Mask:
    """The brain on a scan's own grid: through its registration to the first scan, or through the headers."""
    if scan.grid.same_as(first.grid):
        return region
    to_first = np.eye(4)
    for step in steps:
        if step.name == "coregister" and step.facts["file"] == scan.source.path:
            to_first = np.array(step.facts["to_first"], np.float64)
    return resample_mask(region, first.grid, scan.grid, np.linalg.inv(to_first).astype(np.float64))


def measure(scan: Scan, brain: Mask, modality: str) -> ScanQuality:
    """Measures of one scan. The formulas are those of magnitude pictures: CT gets the gradient entropy only.

    Args:
        scan: as it was read.
        brain: (I, J, K) on its grid.
        modality: BIDS suffix.
    """
    if not brain.any():
        return ScanQuality(modality)
    from scipy import ndimage

    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    voxels, inside = scan.voxels[box], brain[box]
    entropy = gradient_entropy(voxels, inside, scan.grid)
    if modality == "CT":
        return _rounded(ScanQuality(modality, gradient_entropy=entropy))
    around = air(scan.voxels, brain, scan.grid)
    told = tissues(voxels, inside, scan.grid, modality, 0.0 if around is None else around.std)
    return _rounded(
        ScanQuality(
            modality,
            snr_grey=None if told is None else told.snr_grey,
            snr_white=None if told is None else told.snr_white,
            cnr=None if told is None else told.cnr,
            cjv=None if told is None else told.cjv,
            noise=noise(voxels, inside),
            unevenness=None if scan.is_image else unevenness(voxels, inside, scan.grid),
            gradient_entropy=entropy,
            snr_air=None if around is None else around.snr_air,
            fber=None if around is None else around.fber,
            efc=None if around is None else around.efc,
        )
    )


def case_quality(scans: Iterable[ScanQuality], steps: Sequence[Step]) -> CaseQuality:
    """Put what was measured together with what the steps found and flagged."""
    facts: dict[str, Mapping[str, Any]] = {step.name: step.facts for step in steps}
    brain, affine, tissue = (facts.get(name, {}) for name in ("brain_mask", "align", "quality"))
    place = facts.get("likeness", affine)
    return CaseQuality(
        scans=tuple(_with_contrast(scan, tissue, place) for scan in scans),
        brain_ml=brain.get("ml"),
        border=brain.get("border"),
        overlap=place.get("dice"),
        mutual_information=place.get("mutual_information"),
        determinant=affine.get("determinant"),
        flags=tuple(dict.fromkeys(flag for step in steps for flag in _flags_in(step.facts))),
    )


def _flags_in(facts: Mapping[str, Any]) -> Iterator[str]:
    """Flags of a step, and of the modalities that it tells about one by one."""
    yield from facts.get("flags", ())
    for value in facts.values():
        if isinstance(value, Mapping):
            yield from value.get("flags", ())


def _with_contrast(scan: ScanQuality, tissue: Mapping[str, Any], place: Mapping[str, Any]) -> ScanQuality:
    """White over grey at the template's tissues: by registration where there is one, else by the fit of moments."""
    medians = tissue.get(scan.modality)
    if isinstance(medians, Mapping):
        white, grey = medians.get("white"), medians.get("grey")
        return replace(scan, white_to_grey=round(white / grey, 3)) if white and grey else scan
    by_moments = place.get("white_to_grey", {})
    return replace(scan, white_to_grey=by_moments.get(scan.modality))


def _rounded(found: ScanQuality) -> ScanQuality:
    values: dict[str, Any] = {
        name: value if value is None or name == "modality" else float(f"{value:.{DIGITS}g}")
        for name, value in asdict(found).items()
    }
    return ScanQuality(**values)
