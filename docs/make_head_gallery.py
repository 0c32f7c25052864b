"""Draw real and made head CT side by side, and every made lesion of heads, into docs/images.

python docs/make_head_gallery.py FOLDER_OF_SYNTHRAD_CTMRI LABEL_MAP

The published pictures use axial slices of SynthRAD2023 (CC BY-NC) and training_seg_07 of SynthSeg (Apache-2.0). Real
CT is 8-bit there: Hounsfield units are told from the level of air and of the commonest tissue, about 10 to a grey level.
Both are shown in the same two windows; the numbers that made levels were set by are printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sanum.cohort.table import read_cohort
from sanum.formats import read_scan
from sanum.prepare.steps import orient
from sanum.synthesis.head_lesions import HEAD_LESIONS, painted_ct, painted_mr
from sanum.synthesis.head_scanner import Scanners, make_frame, scan_ct, scan_mask, scan_mr
from sanum.synthesis.head_volumes import SEQUENCES, hounsfield, make_head, sequence_of

IMAGES = Path(__file__).parent / "images"
SIDE, CAPTION, SHOWN = 180, 14, 4
BRAIN_HU = 35.0
WIDE, NARROW = (-200.0, 1400.0), (-20.0, 100.0)
LEVELS = (0.45, 0.52, 0.6, 0.68)
"""Heights of the made slices, as shares of the head."""


def main(real: Path, labels: Path) -> None:
    """Write synthesis-head-ct.png and synthesis-head-lesions.png."""
    rows, bone = [], []
    cohort = [
        row
        for row in read_cohort(real / "cohort.tsv")
        if row.extra["plane"] == "axial" and row.split == "train"
    ]
    pairs = [_real(row.scans["CT"], real / row.extra["head"]) for row in cohort[:24]]
    read = read_scan(labels)
    numbers = np.rint(orient.ras_voxels(read.voxels, read.grid)).astype(np.int16)
    made = [_made(numbers, seed, level) for seed, level in enumerate(LEVELS)]
    for name, group in (("real, 8-bit", pairs), ("made", made)):
        bone.append(np.concatenate([hu[head & (hu > 250)] for hu, head in group]))
        print(f"{name}: bone median {np.median(bone[-1]):.0f}, 95 % {np.quantile(bone[-1], 0.95):.0f} HU")
        rows.append(_row([_tile(hu, *ends) for hu, _ in group[:SHOWN] for ends in (WIDE, NARROW)], name))
    _save(rows, IMAGES / "synthesis-head-ct.png", columns=1)
    _save([_lesion(numbers, kind) for kind in HEAD_LESIONS], IMAGES / "synthesis-head-lesions.png", columns=2)


def _real(path: Path, head: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    grey, mask = (read_scan(one).voxels[..., 0].astype(float) for one in (path, head))
    air, counts = grey[mask == 0].mean(), np.bincount(grey[mask > 0].astype(int), minlength=256)
    counts[: int(air) + 20] = 0
    return -1000.0 + (grey - air) * (1000.0 + BRAIN_HU) / (counts.argmax() - air), mask > 0


def _made(
    numbers: NDArray[np.int16], seed: int, level: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    rng, how = (
        np.random.default_rng(seed),
        Scanners(pixel_mm=(1.0, 1.0), slice_mm=(1.0, 1.0), tilt_deg=(0.0, 0.0)),
    )
    head = make_head(numbers, rng)
    frame = make_frame(head.labels.shape, how, rng)
    k = int(level * frame.shape[2])
    return scan_ct(hounsfield(head, rng), frame, how, rng)[..., k].astype(float), scan_mask(head.mask, frame)[
        ..., k
    ]


def _lesion(numbers: NDArray[np.int16], kind: str) -> Image.Image:
    rng, how, lesion = np.random.default_rng(5), Scanners(), HEAD_LESIONS[kind]
    head = make_head(numbers, rng)
    soft = lesion.shape(head, 12.0, rng)
    frame = make_frame(head.labels.shape, how, rng)
    marked = scan_mask(soft > 0.5, frame)
    k = int(marked.sum(axis=(0, 1)).argmax())
    ct = scan_ct(painted_ct(hounsfield(head, rng), soft, lesion, rng), frame, how, rng)[..., k]
    tiles = [_tile(ct, *NARROW), _tile(ct, *WIDE)]
    for name in SEQUENCES:
        values = scan_mr(painted_mr(sequence_of(head, name, rng), soft, lesion, name), frame, how, rng)
        tiles.append(_tile(values[..., k], 0.0, 1.1))
    return _row([*tiles, _tile(marked[..., k].astype(float), 0.0, 1.0)], kind)


def _tile(values: NDArray[np.floating], low: float, high: float) -> Image.Image:
    grey = (255 * ((values - low) / (high - low)).clip(0, 1)).astype(np.uint8)
    picture = Image.fromarray(np.rot90(grey))
    picture.thumbnail((SIDE, SIDE))
    tile = Image.new("L", (SIDE, SIDE))
    tile.paste(picture, ((SIDE - picture.width) // 2, (SIDE - picture.height) // 2))
    return tile


def _row(tiles: list[Image.Image], title: str) -> Image.Image:
    row = Image.new("L", (SIDE * len(tiles), SIDE + CAPTION))
    for number, tile in enumerate(tiles):
        row.paste(tile, (number * SIDE, CAPTION))
    ImageDraw.Draw(row).text((3, 1), title, fill="white")
    return row


def _save(rows: list[Image.Image], path: Path, columns: int) -> None:
    width, height = rows[0].size
    lines = -(-len(rows) // columns)
    page = Image.new("L", (columns * width, lines * height))
    for number, row in enumerate(rows):
        page.paste(row, ((number // lines) * width, (number % lines) * height))
    page.save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
