"""What a model sees of each scan: its channels on the model grid."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import numpy as np

from sanum.core.errors import PreparationError
from sanum.core.modalities import TABLE, Modality
from sanum.core.records import Scan
from sanum.core.units import Channels, Mask, Volume
from sanum.prepare.placing import Place
from sanum.prepare.presets import Preparation, Slices, Template
from sanum.prepare.step_log import StepLog, about
from sanum.prepare.steps import scale as scaling
from sanum.prepare.steps.resample import resample, resample_mask
from sanum.prepare.together import onto_first

MIN_FIELD = 0.90
"""Least share of the brain that every further modality's field of view must hold."""


def sample(ordered: list[Scan], place: Place, config: Preparation, log: StepLog) -> tuple[Channels, Mask]:
    """Every modality on the model grid, in one interpolation each, and the brain that all of them show.

    A scan on another grid than the first is registered to it, where `config` wants that; then one affine serves all.

    Raises:
        PreparationError: a further scan can't be laid on the first, or shows too little of the brain.
    """
    first = ordered[0]
    channels: list[Volume] = []
    mask = np.ones(place.grid.shape, np.bool_)
    for scan in ordered:
        same = scan.grid.same_as(first.grid)
        to_first, region = np.eye(4), place.region
        if config.coregister and not same:
            to_first = onto_first(scan, first, place.region, log)
        if not same:
            from_first = np.linalg.inv(to_first).astype(np.float64)
            region = resample_mask(place.region, first.grid, scan.grid, from_first)
        values, inside = resample(scan.voxels, region, scan.grid, place.grid, place.to_model @ to_first)
        if scan is not first:
            _require_field(scan, first, inside, mask)
        mask &= inside
        log(
            "resample",
            file=scan.source.path,
            same_grid=same,
            spacing=[round(s, 3) for s in place.grid.spacing],
        )
        channels.append(values)
    return np.stack(channels), mask


def stepped(
    ordered: list[Scan], sampled: Channels, mask: Mask, place: Place, config: Preparation, log: StepLog
) -> Channels:
    """Every MRI scan through the steps that settings of `config` turn on, in their order; values with a unit stay.

    A setting names its module as `step`; `apply(values, mask, grid, setting)` there gives new values (I, J, K) and facts.
    """
    voxels = sampled.copy()
    for setting in dataclasses.fields(config):
        wanted = getattr(config, setting.name)
        if "step" not in setting.metadata or wanted == setting.default:
            continue
        apply = importlib.import_module(setting.metadata["step"]).apply
        for name, scan, values in zip(config.modalities, ordered, voxels, strict=True):
            if TABLE[name].windows:
                continue
            with about(scan):
                values[...], facts = apply(values, mask, place.grid, wanted)
            log(setting.name, file=scan.source.path, **facts)
    return voxels


def _require_field(scan: Scan, first: Scan, inside: Mask, mask: Mask) -> None:
    share = float((inside & mask).sum() / max(int(mask.sum()), 1))
    if share < MIN_FIELD:
        raise PreparationError(
            f"{scan.source.path}: shows {share:.0%} of the brain in {first.source.path}, needed {MIN_FIELD:.0%}; "
            "register the modalities of a case to each other first"
        )


def scaled(ordered: list[Scan], sampled: Channels, mask: Mask, config: Preparation, log: StepLog) -> Channels:
    """Every scan's intensities to [0, 1] by its modality's row of the table, 0 outside the mask.

    Args:
        ordered: one scan a modality of `config`, in its order.
        sampled: (C, I, J, K), each on the model grid, in scanner units.
        mask: (I, J, K), the brain.
        config: names the modalities, the rule and the windows.

    Returns:
        One channel for each of `config.channels`.

    Raises:
        PreparationError: a scan has no contrast, or is CT without Hounsfield units where windows need them.
    """
    channels: list[Volume] = []
    told: dict[str, Any] = {}
    for name, scan, values in zip(config.modalities, ordered, sampled, strict=True):
        with about(scan):
            shown, facts = _channels_of(name, scan, values, mask, config)
        channels += [np.where(mask, channel, np.float32(0)) for channel in shown]
        told[name] = facts
    log("scale", **told)
    return np.stack(channels)


def _channels_of(
    name: str, scan: Scan, values: Volume, mask: Mask, config: Preparation
) -> tuple[list[Volume], dict[str, Any]]:
    """The channels of one modality, and how they were scaled."""
    row = TABLE[name]
    grey_levels = bool(row.windows) and scaling.holds_grey_levels(scan)
    if name in config.channels:
        return _by_landmarks(row, values, mask, config, grey_levels)
    if grey_levels:
        raise PreparationError(
            f"holds grey levels, not Hounsfield units, so that no window of {name} fits it; set ct_windows=[] to "
            "scale it by percentiles, or give the original scan"
        )
    windows = {window: row.windows[window] for window in config.ct_windows}
    facts = {"rule": "windows", "hu": {window: list(one.ends) for window, one in windows.items()}}
    return [scaling.windowed(values, one) for one in windows.values()], facts


def _by_landmarks(
    row: Modality, values: Volume, mask: Mask, config: Preparation, grey_levels: bool
) -> tuple[list[Volume], dict[str, Any]]:
    classic = isinstance(config, Slices) and config.scaling == "minmax"
    median = config.median if isinstance(config, Template) else None
    marks = scaling.landmarks(values, mask, scaling.WHOLE_RANGE if classic else row.percentiles)
    facts: dict[str, Any] = {
        "rule": "minmax" if classic else "percentile",
        "low_median_high": [float(f"{mark:.6g}") for mark in marks],
    }
    if grey_levels:
        facts["flags"] = ["CT as grey levels, not Hounsfield units: scaled by percentiles, like MRI"]
    return [scaling.scale(values, marks, median)], facts
