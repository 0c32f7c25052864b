"""Draw ten pairs and what `pair-fit` says of them, for docs/pairs.md.

python docs/make_disagreements.py MODEL STORE OUT_FOLDER

STORE holds healthy test pairs of CT in Hounsfield units (one channel) and T1w as volumes; MODEL is calibrated. Each
picture takes the next test pair by name and plants its fault there. Not in turn are the last two: the healthy pair with
the highest score, and the infarct on CT with the lowest. Writes pair-01.png to pair-10.png and prints a line each.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sanum.calibration.rules import decide
from sanum.core.records import AnomalyMap, Prepared
from sanum.model import Model, load
from sanum.prepare.store import Store
from sanum.synthesis.cross_modal import ct_scale, plant_cross
from sanum.workflow.fit import model_summary
from sanum.workflow.pair_scoring import most_at_odds

FAULTS = (
    "",
    "foreign-slice",
    "left-right-swap",
    "misregistered",
    "motion-on-MR",
    "bleed-on-CT",
    "resection-on-CT",
    "infarct-on-MR",
)
"""Of the first pictures, one a test pair; "" leaves it as it is."""

MISSED = "infarct-on-CT"
SIDE, GAP, LINE, SIZE_ML, SEED = 300, 6, 26, 5.0, 0
CT_HU = (-10.0, 90.0)
MARGIN = 1.0
"""Pixels left free around the head."""

HOTTEST = 4.0
"""Decades shown in full colour."""

HOT, MARK, INK = np.array([255.0, 110.0, 0.0]), (70, 200, 255), (235, 235, 235)


@dataclass(frozen=True)
class Judged:
    """A pair and what the model says of it: map, case score, and whether that is above its limit at level .05."""

    case: Prepared
    found: AnomalyMap
    score: float
    abnormal: bool


def judged(model: Model, case: Prepared) -> Judged:
    """Judge one pair."""
    found = model.detector.score(case)
    score = found.summary(model_summary(model))
    return Judged(case, found, score, decide(score, model.calibrated()).abnormal)


def planted(case: Prepared, kind: str, stranger: Prepared) -> Prepared:
    """The pair with a fault, in CT or T1w as its name says, else in T1w."""
    if not kind:
        return case
    side = case.modalities[0 if kind.endswith("CT") else 1]
    return plant_cross(case, kind, side, size=SIZE_ML, seed=SEED, donor=stranger)


def picture(shown: Judged) -> Image.Image:
    """CT, T1w, and both again with what is at odds in colour; the planted lesion outlined in the plain ones."""
    case, k = shown.case, slice_of(shown)
    ct, mask = np.asarray(case.voxels[0], np.float32), case.mask[..., k]
    hu = ct_scale(ct, case.mask, case.modalities[0]).hounsfield(ct)[..., k]
    grey = ((hu - CT_HU[0]) / (CT_HU[1] - CT_HU[0]), np.asarray(case.voxels[1], np.float32)[..., k])
    heats = [np.nan_to_num(shown.found.parts[f"{name}: at odds"][..., k]) for name in case.modalities]
    lesion = None if case.lesion is None or case.lesion.sum() == case.mask.sum() else case.lesion[..., k]
    planes = [marked(plane.clip(0, 1) * mask, lesion) for plane in grey]
    planes += [hot(plane.clip(0, 1) * mask, heat) for plane, heat in zip(grey, heats, strict=True)]
    box = around(case.mask)
    page = Image.new("RGB", (4 * SIDE + 3 * GAP, SIDE + LINE), "black")
    draw = ImageDraw.Draw(page)
    for number, (plane, title) in enumerate(
        zip(planes, ("CT", "T1w", "CT: at odds", "T1w: at odds"), strict=True)
    ):
        left = number * (SIDE + GAP)
        page.paste(plane.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box), (left, LINE))
        draw.text((left + 8, 3), title, fill=INK, font=ImageFont.load_default(17))
        draw.text((left + 8, LINE + SIDE // 2 - 10), "R", fill=MARK, font=ImageFont.load_default(17))
    return page


def slice_of(shown: Judged) -> int:
    """The slice that shows most of the lesion; without one the oddest, and of a spoilt whole the middle one."""
    lesion, mask = shown.case.lesion, shown.case.mask
    if lesion is None:
        return int(np.unravel_index(np.nanargmax(shown.found.values), mask.shape)[2])
    if lesion.sum() == mask.sum():
        return mask.shape[2] // 2
    return int(lesion.sum(axis=(0, 1)).argmax())


def around(mask: NDArray[np.bool_]) -> tuple[float, float, float, float]:
    """The square of an upright picture that holds the head: left, top, right, bottom."""
    rows, columns = np.nonzero(upright(mask.any(axis=2)))
    side = mask.shape[0]
    half = min(0.5 * float(max(np.ptp(rows), np.ptp(columns)) + 1) + MARGIN, 0.5 * side)
    middle = (0.5 * (rows.min() + rows.max() + 1), 0.5 * (columns.min() + columns.max() + 1))
    top, left = (float(np.clip(centre - half, 0.0, side - 2.0 * half)) for centre in middle)
    return left, top, left + 2.0 * half, top + 2.0 * half


def upright(plane: NDArray[np.floating]) -> NDArray[np.floating]:
    """Front on top, the patient's right on the left."""
    return np.rot90(plane[::-1])


def marked(plane: NDArray[np.floating], lesion: NDArray[np.bool_] | None) -> Image.Image:
    """Grey, with arrow heads left and right of the lesion."""
    image = Image.fromarray((255 * upright(plane)).astype(np.uint8)).convert("RGB")
    if lesion is None or not lesion.any():
        return image
    rows, columns = np.nonzero(upright(lesion))
    draw, row = ImageDraw.Draw(image), int(rows.mean())
    for tip, way in ((int(columns.min()) - 3, -1), (int(columns.max()) + 3, 1)):
        draw.polygon([(tip, row), (tip + 5 * way, row - 3), (tip + 5 * way, row + 3)], fill=MARK)
    return image


def hot(plane: NDArray[np.floating], heat: NDArray[np.floating]) -> Image.Image:
    """Dimmed grey under the colour of surprise."""
    base = np.repeat(160 * upright(plane)[..., None], 3, axis=2)
    share = upright(heat / HOTTEST).clip(0, 1)[..., None]
    return Image.fromarray((base * (1 - share) + share * HOT).astype(np.uint8))


def line(number: int, kind: str, shown: Judged) -> str:
    """What the model says, for the caption."""
    parts, case = shown.found.parts, shown.case
    pair = {
        kind: float(np.nanmax(parts[f"pair: {kind}"])) for kind in ("unexplained", "mirrored", "displaced")
    }
    noise = {name: float(np.nanmax(parts[f"{name}: artefact"])) for name in case.modalities}
    words = [f"{number:02d} {case.case} {kind or 'healthy'}: score {shown.score:.1f}"]
    words += ["abnormal" if shown.abnormal else "not abnormal"]
    words += [f"{name} {value:.1f}" for name, value in pair.items()]
    words += [f"artefact of {name} {value:.1f}" for name, value in noise.items()]
    if case.lesion is not None and case.lesion.sum() < case.mask.sum():
        hottest = {name: float(np.nanmax(parts[f"{name}: at odds"][case.lesion])) for name in case.modalities}
        words += [f"names {most_at_odds(shown.found, case.lesion)} there"]
        words += [f"at odds there, {name} {value:.1f}" for name, value in hottest.items()]
    return ", ".join(words)


def main(model_path: Path, folder: Path, out: Path) -> None:
    """Draw all ten."""
    model, store = load(model_path), Store.open(folder)
    rows = [
        row for row in store.manifest() if (row.split, row.status, row.label) == ("test", "ready", "healthy")
    ]
    cases = [store.load(row.case) for row in rows]
    strangers = [next(one for one in cases if one.case[:15] != case.case[:15]) for case in cases]
    shown = [
        (kind, judged(model, planted(case, kind, stranger)))
        for kind, case, stranger in zip(FAULTS, cases, strangers, strict=False)
    ]
    healthy = [judged(model, case) for case in cases]
    shown.append(("", max(healthy, key=lambda one: one.score)))
    missed = [
        judged(model, planted(*pair)) for pair in zip(cases, [MISSED] * len(cases), strangers, strict=True)
    ]
    shown.append((MISSED, min(missed, key=lambda one: one.score)))
    for number, (kind, one) in enumerate(shown, 1):
        small = picture(one).quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        small.save(out / f"pair-{number:02d}.png", optimize=True)
        print(line(number, kind, one))


if __name__ == "__main__":
    main(*(Path(each) for each in sys.argv[1:4]))
