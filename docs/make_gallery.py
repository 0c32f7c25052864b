"""Draw every kind of synthetic lesion, artefact and made contrast into docs/images.

python docs/make_gallery.py SCAN.nii.gz HEADS CASE

SCAN is a brain-extracted T1w volume and HEADS a store of `sanum tissues` that holds CASE; the published pictures use
ds002748, sub-01 and sub-10 (CC0).
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sanum.core.records import Prepared
from sanum.formats import read_scan
from sanum.prepare.pipeline import prepare
from sanum.prepare.presets import Template
from sanum.prepare.store import Store
from sanum.synthesis.artefacts import ARTEFACTS, spoil
from sanum.synthesis.contrasts import FREE, SEQUENCES
from sanum.synthesis.draws import Draws
from sanum.synthesis.kinds import KINDS
from sanum.synthesis.local_lesions import Lesions
from sanum.synthesis.made_ct import CtPlan, make_ct_volumes
from sanum.synthesis.made_volumes import Mix, Plan, VolumeAugmentation, make_volumes
from sanum.synthesis.named_lesions import NAMED, plant_named
from sanum.synthesis.plant import plant
from sanum.training.volume_loss import MakeVolumes

IMAGES = Path(__file__).parent / "images"
SIZES_ML, SEVERITIES = (5.0, 10.0, 20.0), (0.3, 0.6, 1.0)
CAPTION = 14
CONTRASTS = 8
"""Volumes shown of each contrast."""

SEVERITY_OF_NAMED = 0.8


def main(path: str, heads: str, head: str) -> None:
    """Write the five pictures whose names begin with synthesis- and that hold no whole head."""
    case = prepare({"T1w": read_scan(Path(path), "T1w")}, Template(), case="gallery", subject="gallery")
    rows = [
        _lesion_row(case, kind.name, f"{kind.name} ({kind.purpose})", seed) for seed, kind in enumerate(KINDS)
    ]
    IMAGES.mkdir(exist_ok=True)
    _save(rows, IMAGES / "synthesis-lesions.png", columns=2)
    _save([_artefact_row(case, name) for name in ARTEFACTS], IMAGES / "synthesis-artefacts.png", columns=1)
    healthy = Store.open(Path(heads)).load(head)
    rows = [_contrast_row(healthy, name) for name in (*SEQUENCES, FREE)]
    _save(rows, IMAGES / "synthesis-contrasts.png", columns=1)
    rows = [_named_row(healthy, kind, seed) for seed, kind in enumerate(NAMED)]
    _save(rows, IMAGES / "synthesis-named.png", columns=1)
    _save([_ct_row(healthy, seed) for seed in range(3)], IMAGES / "synthesis-ct.png", columns=1)


def _lesion_row(case: Prepared, kind: str, title: str, seed: int) -> Image.Image:
    pictures = []
    for size, severity in zip(SIZES_ML, SEVERITIES, strict=True):
        ill = plant(case, kind, size=size, severity=severity, seed=seed)
        assert ill.lesion is not None
        k = int(ill.lesion.sum(axis=(0, 1)).argmax())
        pictures += [_upright(ill.voxels[0, :, :, k]), _outlined(ill.voxels[0, :, :, k], ill.lesion[:, :, k])]
    return _captioned(pictures, title)


def _artefact_row(case: Prepared, name: str) -> Image.Image:
    k = case.grid.shape[2] // 2
    spoilt = [spoil(case, name, severity=severity, seed=1) for severity in SEVERITIES]
    pictures = [_upright(each.voxels[0, :, :, k]) for each in (case, *spoilt)]
    return _captioned(pictures, f"{name}: none, severity {', '.join(map(str, SEVERITIES))}")


def _contrast_row(head: Prepared, name: str) -> Image.Image:
    """Volumes of one head as training sees them: the slice with most of the lesion, or the middle one."""
    voxels = torch.from_numpy(np.asarray(head.voxels, np.float32))
    made = tuple(float(name == one) for one in SEQUENCES)
    plan = Plan(mix=Mix(scanned=0.0, made=made, free=float(name == FREE)))
    return _made_row(partial(make_volumes, plan), voxels, plan.lesions, 7, name)


def _named_row(head: Prepared, kind: str, seed: int) -> Image.Image:
    """One lesion on T1w, T2w, FLAIR and PDw, without and with its outline."""
    voxels, pictures = torch.from_numpy(np.asarray(head.voxels, np.float32)), []
    scanner = VolumeAugmentation(rotation=0.0, atrophy=0.0, caps=0.0, residue=0.0, noise=0.01, thick=0.0)
    for name in SEQUENCES:
        made = tuple(float(name == one) for one in SEQUENCES)
        plan = Plan(augmentation=scanner, mix=Mix(scanned=0.0, made=made, free=0.0))
        (volume,) = make_volumes(
            plan, voxels[:-1], voxels[-1], plan.lesions, 1, Draws(seed), plant=partial(_one_named, kind)
        )
        lesion = volume.lesion.numpy() > 0.5
        k = int(lesion.sum(axis=(0, 1)).argmax())
        plane = volume.image[:, :, k].numpy()
        pictures += [_upright(plane), _outlined(plane, lesion[:, :, k])]
    return _captioned(pictures, f"{kind}: {', '.join(SEQUENCES)}")


def _one_named(
    kind: str,
    image: torch.Tensor,
    tissues: torch.Tensor,
    brain: torch.Tensor,
    contrast: str,
    draws: Draws,
) -> tuple[torch.Tensor, torch.Tensor]:
    return plant_named(image, tissues, brain, kind, contrast, severity=SEVERITY_OF_NAMED, draws=draws)


def _ct_row(head: Prepared, seed: int) -> Image.Image:
    """The same as CT."""
    voxels, plan = torch.from_numpy(np.asarray(head.voxels, np.float32)), CtPlan()
    return _made_row(partial(make_ct_volumes, plan), voxels, plan.lesions, seed, f"CT, seed {seed}")


def _made_row(
    make: MakeVolumes, voxels: torch.Tensor, lesions: Lesions, seed: int, title: str
) -> Image.Image:
    draws, pictures = Draws(seed, voxels.device), []
    for _ in range(CONTRASTS):
        (volume,) = make(voxels[:-1], voxels[-1], lesions, 1, draws)
        lesion = volume.lesion.numpy() > 0.5
        k = int(lesion.sum(axis=(0, 1)).argmax()) if lesion.any() else lesion.shape[2] // 2
        pictures.append(_outlined(volume.image[:, :, k].numpy(), lesion[:, :, k]))
    return _captioned(pictures, title)


def _upright(plane: NDArray[np.float32]) -> NDArray[np.uint8]:
    grey = (255 * np.rot90(plane).clip(0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def _outlined(plane: NDArray[np.float32], lesion: NDArray[np.bool_]) -> NDArray[np.uint8]:
    inner = lesion.copy()
    for axis in (0, 1):
        for step in (-1, 1):
            inner &= np.roll(lesion, step, axis)
    picture = _upright(plane)
    picture[np.rot90(lesion & ~inner)] = (255, 160, 0)
    return picture


def _captioned(pictures: list[NDArray[np.uint8]], title: str) -> Image.Image:
    strip = np.concatenate(pictures, axis=1)
    row = Image.new("RGB", (strip.shape[1], strip.shape[0] + CAPTION))
    row.paste(Image.fromarray(strip), (0, CAPTION))
    ImageDraw.Draw(row).text((3, 1), title, fill="white")
    return row


def _save(rows: list[Image.Image], path: Path, columns: int) -> None:
    width, height = rows[0].size
    lines = -(-len(rows) // columns)
    page = Image.new("RGB", (columns * width, lines * height))
    for number, row in enumerate(rows):
        page.paste(row, ((number // lines) * width, (number % lines) * height))
    page.save(path, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
