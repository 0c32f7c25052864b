"""Draws the pictures of docs/detectors/cross-modal.md from real runs: faults, what is expected, maps, latents.

python docs/make_pair_figures.py CROSS_MODAL.safetensors CLASSIC.safetensors STORE CASES.tsv OUT

The panels show the axial slice of the first healthy test patient by name, with the faults of `SHOWN`; the latents are
those of healthy axial test pairs, and of the same with the MR of the next patient. CASES.tsv is what `sanum pairs` wrote.
"""

import csv
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sanum.core.records import AnomalyMap, Prepared, Summary
from sanum.detectors.base import Detector
from sanum.detectors.cross_modal import CrossModalDetector
from sanum.model import load
from sanum.nets.views import windowed
from sanum.prepare.store import Store
from sanum.report.curves import svg
from sanum.report.figures import chart
from sanum.report.pair_figures import distributions, panels
from sanum.synthesis.cross_modal import plant_cross
from sanum.workflow.fit import model_summary

SHOWN = (
    ("as it is", "", ""),
    ("bleed on CT", "bleed-on-CT", "CT"),
    ("infarct on CT", "infarct-on-CT", "CT"),
    ("resection on MR", "resection-on-MR", "T1w"),
    ("infarct on MR", "infarct-on-MR", "T1w"),
)
Panel = tuple[str, NDArray[np.float32], str]

SIZE, SEED = 400.0, 0
WIDTH = 0.1
"""Width of the window round its commonest tissue that CT is shown through."""

MOST = 20


def panel_rows(detector: CrossModalDetector, classic: Detector, case: Prepared) -> list[list[Panel]]:
    """A row a fault."""
    rows = []
    for label, kind, side in SHOWN:
        shown = plant_cross(case, kind, side, size=SIZE, seed=SEED) if kind else case
        expected = detector.expected(shown)[..., 0]
        ct, mr = np.asarray(shown.voxels[..., 0])
        found = detector.score(shown)
        error = np.nan_to_num(classic.score(shown).values[..., 0])
        rows.append(
            [
                (f"{label}: CT", _windowed(ct), "grey"),
                ("T1w", mr, "grey"),
                ("CT expected", _windowed(expected[0]), "grey"),
                ("T1w expected", expected[1], "grey"),
                ("CT at odds", _part(found, "CT: fused"), "heat"),
                ("T1w at odds", _part(found, "T1w: fused"), "heat"),
                ("classic error", 4.0 * error / 0.2, "heat"),
            ]
        )
    return rows


def latent_map(healthy: NDArray[np.floating], cases: NDArray[np.floating], scores: Sequence[float]) -> bytes:
    """Cases in the plane of the two widest directions of healthy latents, coloured by score, as SVG.

    Args:
        healthy: (n, D), drawn in grey; the plane is theirs.
        cases: (m, D).
        scores: (m,).
    """
    middle = healthy.mean(axis=0)
    _, _, axes_of = np.linalg.svd(healthy - middle, full_matrices=False)
    plane = axes_of[:2].T
    figure, axes = chart("first direction of healthy latents", "second direction", (6.4, 4.8))
    flat, shown = (healthy - middle) @ plane, (cases - middle) @ plane
    axes.scatter(flat[:, 0], flat[:, 1], s=10, color="#bbbbbb", label=f"training (n = {len(flat)})")
    dots = axes.scatter(
        shown[:, 0], shown[:, 1], s=22, c=list(scores), cmap="viridis", label=f"test (n = {len(shown)})"
    )
    figure.colorbar(dots, ax=axes, label="score")
    axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def latents(detector: CrossModalDetector, summary: Summary, cases: list[Prepared]) -> bytes:
    """True pairs, and each with the MR of the next patient, among the healthy latents."""
    mixed = [
        replace(one, voxels=np.stack([one.voxels[0], other.voxels[1]]) * (one.mask | other.mask))
        for one, other in zip(cases, [*cases[1:], cases[0]], strict=True)
    ]
    every = [*cases, *mixed]
    scores = [detector.score(each).summary(summary) for each in every]
    return latent_map(
        detector.healthy_latents, np.concatenate([detector.latents(each) for each in every]), scores
    )


def pair_distances(table: Path, name: str) -> bytes:
    """Fused score of true pairs and of others, as `sanum pairs` found them."""
    with table.open() as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    kinds = ("healthy", "re-paired", "foreign-slice")
    values = {kind: [float(line[name]) for line in lines if line["kind"] == kind] for kind in kinds}
    values = {kind: found for kind, found in values.items() if found}
    return distributions(values, "surprise of the pair, decades")


def _part(found: AnomalyMap, name: str) -> NDArray[np.float32]:
    return np.nan_to_num(found.parts[name][..., 0])


def _windowed(ct: NDArray[np.float32]) -> NDArray[np.float32]:
    return windowed(torch.from_numpy(np.array(ct))[None], WIDTH)[0].numpy()


if __name__ == "__main__":
    model, classic, store = load(Path(sys.argv[1])), load(Path(sys.argv[2])), Store.open(Path(sys.argv[3]))
    table, out = Path(sys.argv[4]), Path(sys.argv[5])
    rows = [row for row in store.manifest() if row.split == "test" and row.label == "healthy"]
    axial = [store.load(row.case) for row in rows if row.case.endswith("_axial")]
    detector = model.detector
    assert isinstance(detector, CrossModalDetector)
    pictures = {
        "cross-modal-panels.png": panels(panel_rows(detector, classic.detector, axial[0])),
        "cross-modal-latents.svg": latents(detector, model_summary(model), axial[:MOST]),
        "cross-modal-pairs.svg": pair_distances(table, f"{model.name} / pair: mispaired"),
    }
    for name, content in pictures.items():
        (out / name).write_bytes(content)
