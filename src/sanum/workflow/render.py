"""Healthy scans made of heads, in a sequence of choice: to calibrate and to test where no real ones are at hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sanum.core.errors import CohortError
from sanum.core.files import json_sha256
from sanum.core.records import Prepared, Source
from sanum.prepare.presets import Heads, judged_as, preparation_sha256
from sanum.prepare.store import ManifestRow, Store
from sanum.workflow.fit import MADE_SITE

if TYPE_CHECKING:
    from sanum.synthesis.made_volumes import Plan


def render_store(
    heads: Path, out: Path, modality: str, *, split: str = "calibration", scans: int = 3, seed: int = 0
) -> Store:
    """Write a store of healthy scans of one sequence, several of each head of a split.

    Each comes with a contrast, pose and scanner of its own and counts as a subject; its site is "made".

    Args:
        heads: store of heads, see `sanum.workflow.tissues`.
        out: the new store, as if prepared from scans of `modality`.
        modality: T1w, T2w, FLAIR or PDw.
        split: of the heads to take; the scans keep it.
        scans: how many of each head.
        seed: of everything random.

    Raises:
        CohortError: no store of heads, no ready head in the split, or `out` holds another preparation.
        StorageError: `out` can't be written.
    """
    from sanum.synthesis.draws import Draws
    from sanum.synthesis.made_volumes import Plan

    source = Store.open(heads)
    if not isinstance(source.preparation, Heads):
        raise CohortError(f"{heads}: holds no heads; make them with `sanum tissues`")
    rows = [row for row in source.manifest() if row.split == split and row.status == "ready"]
    if not rows:
        raise CohortError(f"{heads}: no ready head with split '{split}'")
    store = Store.create(out, replace(judged_as(source.preparation), modalities=(modality,)))
    identity = preparation_sha256(store.preparation)
    plan = _healthy_plan(Plan(), modality)
    for number, row in enumerate(rows):
        for scan in range(scans):
            drawn = int(np.random.SeedSequence([seed, number, scan]).generate_state(1)[0])
            made = _rendered(source.load(row.case), plan, modality, identity, Draws(drawn), scan, drawn)
            store.write(made, _fields(made, row, split))
    store.write_manifest()
    return store


def _healthy_plan(plan: Plan, modality: str) -> Plan:
    from sanum.core.modalities import MRI_SEQUENCES

    made = tuple(float(name == modality) for name in MRI_SEQUENCES)
    mix = replace(plan.mix, scanned=0.0, made=made, free=0.0, told=1.0)
    return replace(plan, lesions=replace(plan.lesions, healthy=1.0), mix=mix)


def _rendered(
    head: Prepared, plan: Plan, modality: str, identity: str, draws: object, scan: int, drawn: int
) -> Prepared:
    import torch

    from sanum.synthesis.draws import Draws
    from sanum.synthesis.made_volumes import make_volumes

    assert isinstance(draws, Draws)
    voxels = torch.from_numpy(np.asarray(head.voxels, np.float32))
    (made,) = make_volumes(plan, voxels[:-1], voxels[-1], plan.lesions, 1, draws)
    name = f"{head.case}-{modality}-{scan}"
    origin = {"head": [one.sha256 for one in head.sources], "modality": modality, "seed": drawn}
    return replace(
        head,
        case=name,
        subject=name,
        voxels=np.ascontiguousarray(made.image.numpy()[None], np.float32),
        mask=made.brain.numpy() > 0.5,
        modalities=(modality,),
        preparation=identity,
        sources=(Source(f"made of {head.case}", json_sha256(origin)),),
        native=head.grid,
        to_model=np.eye(4),
        quality=None,
    )


def _fields(made: Prepared, row: ManifestRow, split: str) -> dict[str, str]:
    return {
        "case": made.case,
        "subject": made.subject,
        "label": "healthy",
        "split": split,
        "site": MADE_SITE,
        "age": row.age,
        "sex": row.sex,
    }
