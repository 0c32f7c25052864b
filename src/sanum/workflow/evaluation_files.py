"""What an evaluation leaves on disk: figures as JSON, one line a case, and pictures."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import msgspec
import numpy as np

from sanum.core.files import atomic_path, write_json, write_text
from sanum.evaluation.summary import Evaluation, Outcome


def write_evaluation(result: Evaluation, tested: Outcome, out: Path) -> None:
    """Write `evaluation.json`, `cases.tsv`, the figures as SVG, and `evaluation.html` over all of them.

    Raises:
        StorageError: the folder can't be written.
    """
    from sanum.report.evaluation_page import evaluation_page

    write_json(out / "evaluation.json", plain(result))
    write_text(out / "cases.tsv", _case_table(tested))
    pictures = figures(result, tested)
    for name, picture in pictures.items():
        with atomic_path(out / name) as partial:
            partial.write_bytes(picture)
    write_text(out / "evaluation.html", evaluation_page(plain(result), pictures))


def figures(result: Evaluation, tested: Outcome) -> dict[str, bytes]:
    """The figures as SVG by file name; one that the test set has no answer to is left out."""
    from sanum.report.curves import froc_figure, p_value_figure, roc_svg, score_figure, voxel_figure

    lesion, scores = tested.lesion, tested.scores["model"]
    labels = np.where(lesion, "lesion", "healthy").tolist()
    found = {"scores.svg": score_figure(scores, labels, None)}
    counts = tested.pixel_counts()
    groups = [
        ("healthy cases", counts.healthy[~lesion]),
        ("lesion cases, unmarked", counts.healthy[lesion]),
        ("marked as lesion", counts.lesion),
    ]
    voxels = [(name, group.sum(axis=0, dtype=np.float64)) for name, group in groups]
    found["voxels.svg"] = voxel_figure(counts.edges, voxels)
    if tested.latent_distances is not None:
        found["latent.svg"] = score_figure(
            tested.latent_distances, labels, None, "distance to healthy cases in the latent space"
        )
    if "model" in result.case_auroc:
        found["roc.svg"] = roc_svg(scores, lesion, str(result.case_auroc["model"]))
    if len(result.healthy_p_values) > 1:
        found["p-values.svg"] = p_value_figure(result.healthy_p_values, result.calibration_subjects)
    if result.lesions is not None:
        found["froc.svg"] = froc_figure(result.lesions.curve)
    return found


def plain(result: object) -> dict[str, object]:
    """The figures as plain JSON values; what is not a number becomes null."""
    built: dict[str, object] = msgspec.json.decode(msgspec.json.encode(result))
    return built


def _latent(tested: Outcome, index: int) -> dict[str, float]:
    if tested.latent_distances is None:
        return {}
    return {"latent_distance": float(tested.latent_distances[index])}


def _case_table(tested: Outcome) -> str:
    """One line a case; a figure it has no answer to is an empty cell."""
    lines = []
    for index, case in enumerate(tested.cases):
        who = case.subject
        figures = {
            "score": tested.scores["model"][index],
            "p_value": tested.p_values[index],
            **_latent(tested, index),
            **{f"abnormal ({one.rule})": float(one.abnormal[index]) for one in tested.decided},
            "lesion_size": case.lesion_size,
            "average_precision": case.average_precision,
            **{f"dice ({name})": value for name, value in case.dices.items()},
        }
        lines.append(
            {
                "case": who.case,
                "subject": who.subject,
                "label": "lesion" if who.lesion else "healthy",
                "site": who.site or "",
                "age": "" if who.age is None else f"{who.age:g}",
                "sex": who.sex or "",
                **{name: "" if np.isnan(value) else f"{value:.6g}" for name, value in figures.items()},
            }
        )
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
