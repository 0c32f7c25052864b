"""A classic model of made slices, so that the load benchmark needs no data: the weights don't change its speed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from sanum.cohort.table import read_cohort
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.export import export
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.prepare import prepare_cohort

SIZE = 128
SPLITS = ("train",) * 24 + ("calibration",) * 24


def picture(seed: int = 0, lesion: bool = False) -> bytes:
    """A made slice: an ellipse of tissue with texture on black, as PNG; a lesion is a bright square."""
    i, j = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE))
    noise = np.random.default_rng(seed).normal(0, 8, (SIZE, SIZE))
    grey = np.where(i**2 + (j / 0.9) ** 2 < 0.7, 120 + 40 * np.cos(5 * i) + noise, 0)
    if lesion:
        grey[48:64, 70:86] = 255
    sink = io.BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def made_model(folder: Path, *, letter: bool) -> Path:
    """Prepare, train one epoch, calibrate and export.

    Args:
        folder: for everything that is made.
        letter: the classic rule to the letter (whole picture, lowest to highest grey), else the default of the
            preset `slices` (square around the brain, robust percentiles).
    """
    name = "letter" if letter else "slices"
    lines = ["case\tsubject\tFLAIR\tlabel\tsplit"]
    for seed, split in enumerate(SPLITS):
        (folder / f"{seed}.png").write_bytes(picture(seed))
        lines.append(f"c{seed}\ts{seed}\t{seed}.png\thealthy\t{split}")
    (folder / "cohort.tsv").write_text("\n".join(lines) + "\n")
    preparation = Slices(("FLAIR",), scaling="minmax", crop="full") if letter else Slices(("FLAIR",))
    prepare_cohort(read_cohort(folder / "cohort.tsv"), folder / name, preparation, workers=1)
    path = folder / f"{name}.safetensors"
    fit_and_calibrate(Store.open(folder / name), "cae-strided", {"epochs": 1}, out=path)
    export(path)
    return path
