"""Draw what `pair-fit` says of a healthy pair, of eight faults, and of the healthy pair it likes least, for docs/pairs.md.

python docs/make_disagreements.py MODEL STORE OUT.png

STORE holds test pairs of CT (one channel, in Hounsfield units or as grey levels) and T1w. The healthy pair is the one in
the middle of all test cases by score; the faults are planted in it. Below each picture stands what the model says.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sanum.core.records import AnomalyMap, Prepared
from sanum.model import Model, load
from sanum.prepare.store import Store
from sanum.synthesis.cross_modal import ct_scale, plant_cross
from sanum.workflow.fit import model_summary
from sanum.workflow.pair_scoring import most_at_odds

FAULTS = (
    ("bleed-on-CT", 0),
    ("infarct-on-CT", 0),
    ("resection-on-CT", 0),
    ("metal-on-CT", 0),
    ("infarct-on-MR", 1),
    ("motion-on-MR", 1),
    ("left-right-swap", 1),
    ("foreign-slice", 1),
)
SIDE, TEXT, SEED = 150, 30, 4
CT_HU = (-10.0, 90.0)
HOTTEST = 4.0
"""Decades shown in full colour."""


def main(model_path: Path, folder: Path, out: Path) -> None:
    """Write the page."""
    model, store = load(model_path), Store.open(folder)
    rows = [
        row
        for row in store.manifest()
        if row.split == "test" and row.status == "ready" and row.label == "healthy"
    ]
    cases = [store.load(row.case) for row in rows]
    scores = [model.detector.score(case).summary(model_summary(model)) for case in cases]
    order = np.argsort(scores)
    own, worst = cases[order[len(order) // 2]], cases[order[-1]]
    stranger = next(case for case in cases if case.subject[:15] != own.subject[:15])
    size = 400.0 if own.is_image else 5.0
    tiles = [_tile(model, own, "healthy", max(scores))]
    for kind, channel in FAULTS:
        name = own.modalities[channel]
        ill = plant_cross(own, kind, name, size=size, seed=SEED, donor=stranger)
        tiles.append(_tile(model, ill, kind.replace("-", " "), max(scores)))
    tiles.append(_tile(model, worst, "healthy, the worst", max(scores)))
    columns = 2
    lines = -(-len(tiles) // columns)
    page = Image.new("RGB", (columns * tiles[0].width, lines * tiles[0].height))
    for number, tile in enumerate(tiles):
        page.paste(tile, ((number // lines) * tile.width, (number % lines) * tile.height))
    page.save(out, optimize=True)


def _tile(model: Model, case: Prepared, title: str, highest: float) -> Image.Image:
    found = model.detector.score(case)
    k = _slice(case, found)
    ct, mr = np.asarray(case.voxels[0], np.float32), np.asarray(case.voxels[1], np.float32)
    hu = ct_scale(ct, case.mask, case.modalities[0]).hounsfield(ct)[..., k]
    grey = [(hu - CT_HU[0]) / (CT_HU[1] - CT_HU[0]), mr[..., k]]
    pictures = [_grey(plane * case.mask[..., k]) for plane in grey]
    for name, plane in zip(case.modalities, grey, strict=True):
        heat = np.nan_to_num(found.parts[f"{name}: at odds"][..., k]) / HOTTEST
        pictures.append(_hot(plane * case.mask[..., k], heat))
    tile = Image.new("RGB", (SIDE * 4, SIDE + TEXT))
    for number, picture in enumerate(pictures):
        tile.paste(picture.resize((SIDE, SIDE)), (number * SIDE, TEXT))
    draw = ImageDraw.Draw(tile)
    draw.text((3, 2), title, fill="white")
    draw.text((3, 15), _said(model, case, found, highest), fill=(255, 200, 90))
    return tile


def _said(model: Model, case: Prepared, found: AnomalyMap, highest: float) -> str:
    score = found.summary(model_summary(model))
    pair = {
        kind: float(np.nanmax(found.parts[f"pair: {kind}"]))
        for kind in ("unexplained", "mirrored", "displaced")
    }
    noise = {name: float(np.nanmax(found.parts[f"{name}: artefact"])) for name in case.modalities}
    words = [f"score {score:.1f} (highest healthy {highest:.1f})", f"pair {max(pair.values()):.1f}"]
    words += [f"noise {name.partition(':')[0]} {value:.1f}" for name, value in noise.items()]
    if case.lesion is not None and 0 < case.lesion.sum() < case.mask.sum():
        words.append(f"at odds there: {most_at_odds(found, case.lesion).partition(':')[0]}")
    return ", ".join(words)


def _slice(case: Prepared, found: AnomalyMap) -> int:
    if case.lesion is not None and 0 < case.lesion.sum() < case.mask.sum():
        return int(case.lesion.sum(axis=(0, 1)).argmax())
    if case.lesion is not None:
        return case.grid.shape[2] // 2
    return int(np.unravel_index(np.nanargmax(found.values), found.values.shape)[2])


def _grey(plane: NDArray[np.floating]) -> Image.Image:
    return Image.fromarray((255 * np.rot90(plane).clip(0, 1)).astype(np.uint8)).convert("RGB")


def _hot(plane: NDArray[np.floating], heat: NDArray[np.floating]) -> Image.Image:
    base = np.repeat((160 * np.rot90(plane).clip(0, 1))[..., None], 3, axis=2)
    share = np.rot90(heat.clip(0, 1))[..., None]
    return Image.fromarray((base * (1 - share) + share * np.array([255.0, 110.0, 0.0])).astype(np.uint8))


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:4]))
