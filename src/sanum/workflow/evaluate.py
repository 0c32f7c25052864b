"""Score the test split of a store and say how well lesions are told from healthy scans."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import sanum
from sanum.calibration.groups import Person
from sanum.calibration.rules import decide, p_value, smallest_level
from sanum.core.errors import CalibrationError, CohortError, ConfigError
from sanum.core.records import MAP_QUANTILES, Calibration, Rule, Summary
from sanum.evaluation.cases import CaseFigures, Levels, Subject, measure
from sanum.evaluation.pixels import choose_edges
from sanum.evaluation.rates import LEVELS
from sanum.evaluation.summary import Decided, Evaluation, Outcome, summarize
from sanum.model import load
from sanum.prepare.presets import preparation_sha256
from sanum.prepare.store import ManifestRow, Store
from sanum.workflow.executor import map_cases
from sanum.workflow.fit import person
from sanum.workflow.latents import distances
from sanum.workflow.leaks import check_test_split
from sanum.workflow.maps import Maps, Scorer, score_cases
from sanum.workflow.memory import peak_memory_mb

SUMMARIES = {"mean": Summary("mean"), "slice": Summary("slice"), "top 0.5 %": Summary("top", 0.005)}
"""Case scores that every evaluation compares, beside the model's own."""

NORMALS = {
    "5 % of healthy voxels": 0.95,
    "1 % of healthy voxels": 0.99,
    "0.1 % of healthy voxels": 0.999,
    "0.01 % of healthy voxels": 0.9999,
}
"""Map levels at which Dice is taken: so many healthy calibration voxels lie above. Findings are cut at the last one."""

SAMPLE = 2_000_000
"""Pixels drawn from all cases to place bins and thresholds."""

SWEEP = 30
"""Thresholds of the lesion-wise curve."""

SMALL_CASE = 100_000
"""Cases with fewer voxels are measured in this process: starting others would cost more."""


@dataclass(frozen=True)
class EvaluateOptions:
    """How an evaluation is run.

    Attributes:
        draws: bootstrap samples over subjects.
        seed: of the bootstrap and of the pixels that place the bins.
        drop_duplicates: leave out test cases that look like a case of another split, instead of refusing.
        workers: processes that measure volumes, one a core by default; or jobs of a Slurm cluster.
        cluster: address of a Dask scheduler, or "slurm", that scores and measures; None does both here.
    """

    draws: int = 1000
    seed: int = 0
    drop_duplicates: bool = False
    workers: int | None = None
    cluster: str | None = None


def evaluate(
    model_path: Path,
    prepared: Path,
    out: Path | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
    options: EvaluateOptions | None = None,
    on_done: Callable[[str], None] = lambda _: None,
) -> Evaluation:
    """Evaluate a calibrated model on the test split of a store.

    Args:
        model_path: model file.
        prepared: store prepared as the model demands.
        out: folder for maps, `evaluation.json`, `cases.tsv` and figures; nothing is kept without it.
        draws: bootstrap samples over subjects.
        seed: of the bootstrap.
        options: takes the place of `draws` and `seed` where given.
        on_done: called after each case is scored.

    Raises:
        CohortError: no labelled test case, or a leak between splits.
        CalibrationError: the model is not calibrated, or the store was prepared otherwise.
        ConfigError: the cluster can't be reached, or no folder is given for it.
    """
    how = options or EvaluateOptions(draws, seed)
    if how.cluster is not None and out is None:
        raise ConfigError(
            "--cluster: give --out, a folder that the workers see as well, for the anomaly maps"
        )
    with tempfile.TemporaryDirectory() as scratch:
        tested, facts = run_test(model_path, prepared, out or Path(scratch), how, on_done=on_done)
    result = replace(summarize(tested, draws=how.draws, seed=how.seed), facts=facts)
    if out is not None:
        from sanum.workflow.evaluation_files import write_evaluation

        write_evaluation(result, tested, out)
    return result


def run_test(
    model_path: Path,
    prepared: Path,
    folder: Path,
    how: EvaluateOptions,
    *,
    on_done: Callable[[str], None] = lambda _: None,
) -> tuple[Outcome, dict[str, str | float | int]]:
    """Score and measure the test split; maps that lie in the folder already are taken.

    Returns:
        The measured test set, and what was run on what.

    Raises:
        CohortError, CalibrationError: see `evaluate`.
    """
    store = Store.open(prepared.absolute())
    model = load(model_path).suited_to(store.preparation)
    calibration = model.calibrated()
    if preparation_sha256(model.preparation) != preparation_sha256(store.preparation):
        raise CalibrationError(f"{prepared}: prepared otherwise than {model_path} demands")
    leaks = check_test_split(model, store, drop_duplicates=how.drop_duplicates)
    rows = [row for row in store.manifest() if row.split == "test" and row.status == "ready"]
    rows = [row for row in rows if row.label != "unknown" and row.case not in leaks.dropped]
    if not rows:
        raise CohortError(f"{prepared}: no ready test case labelled healthy or lesion")
    scorer = Scorer(model_path.absolute(), model, how.workers, how.cluster)
    maps, seconds = score_cases(scorer, store, rows, folder.absolute(), on_done=on_done)
    tested = replace(
        _measured(maps, rows, calibration, how), latent_distances=distances(model, store, rows, folder)
    )
    facts: dict[str, str | float | int] = {
        "model": model.name,
        "model_sha256": model.sha256,
        "detector": model.detector.name,
        "store": str(prepared),
        "preparation": calibration.preparation,
        "version": sanum.__version__,
        "seconds_a_case": round(seconds, 4),
        "peak_memory_mb": peak_memory_mb(),
        "duplicates_left_out": len(leaks.dropped),
        "lookalikes_across_splits": "; ".join(leaks.suspects),
    }
    return tested, facts


@dataclass(frozen=True, eq=False)
class _Job:
    maps: Maps
    row: ManifestRow
    levels: Levels


@dataclass(frozen=True, eq=False)
class _Measured:
    figures: CaseFigures
    scores: dict[str, float]


def _measured(
    maps: Maps, rows: Sequence[ManifestRow], calibration: Calibration, how: EvaluateOptions
) -> Outcome:
    first = maps.store.load(rows[0].case)
    levels = _levels(maps, rows, calibration, how.seed)
    jobs = [_Job(maps, row, levels) for row in rows]
    workers = 1 if how.cluster is None and int(first.mask.sum()) < SMALL_CASE else how.workers
    done = map_cases(_measure_one, jobs, workers, cluster=how.cluster)
    by_case = {job.row.case: measured for job, measured in done}
    ordered = [by_case[row.case] for row in rows]
    scores = {name: np.array([one.scores[name] for one in ordered]) for name in SUMMARIES}
    own = np.array([maps.load(row.case).summary(calibration.summary) for row in rows])
    people = [person(row) for row in rows]
    return Outcome(
        cases=[one.figures for one in ordered],
        scores={"model": own, **scores},
        p_values=np.array(
            [_p_value(score, calibration, who) for score, who in zip(own, people, strict=True)]
        ),
        decided=_decided(own, people, calibration),
        calibration_subjects=len(calibration.scores),
        edges=levels.edges,
        sweep=levels.sweep,
        is_image=first.is_image,
    )


def _measure_one(job: _Job) -> _Measured:
    case, found = job.maps.store.load(job.row.case), job.maps.load(job.row.case)
    marked = np.zeros(case.mask.shape, bool) if case.lesion is None else np.asarray(case.lesion)
    row, who = job.row, person(job.row)
    subject = Subject(row.case, row.subject, row.label == "lesion", who.site, who.age, who.sex)
    return _Measured(
        measure(subject, found, marked, job.levels, is_image=case.is_image),
        {name: found.summary(summary) for name, summary in SUMMARIES.items()},
    )


def _levels(maps: Maps, rows: Sequence[ManifestRow], calibration: Calibration, seed: int) -> Levels:
    """Place bins and thresholds by a sample of all cases; levels for decisions come from calibration alone."""
    rng = np.random.default_rng(seed)
    share = SAMPLE // len(rows)
    everywhere, marked = [], []
    for row in rows:
        case, found = maps.store.load(row.case), maps.load(row.case).values
        inside = found[case.mask]
        everywhere.append(inside if inside.size <= share else inside[rng.integers(0, inside.size, share)])
        if case.lesion is not None:
            lesion = found[case.lesion & case.mask]
            marked.append(lesion if lesion.size <= share else lesion[rng.integers(0, lesion.size, share)])
    pooled = np.concatenate(everywhere)
    lesions = np.concatenate(marked) if marked else np.empty(0, np.float32)
    sweep = np.quantile(pooled, 1.0 - np.logspace(-0.5, -5.0, SWEEP))
    normals = {
        name: float(calibration.map_levels[MAP_QUANTILES.index(quantile)])
        for name, quantile in NORMALS.items()
    }
    return Levels(choose_edges(pooled, lesions), normals, np.unique(sweep))


def _decided(
    scores: NDArray[np.float64], people: Sequence[Person], calibration: Calibration
) -> list[Decided]:
    """The model's own rule, then the conformal levels that its calibration can guarantee."""
    rules = [calibration.rule]
    rules += [
        Rule("conformal", level) for level in LEVELS if level >= smallest_level(len(calibration.scores))
    ]
    found = []
    for rule in dict.fromkeys(rules):
        by_rule = replace(calibration, rule=rule)
        flags = [decide(score, by_rule, who).abnormal for score, who in zip(scores, people, strict=True)]
        found.append(Decided(f"{rule.name} {rule.level:g}", np.array(flags)))
    return found


def _p_value(score: float, calibration: Calibration, who: Person) -> float:
    if calibration.grouping is None:
        return p_value(score, calibration.scores)
    return decide(score, calibration, who).p_value
