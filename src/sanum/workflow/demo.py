"""The whole chain on made subjects: cohort, prepare, check, train, calibrate, detect, evaluate."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sanum.cohort.table import Cohort, Row, read_cohort, write_cohort
from sanum.core.records import NOTICE, Split
from sanum.core.shipped import DEFAULT_MODEL, find_model
from sanum.evaluation.summary import Evaluation
from sanum.formats import write_volume
from sanum.prepare.presets import Template
from sanum.prepare.store import Store
from sanum.prepare.template import icbm152
from sanum.synthesis.subject import make_subject
from sanum.workflow.check import check
from sanum.workflow.detect_many import detect_rows
from sanum.workflow.evaluate import evaluate
from sanum.workflow.executor import map_cases
from sanum.workflow.fit import fit_and_calibrate, recalibrate
from sanum.workflow.prepare import prepare_cohort

TRAIN, CALIBRATION, TEST_HEALTHY, TEST_LESION = 12, 12, 3, 3
LEVEL = 0.1
LESION_ML = 10.0
RECIPES: dict[str, dict[str, Any]] = {"intensity": {}, "atlas": {}, "cae": {"epochs": 4}}
SHOWN = DEFAULT_MODEL


@dataclass(frozen=True)
class _Plan:
    number: int
    seed: int
    lesion: bool
    split: Split
    folder: Path


def demo(out: Path, *, seed: int = 0) -> Iterator[str]:
    """Run everything into `out`; yields a sentence a stage, and at the end what was found and where."""
    started = time.perf_counter()
    cohort_path = out / "cohort.tsv"
    plans = list(_plans(out / "scans", seed))
    rows = sorted((row for _, row in map_cases(_make, plans)), key=lambda row: row.case)
    write_cohort(Cohort(cohort_path, tuple(rows), ("T1w",)), cohort_path)
    cohort = read_cohort(cohort_path)
    yield f"made {len(cohort)} subjects from the ICBM152 template: {cohort_path}"
    prepare_cohort(cohort, out / "prepared", Template(("T1w",)))
    page = check(out / "prepared", out / "check.html").page
    yield f"prepared; contact sheet: {page} ({_passed(started)})"
    store = Store.open(out / "prepared")
    for recipe, settings in RECIPES.items():
        model_path = out / f"{recipe}.safetensors"
        fit_and_calibrate(store, recipe, settings, out=model_path, seed=seed)
        recalibrate(model_path, None, rule="conformal", level=LEVEL, out=model_path)
        figures = evaluate(model_path, out / "prepared", out / f"evaluation-{recipe}", draws=200)
        yield f"{recipe}: trained, calibrated on {CALIBRATION} others, tested: {_figures(figures)} ({_passed(started)})"
    local = out / f"{DEFAULT_MODEL}.safetensors"
    recalibrate(find_model(Path(DEFAULT_MODEL)), out / "prepared", rule="conformal", level=LEVEL, out=local)
    figures = evaluate(local, out / "prepared", out / f"evaluation-{DEFAULT_MODEL}", draws=200)
    yield (
        f"{DEFAULT_MODEL}: calibrated anew on the {CALIBRATION} others, tested: {_figures(figures)} "
        f"({_passed(started)})"
    )
    tests = [row for row in cohort if row.split == "test"]
    for line in detect_rows(out / f"{SHOWN}.safetensors", tests, out / "results"):
        yield f"{line['case']} ({line['label']}): {line['status']}, p = {line['p_value']}"
    worst = next(row.case for row in tests if row.label == "lesion")
    yield f"open {out / 'results' / worst / 'report.html'} ({_passed(started)}). {NOTICE}"


def _figures(found: Evaluation) -> str:
    auroc = found.case_auroc["model"]
    precision = "" if found.pixels is None else f", pixel AP {found.pixels.ap} "
    return f"case AUROC {auroc} on {found.healthy} healthy and {found.lesion} lesion cases{precision}"


def _passed(started: float) -> str:
    return f"{time.perf_counter() - started:.0f} s"


def _plans(folder: Path, seed: int) -> Iterator[_Plan]:
    kinds: list[tuple[bool, Split, int]] = [
        (False, "train", TRAIN),
        (False, "calibration", CALIBRATION),
        (False, "test", TEST_HEALTHY),
        (True, "test", TEST_LESION),
    ]
    wanted = [(lesion, split) for lesion, split, count in kinds for _ in range(count)]
    for number, (lesion, split) in enumerate(wanted, start=1):
        yield _Plan(number, 1000 * seed + number, lesion, split, folder)


def _make(plan: _Plan) -> Row:
    template = icbm152()
    made = make_subject(
        template.t1,
        template.brain,
        template.grid,
        seed=plan.seed,
        lesion_ml=LESION_ML if plan.lesion else None,
    )
    case = f"made-{plan.number:02d}"
    scan = plan.folder / f"{case}_T1w.nii.gz"
    write_volume(scan, made.voxels, made.grid)
    lesion = None
    if plan.lesion:
        lesion = plan.folder / f"{case}_lesion.nii.gz"
        write_volume(lesion, made.lesion.astype(np.uint8), made.grid)
    return Row(
        case=case,
        subject=case,
        scans={"T1w": scan},
        lesion=lesion,
        label="lesion" if plan.lesion else "healthy",
        split=plan.split,
    )
