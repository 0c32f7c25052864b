"""One case from its scans to the model grid, step by step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from sanum.core.errors import PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Prepared, Scan, Step
from sanum.core.units import Affine, Channels, Mask, Volume
from sanum.prepare import quality
from sanum.prepare.presets import Preparation, Slices, Template, preparation_sha256
from sanum.prepare.steps import align, cut, orient
from sanum.prepare.steps import scale as scaling
from sanum.prepare.steps.brain import find_brain
from sanum.prepare.steps.brain_mask import require_same_grid
from sanum.prepare.steps.resample import resample, resample_mask
from sanum.prepare.template import SPACING_MM, icbm152, model_grid

MIN_FIELD = 0.90
"""Least share of the brain that every further modality's field of view must hold."""

RIM_MM = 8.0
"""Dark border kept around the brain for registration."""


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a case goes: the model grid, scan world to model world, and the brain on the first scan's grid."""

    grid: Grid
    to_model: Affine
    region: Mask


@dataclass
class _Log:
    """The steps so far; each takes the seconds since the one before."""

    steps: list[Step] = field(default_factory=list)
    last: float = field(default_factory=time.perf_counter)

    def __call__(self, name: str, /, **facts: Any) -> None:
        now = time.perf_counter()
        self.steps.append(Step(name, {**facts, "seconds": round(now - self.last, 3)}))
        self.last = now


@contextlib.contextmanager
def _about(scan: Scan) -> Iterator[None]:
    """Name the file in the message of a step that sees arrays only."""
    try:
        yield
    except PreparationError as error:
        raise PreparationError(f"{scan.source.path}: {error}") from error


def prepare(
    scans: Mapping[str, Scan],
    config: Preparation,
    *,
    case: str,
    subject: str,
    brain: Scan | None = None,
    lesion: Scan | None = None,
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

    Returns:
        Voxels (C, I, J, K) in [0, 1], 0 outside the brain; the steps say what was done and measured.

    Raises:
        PreparationError: a modality is missing or another, no brain is found, registration or contrast fails
            its check, or no slice is left.
        GeometryError: a mask does not lie on the first modality's grid.
    """
    log = _Log()
    ordered = _wanted(scans, config, case)
    first = ordered[0]
    if lesion is not None:
        require_same_grid("lesion mask", lesion, first)
    region = _brain(first, brain, config, log)
    place = (
        _on_template(first, region, config, log)
        if isinstance(config, Template)
        else _in_slices(first, region, config, log)
    )
    sampled, mask = _sample(ordered, place, log)
    if isinstance(config, Template):
        voxels = _scaled(ordered, sampled, mask, "percentile", config.median, log)
        with _about(scans.get("T1w", first)):
            log("quality", **quality.check(voxels, mask, place.grid, config.modalities))
    else:
        voxels = _scaled(ordered, sampled, mask, config.scaling, None, log)
        voxels, mask, place = _without_empty_slices(voxels, mask, place, config, first, log)
    prepared = Prepared(
        case=case,
        subject=subject,
        voxels=voxels,
        mask=mask,
        grid=place.grid,
        modalities=config.modalities,
        preparation=preparation_sha256(config),
        native=first.grid,
        to_model=place.to_model,
        is_image=first.is_image,
        sources=tuple(scan.source for scan in (*ordered, brain, lesion) if scan is not None),
        steps=tuple(log.steps),
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
    for scan in ordered[1:]:
        if scan.is_image != first.is_image or (first.is_image and not scan.grid.same_as(first.grid)):
            raise PreparationError(
                f"{scan.source.path}: {scan.grid} does not fit {first.source.path}: {first.grid}; "
                "the images of one case must have one size, and images don't mix with volumes"
            )
    return ordered


def _brain(first: Scan, given: Scan | None, config: Preparation, log: _Log) -> Mask:
    """Voxels that count on the first scan's grid; all of them in the classic rule to the letter."""
    if given is None and isinstance(config, Slices) and not config.needs_brain:
        log("brain_mask", route="whole field")
        return np.ones(first.grid.shape, np.bool_)
    brain = find_brain(first, given, config.brain, config.modalities[0])
    log("brain_mask", route=brain.route, **brain.facts)
    if brain.route == "estimated" and isinstance(config, Slices):
        _align(first, brain.mask, log)  # only for its checks: is it a brain at all?
    return brain.mask


def _on_template(first: Scan, region: Mask, config: Template, log: _Log) -> _Place:
    return _Place(model_grid(config.shape, config.spacing), _align(first, region, log), region)


def _align(first: Scan, region: Mask, log: _Log) -> Affine:
    """Scan world to template world; refuses a mask that does not come to lie on the template's brain."""
    template = icbm152()
    log("template", atlas="ICBM152 2009 nonlinear, as shipped by nilearn", spacing_mm=SPACING_MM)
    grid = _world_box(region, first.grid)
    voxels, mask = resample(first.voxels, region, first.grid, grid, np.eye(4))
    fixed = align.Brain(template.t1 * template.brain, template.brain, template.grid)
    with _about(first):
        voxels = scaling.scale(voxels, scaling.landmarks(voxels, mask, "percentile")) * mask
        found = align.align(align.Brain(voxels, mask, grid), fixed)
    log(
        "align",
        mutual_information=round(found.metric, 4),
        dice=round(found.dice, 4),
        determinant=round(found.determinant, 4),
        start_turn_degrees=found.turn[1],
        to_template=found.to_template.tolist(),
    )
    return found.to_template


def _world_box(region: Mask, grid: Grid) -> Grid:
    """Grid along the world axes at the template's spacing, around a mask and its dark border."""
    world = grid.to_world(np.argwhere(region))
    low, high = world.min(axis=0) - RIM_MM, world.max(axis=0) + RIM_MM
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = low
    i, j, k = (int(n) for n in np.ceil((high - low) / SPACING_MM) + 1)
    return Grid((i, j, k), affine)


def _in_slices(first: Scan, region: Mask, config: Slices, log: _Log) -> _Place:
    ras = orient.ras_grid(first.grid)
    log("orient", scan=first.grid.axis_codes, model=ras.axis_codes)
    count = ras.shape[2]
    kept = range(count) if first.is_image else cut.middle_slices(count, config.trim)
    if config.crop == "brain":
        shown = orient.ras_voxels(region, first.grid)[:, :, kept.start : kept.stop]
        with _about(first):
            view = cut.brain_square(shown, ras, config.margin)
    else:
        view = cut.whole_slice(ras)
    log("trim", slices=count, trimmed=count - len(kept), width=[round(width, 2) for width in view.extent])
    return _Place(cut.slice_grid(ras, view, config.size, kept), np.eye(4), region)


def _sample(ordered: list[Scan], place: _Place, log: _Log) -> tuple[Channels, Mask]:
    """Every modality on the model grid, in one interpolation each, and the brain that all of them show."""
    first = ordered[0]
    channels: list[Volume] = []
    mask = np.ones(place.grid.shape, np.bool_)
    for scan in ordered:
        same = scan.grid.same_as(first.grid)
        region = place.region if same else resample_mask(place.region, first.grid, scan.grid, np.eye(4))
        values, inside = resample(scan.voxels, region, scan.grid, place.grid, place.to_model)
        if scan is not first:
            _require_field(scan, first, inside, mask)
        mask &= inside
        channels.append(values)
        log(
            "resample",
            file=scan.source.path,
            same_grid=same,
            spacing=[round(s, 3) for s in place.grid.spacing],
        )
    return np.stack(channels), mask


def _require_field(scan: Scan, first: Scan, inside: Mask, mask: Mask) -> None:
    share = float((inside & mask).sum() / max(int(mask.sum()), 1))
    if share < MIN_FIELD:
        raise PreparationError(
            f"{scan.source.path}: shows {share:.0%} of the brain in {first.source.path}, needed {MIN_FIELD:.0%}; "
            "register the modalities of a case to each other first"
        )


def _scaled(
    ordered: list[Scan],
    sampled: Channels,
    mask: Mask,
    rule: Literal["percentile", "minmax"],
    median: float | None,
    log: _Log,
) -> Channels:
    voxels, marks = np.zeros_like(sampled), []
    for scan, channel, values in zip(ordered, voxels, sampled, strict=True):
        with _about(scan):
            ends = scaling.landmarks(values, mask, rule)
        channel[mask] = scaling.scale(values[mask], ends, median)
        marks.append([round(mark, 4) for mark in ends])
    log("scale", rule=rule, low_median_high=marks)
    return voxels


def _without_empty_slices(
    voxels: Channels, mask: Mask, place: _Place, config: Slices, first: Scan, log: _Log
) -> tuple[Channels, Mask, _Place]:
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


def _with_lesion(prepared: Prepared, lesion: Scan, log: _Log) -> Prepared:
    marked = lesion.voxels > 0
    on_model = resample_mask(marked, lesion.grid, prepared.grid, prepared.to_model)
    unit = "px" if prepared.is_image else "ml"
    sizes = [float(marked.sum()), float(on_model.sum())]
    if not prepared.is_image:
        sizes = [sizes[0] * lesion.grid.voxel_ml, sizes[1] * prepared.grid.voxel_ml]
    log("lesion", **{f"native_{unit}": round(sizes[0], 3), f"model_{unit}": round(sizes[1], 3)})
    return replace(prepared, lesion=on_model, steps=tuple(log.steps))
