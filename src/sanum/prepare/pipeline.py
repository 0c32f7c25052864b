"""One case from its scans to the model grid, step by step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import numpy as np

from sanum.core.beside import beside
from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.quality import ScanQuality
from sanum.core.records import Prepared, Scan
from sanum.core.units import Channels, Mask
from sanum.prepare import quality
from sanum.prepare.channels import sample, scaled, stepped
from sanum.prepare.contrast import check_looks, check_tissues, look_at
from sanum.prepare.kept_steps import KeptSteps
from sanum.prepare.measures.record import case_quality, measure, measure_case
from sanum.prepare.placing import Place, align_to_template, in_slices, on_template
from sanum.prepare.presets import Preparation, Slices, Template, preparation_sha256
from sanum.prepare.step_log import StepLog, about
from sanum.prepare.steps import cut, orient
from sanum.prepare.steps.brain import find_brain
from sanum.prepare.steps.brain_mask import require_same_grid
from sanum.prepare.steps.head_outline import head_outline
from sanum.prepare.steps.resample import resample_mask


def prepare(
    scans: Mapping[str, Scan],
    config: Preparation,
    *,
    case: str,
    subject: str,
    brain: Scan | None = None,
    lesion: Scan | None = None,
    as_called: bool = False,
    kept: KeptSteps | None = None,
) -> Prepared:
    """Bring one case onto the model grid, with a single interpolation of each scan.

    Args:
        scans: one a modality, at least those that `config` names; in scanner units.
        config: what a model sees.
        case: unique name.
        subject: whom it shows.
        brain: mask on the first modality's grid, above 0 = brain; without it the brain is what an extracted scan
            shows, or is estimated within a whole head.
        lesion: marked lesion on the first modality's grid, above 0 = lesion; never used but to evaluate.
        as_called: a person vouches that the scans show what they are called, whatever they look like.
        kept: where results of slow steps are kept and looked for.

    Returns:
        Voxels (C, I, J, K) in [0, 1], 0 outside the brain; the steps say what was done and measured.

    Raises:
        PreparationError: a modality is missing or another, a scan looks like another, no brain is found,
            registration fails its check, or no slice is left.
        GeometryError: a mask does not lie on the first modality's grid.
    """
    log = StepLog(kept)
    ordered = _wanted(scans, config, case)
    first = ordered[0]
    named = dict(zip(config.modalities, ordered, strict=True))
    looks = look_at(named)
    if looks:
        log("looks", **check_looks(named, looks, as_called=as_called))
    log.comes_from(first, brain)
    if lesion is not None:
        require_same_grid("lesion mask", lesion, first)
    region = _brain(ordered, brain, config, log)
    place, of_first = _placed(first, region, config, log)
    sampled, mask = sample(ordered, place, config, log)
    sampled = stepped(ordered, sampled, mask, place, config, log)
    voxels = scaled(ordered, sampled, mask, config, log)
    if isinstance(config, Template):
        facts = quality.facts_of(voxels, mask, place.grid, config.channels)
        with about(scans.get("T1w", first)):
            checked = check_tissues(
                {name: facts[name] for name in config.channels}, looks, as_called=as_called
            )
        log("quality", **facts, contrast=checked)
    else:
        voxels, mask, place = _without_empty_slices(voxels, mask, place, config, first, log)
    measured = measure_case(named, region, log, of_first, on_template=isinstance(config, Template))
    prepared = Prepared(
        case=case,
        subject=subject,
        voxels=voxels,
        mask=mask,
        grid=place.grid,
        modalities=config.channels,
        preparation=preparation_sha256(config),
        native=first.grid,
        to_model=place.to_model,
        is_image=first.is_image,
        sources=tuple(scan.source for scan in (*ordered, brain, lesion) if scan is not None),
        steps=tuple(log.steps),
        quality=case_quality(measured, log.steps),
    )
    return prepared if lesion is None else _with_lesion(prepared, lesion, log)


def _wanted(scans: Mapping[str, Scan], config: Preparation, case: str) -> list[Scan]:
    for name in config.modalities:
        if name not in scans:
            raise PreparationError(
                f"{case}: no {name} scan; the preparation needs {', '.join(config.modalities)}, "
                f"the case has {', '.join(scans) or 'none'}"
            )
        if scans[name].modality not in (None, name):
            raise PreparationError(
                f"{scans[name].source.path}: given as {name}, but its file says {scans[name].modality}"
            )
    ordered = [scans[name] for name in config.modalities]
    first = ordered[0]
    if first.is_image and isinstance(config, Template):
        raise PreparationError(
            f"{first.source.path}: a 2D image can't be registered to a template; use the `slices` preset"
        )
    for scan in ordered:
        _refuse_single_slice(scan)
    for scan in ordered[1:]:
        if scan.is_image != first.is_image or (first.is_image and not scan.grid.same_as(first.grid)):
            raise PreparationError(
                f"{scan.source.path}: {scan.grid} does not fit {first.source.path}: {first.grid}; "
                "the images of one case must have one size, and images don't mix with volumes"
            )
    return ordered


def _refuse_single_slice(scan: Scan) -> None:
    if not scan.is_image and min(scan.grid.shape) < 2:
        raise PreparationError(
            f"{scan.source.path}: a single slice, {' x '.join(map(str, scan.grid.shape))} voxels, in a file for volumes; "
            "give the whole volume, or save the slice as a picture (PNG or TIFF) for a model of pictures"
        )


def _brain(ordered: list[Scan], given: Scan | None, config: Preparation, log: StepLog) -> Mask:
    """Voxels that count on the first scan's grid; all of them in the classic rule to the letter."""
    first = ordered[0]
    if given is None and isinstance(config, Slices) and not config.needs_brain:
        log("brain_mask", route="whole field")
        return np.ones(first.grid.shape, np.bool_)
    if isinstance(config, Slices) and config.region == "head":
        return _head(ordered, given, log)

    def find() -> Mask:
        brain = find_brain(first, given, config.brain, config.modalities[0])
        log("brain_mask", route=brain.route, **brain.facts)
        return brain.mask

    mask = log.once("brain_mask", [config.brain, config.modalities[0]], find)
    if log.steps[-1].facts["route"] == "estimated" and isinstance(config, Slices) and not first.is_image:
        align_to_template(first, mask, log)  # only for its checks: is it a brain at all?
    return mask


def _head(ordered: list[Scan], given: Scan | None, log: StepLog) -> Mask:
    """The given mask of the head, or the outline that the scans show."""
    if given is None:
        outline = head_outline(ordered)
    else:
        require_same_grid("head mask", given, ordered[0])
        outline = np.asarray(given.voxels > 0)
    route = "outline of the head" if given is None else "given outline of the head"
    log("brain_mask", route=route, share=round(float(outline.mean()), 4))
    return outline


def _placed(
    first: Scan, region: Mask, config: Preparation, log: StepLog
) -> tuple[Place, Callable[[], ScanQuality]]:
    """Where a case goes; and the measures of its first scan, taken meanwhile if it is registered: that has one thread."""
    of_first = partial(measure, first, region, config.modalities[0])
    if isinstance(config, Slices):
        return in_slices(first, region, config, log), of_first
    with beside(of_first) as measured:
        return on_template(first, region, config, log), measured


def _without_empty_slices(
    voxels: Channels, mask: Mask, place: Place, config: Slices, first: Scan, log: StepLog
) -> tuple[Channels, Mask, Place]:
    """Drop near-empty slices: at the ends they go, between kept ones they stay as blanks outside the mask."""
    filled = cut.filled_slices(voxels, config.empty, config.near_zero)
    if not filled.any():
        total, empty = orient.ras_grid(first.grid).shape[2], int((~filled).sum())
        raise PreparationError(
            f"{first.source.path}: no slice is left of {total}: {total - empty} trimmed at the ends, {empty} dropped "
            f"because more than {config.empty:.0%} of their pixels are near zero (up to {config.near_zero:.3f}); "
            "use crop='brain', or raise `empty`"
        )
    ends = np.flatnonzero(filled)[[0, -1]]
    kept = slice(int(ends[0]), int(ends[1]) + 1)
    if not config.needs_brain:
        mask = mask & (voxels > config.near_zero).any(axis=0)
    voxels, mask = voxels * filled, mask & filled
    shift = np.eye(4)
    shift[2, 3] = kept.start
    shape = (config.size, config.size, kept.stop - kept.start)
    grid = Grid(shape, place.grid.affine @ shift)
    log("drop_empty", kept=int(filled.sum()), empty=int((~filled).sum()))
    return np.ascontiguousarray(voxels[..., kept]), mask[..., kept], replace(place, grid=grid)


def _with_lesion(prepared: Prepared, lesion: Scan, log: StepLog) -> Prepared:
    marked = lesion.voxels > 0
    on_model = resample_mask(marked, lesion.grid, prepared.grid, prepared.to_model)
    unit = "px" if prepared.is_image else "ml"
    sizes = [float(marked.sum()), float(on_model.sum())]
    if not prepared.is_image:
        sizes = [sizes[0] * lesion.grid.voxel_ml, sizes[1] * prepared.grid.voxel_ml]
    log("lesion", **{f"native_{unit}": round(sizes[0], 3), f"model_{unit}": round(sizes[1], 3)})
    return replace(prepared, lesion=on_model, steps=tuple(log.steps))
