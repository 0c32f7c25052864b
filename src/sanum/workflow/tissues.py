"""Heads to make contrasts of: label maps and healthy T1w scans as tissue memberships, in a store of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from sanum.core.config import from_dict, to_dict
from sanum.core.errors import CohortError, PreparationError
from sanum.core.grid import Grid
from sanum.core.records import Prepared, Scan
from sanum.core.units import Channels, Mask, Volume
from sanum.formats import read_scan
from sanum.prepare.presets import Heads, Template, preparation_sha256
from sanum.prepare.steps.resample import resample
from sanum.prepare.store import ManifestRow, Store
from sanum.synthesis.tissues import (
    HEAD_CHANNELS,
    TISSUES,
    brain_of_labels,
    memberships_of_labels,
    memberships_of_t1,
)

T1_LEVELS = (0.06, 0.06, 0.45, 0.75, 0.58, 0.45, 0.72, 0.4, 0.5, 0.1)
"""Levels of the tissues on the picture by which a label map is registered to the template."""

T1_NOISE = 0.02
MARGIN = 16
"""Voxels kept around the brain of a label map."""

PRIOR_SMOOTHING = 3.0
"""Standard deviation, in voxels of the model grid, of the Gaussian over the mean of the label maps."""


def make_heads(
    out: Path,
    *,
    scans: Path,
    labels: Sequence[Path],
    held_out: Sequence[str] = (),
    on_done: Callable[[str], None] = lambda _: None,
) -> Store:
    """Write a store of heads: one a label map, and one a ready T1w case of a store.

    The mean of the label maps that are not held out is the prior by which the scans are divided into tissues. Label maps
    come into split "train", held-out ones into "test"; scans keep their split.

    Args:
        out: the new store.
        scans: store of healthy T1w scans, made with the `template` preset.
        labels: label maps, volumes of whole numbers, see `sanum.synthesis.tissues`.
        held_out: names (file name up to the first dot) of label maps that nothing may be trained on.
        on_done: told the name of each head.

    Raises:
        CohortError: no T1w store, no label map to make a prior of, or `out` holds something else.
        ScanError: a label map can't be read, or holds a number that no tissue has.
        StorageError: `out` can't be written.
    """
    source = Store.open(scans)
    if type(source.preparation) is not Template or source.preparation.modalities != ("T1w",):
        raise CohortError(f"{scans}: expected T1w scans made with the template preset")
    store = Store.create(out, from_dict(Heads, to_dict(source.preparation), "heads"))
    prior = None
    taught = 0
    for path in labels:
        name = path.name.split(".")[0]
        fields = _fields(name, "test" if name in held_out else "train")
        try:
            head = _of_labels(path, source.preparation, preparation_sha256(store.preparation))
        except PreparationError as error:
            store.write_failure(name, fields, str(error))
            on_done(f"{name}: refused, because {error}")
            continue
        store.write(head, fields)
        on_done(name)
        if name not in held_out:
            tissues = np.asarray(head.voxels[1:-1], np.float32)
            prior = tissues if prior is None else prior + tissues
            taught += 1
    if prior is None:
        raise CohortError("no label map to make a tissue prior of: give some that are not held out")
    smooth = _smooth((prior / taught).astype(np.float32))
    for row in source.manifest():
        if row.status == "ready" and row.label == "healthy":
            store.write(_of_scan(source.load(row.case), smooth, store), _row_fields(row))
            on_done(row.case)
    store.write_manifest()
    return store


def _of_labels(path: Path, preparation: Template, identity: str) -> Prepared:
    """A label map on the template: registered by a made T1w picture of it."""
    from sanum.prepare.pipeline import prepare

    read = read_scan(path)
    numbers, grid = _cropped(np.rint(read.voxels).astype(np.int32), read.grid)
    brain = brain_of_labels(numbers)
    members = memberships_of_labels(numbers)
    members[TISSUES.index("csf")][brain & (members.sum(0) == 0)] = 1.0
    noise = np.random.default_rng(0).normal(0.0, T1_NOISE, numbers.shape)
    picture = np.clip(100.0 * (np.tensordot(np.array(T1_LEVELS), members, 1) + noise), 0.0, None)
    name = path.name.split(".")[0]
    scan = Scan(picture.astype(np.float32), grid, "T1w", read.source)
    mask = Scan(brain.astype(np.float32), grid, None, read.source)
    placed = prepare({"T1w": scan}, preparation, case=name, subject=name, brain=mask, as_called=True)
    everywhere = np.ones(numbers.shape, np.bool_)
    tissues = np.stack([resample(one, everywhere, grid, placed.grid, placed.to_model)[0] for one in members])
    return _head(placed, np.zeros(placed.grid.shape, np.float32), tissues, identity)


def _of_scan(case: Prepared, prior: Channels, store: Store) -> Prepared:
    voxels = np.asarray(case.voxels[0])
    tissues = memberships_of_t1(voxels, np.asarray(case.mask), prior)
    return _head(case, voxels, tissues, preparation_sha256(store.preparation))


def _head(case: Prepared, scan: Volume, tissues: Channels, identity: str) -> Prepared:
    mask: Mask = np.asarray(case.mask)
    voxels = cast(Channels, np.concatenate([scan[None], tissues, mask[None]]).astype(np.float16))
    return replace(
        case, voxels=voxels, mask=mask, modalities=HEAD_CHANNELS, preparation=identity, quality=None
    )


def _cropped(labels: NDArray[np.int32], grid: Grid) -> tuple[NDArray[np.int32], Grid]:
    """The part of a label map around the brain."""
    inside = np.argwhere(np.isin(labels, (2, 3, 41, 42, 7, 8, 16, 46, 47)))
    if inside.size == 0:
        raise PreparationError("label map: no brain in it; expected FreeSurfer's numbers")
    low = np.maximum(inside.min(axis=0) - MARGIN, 0)
    high = np.minimum(inside.max(axis=0) + MARGIN + 1, labels.shape)
    i, j, k = (slice(int(start), int(stop)) for start, stop in zip(low, high, strict=True))
    affine = grid.affine.copy()
    affine[:3, 3] = grid.to_world(low[None].astype(float))[0]
    part = np.ascontiguousarray(labels[i, j, k])
    return part, Grid(part.shape, affine)


def _smooth(mean: Channels) -> Channels:
    """The prior of both hemispheres together, smoothed."""
    from scipy import ndimage

    both = 0.5 * (mean + mean[:, ::-1])
    return np.stack([ndimage.gaussian_filter(one, PRIOR_SMOOTHING) for one in both]).astype(np.float32)


def _fields(name: str, split: str) -> dict[str, str]:
    return {"case": name, "subject": name, "label": "healthy", "split": split, "site": "label map"}


def _row_fields(row: ManifestRow) -> dict[str, str]:
    return {
        "case": row.case,
        "subject": row.subject,
        "label": row.label,
        "split": row.split or "",
        "site": row.site,
        "age": row.age,
        "sex": row.sex,
    }
