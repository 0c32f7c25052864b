"""How well faults of registered pairs are found: held-out faults planted in one modality of healthy test cases."""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.rules import decide, smallest_level
from sanum.core.errors import CohortError, ConfigError
from sanum.core.files import write_json, write_text
from sanum.core.records import Prepared, Rule
from sanum.evaluation.faults import HEALTHY, FaultRow, Judged, fault_rows
from sanum.evaluation.rates import Rate, rate
from sanum.model import Model, load
from sanum.prepare.store import ManifestRow, Store
from sanum.synthesis.cross_modal import CROSS_KINDS, CrossKind, plant_cross, sides_of
from sanum.workflow.evaluation_files import plain
from sanum.workflow.fit import person
from sanum.workflow.leaks import check_test_split
from sanum.workflow.pair_scoring import PairScorer, merged, source_of

REPAIRED, DOUBTFUL, LESION = "re-paired", "not known to be healthy", "lesion"
"""Kinds beside the planted ones: a modality of any other subject, and test cases that no one labelled, or as ill."""

LIKEST = 5
"""A foreign slice is one of so many other subjects' whose outlines are likest."""


@dataclass(frozen=True)
class PairOptions:
    """What is planted and how it is measured.

    Attributes:
        kinds: by default all that the cases allow.
        sizes: taken in turn, in ml (in a picture: pixels of the picture as it came).
        level: of the false-alarm rate.
        cases: test cases taken of each label, at most.
        draws: bootstrap samples over subjects.
        seed: of places, donors and bootstrap.
    """

    kinds: tuple[str, ...] = tuple(kind.name for kind in CROSS_KINDS)
    sizes: tuple[float, ...] = (200.0, 400.0, 800.0)
    level: float = 0.05
    cases: int = 1000
    draws: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class PairEvaluation:
    """Result of an evaluation on pairs.

    Attributes:
        rows: a row a kind and score.
        false_alarms: of each calibrated model on the healthy test cases at the wanted level, or at its smallest.
        facts: models, store, options.
    """

    rows: list[FaultRow]
    false_alarms: dict[str, Rate]
    facts: dict[str, str | float | int]

    def lines(self) -> list[str]:
        """One sentence a row, and the false alarms."""
        said = [f"false alarms, {name}: {found}" for name, found in self.false_alarms.items()]
        for row in self.rows:
            pixels = (
                "" if row.precision is None else f"; pixel AP {row.precision} (marked {row.prevalence:.3f})"
            )
            named = "" if row.named_right is None else f"; names the modality rightly {row.named_right:.2f}"
            said.append(f"{row.kind}, {row.score}: AUROC {row.auroc} (n = {row.cases}){pixels}{named}")
        return said


def evaluate_pairs(
    model_path: Path,
    prepared: Path,
    out: Path | None = None,
    *,
    beside: Sequence[Path] = (),
    options: PairOptions | None = None,
    on_done: Callable[[str], None] = lambda _: None,
) -> PairEvaluation:
    """Plant every held-out fault in the healthy test cases of a store and see which scores find it.

    Args:
        model_path: model of all modalities of the store.
        prepared: store.
        out: folder for `pairs.json`, `pairs.tsv`, `cases.tsv` and figures; nothing is kept without it.
        beside: further models, of the same modalities or some of them, as the rows to stand beside.
        options: what is planted.
        on_done: called after each test case.

    Raises:
        CohortError: fewer than two healthy test cases, a leak between splits, or a model of other modalities.
    """
    how = options or PairOptions()
    store = Store.open(prepared)
    models = [load(path) for path in (model_path, *beside)]
    _check_models(models, store)
    check_test_split(models[0], store)
    scorers = [PairScorer(model, model.name) for model in models]
    rows = [row for row in store.manifest() if row.split == "test" and row.status == "ready"]
    healthy = spread([row for row in rows if row.label == "healthy"], how.cases)
    if len(healthy) < 2:
        raise CohortError(f"{prepared}: expected two or more healthy test cases, got {len(healthy)}")
    outlines = np.stack([store.load(row.case).mask.max(axis=2).ravel() for row in healthy])
    judged: list[Judged] = []
    for number, row in enumerate(healthy):
        for case, kind, side in _spoilt(store, healthy, outlines, number, how):
            judged.append(merged([scorer.judged(case, row, kind, side) for scorer in scorers]))
        on_done(row.case)
    for label, kind in (("unknown", DOUBTFUL), ("lesion", LESION)):
        for row in spread([row for row in rows if row.label == label], how.cases):
            case = store.load(row.case)
            judged.append(merged([scorer.judged(case, row, kind) for scorer in scorers]))
            on_done(row.case)
    alarms = _false_alarms(scorers, judged, healthy, how.level)
    facts: dict[str, str | float | int] = {
        "model": models[0].name,
        "model_sha256": models[0].sha256,
        "store": str(prepared),
        "sizes": ", ".join(f"{size:g}" for size in how.sizes),
        "level": how.level,
        "draws": how.draws,
        "seed": how.seed,
    }
    result = PairEvaluation(fault_rows(judged, draws=how.draws, seed=how.seed), alarms, facts)
    if out is not None:
        _write(result, judged, out)
    return result


def spread(rows: Sequence[ManifestRow], most: int) -> list[ManifestRow]:
    """At most so many rows, evenly taken from all."""
    places = np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int)
    return [rows[place] for place in np.unique(places)]


def _spoilt(
    store: Store, healthy: Sequence[ManifestRow], outlines: NDArray[np.bool_], number: int, how: PairOptions
) -> list[tuple[Prepared, str, str]]:
    """A healthy case as it is, and with each fault; faults that it does not allow are left out."""
    case, own = store.load(healthy[number].case), healthy[number]
    strangers = [n for n, row in enumerate(healthy) if row.subject != own.subject]
    shared = (outlines[strangers] & outlines[number]).sum(1) / (outlines[strangers] | outlines[number]).sum(1)
    likest = [strangers[n] for n in np.argsort(-shared, kind="stable")[:LIKEST]]
    rng = np.random.default_rng([how.seed, zlib.crc32(own.case.encode())])
    near = store.load(healthy[likest[int(rng.integers(len(likest)))]].case)
    anyone = store.load(healthy[strangers[int(rng.integers(len(strangers)))]].case)
    made: list[tuple[Prepared, str, str]] = [(replace(case, lesion=None), HEALTHY, "")]
    wanted = [kind for kind in CROSS_KINDS if kind.name in how.kinds]
    for order, kind in enumerate(wanted):
        for side in _sides(kind, case.modalities, number):
            seed = int(rng.integers(2**31))
            size = how.sizes[(number + order) % len(how.sizes)]
            try:
                made.append(
                    (plant_cross(case, kind.name, side, size=size, seed=seed, donor=near), kind.name, side)
                )
            except ConfigError:
                continue
    if anyone.grid.shape[:2] == case.grid.shape[:2]:
        side = case.modalities[number % len(case.modalities)]
        made.append((plant_cross(case, "foreign-slice", side, size=1.0, donor=anyone), REPAIRED, side))
    return made


def _sides(kind: CrossKind, modalities: tuple[str, ...], number: int) -> tuple[str, ...]:
    """A fault of any modality is planted in one of them, in turn; one of MR in the first that is MR."""
    sides = sides_of(kind, modalities)
    return sides[number % len(sides) :][:1] if sides and kind.side == "any" else sides[:1]


def _check_models(models: Sequence[Model], store: Store) -> None:
    """Refuse a first model of one modality, and any whose channels the store doesn't hold."""
    first, held = models[0].detector.modalities, store.preparation.channels
    if len(first) < 2:
        raise CohortError(f"model {models[0].name} takes {first[0]} only; pairs need two modalities")
    for model in models:
        lacking = [name for name in model.detector.modalities if source_of(name, held) is None]
        if lacking:
            raise CohortError(
                f"model {model.name} takes {', '.join(model.detector.modalities)}, the store holds {', '.join(held)}; "
                "of CT a narrower window can be cut out of a wider one, nothing else"
            )


def _false_alarms(
    scorers: Sequence[PairScorer], judged: Sequence[Judged], rows: Sequence[ManifestRow], level: float
) -> dict[str, Rate]:
    who = {row.case: person(row) for row in rows}
    healthy = [one for one in judged if one.kind == HEALTHY]
    found = {}
    for scorer in scorers:
        if scorer.model.calibration is None:
            continue
        calibration = scorer.model.calibrated()
        used = max(level, smallest_level(len(calibration.scores)))
        by_rule = replace(calibration, rule=Rule("conformal", used))
        flags = [decide(one.scores[scorer.name], by_rule, who[one.case]).abnormal for one in healthy]
        found[f"{scorer.name}, level {used:.3g}"] = rate(np.array(flags))
    return found


def _write(result: PairEvaluation, judged: Sequence[Judged], out: Path) -> None:
    from sanum.workflow.pair_files import write_figures

    write_json(out / "pairs.json", plain(result))
    lines = [
        {
            "kind": row.kind,
            "score": row.score,
            "auroc": str(row.auroc),
            "pixel_ap": "" if row.precision is None else str(row.precision),
            "prevalence": f"{row.prevalence:.4f}",
            "cases": row.cases,
            "healthy": row.healthy,
            "named_right": "" if row.named_right is None else f"{row.named_right:.3f}",
        }
        for row in result.rows
    ]
    write_text(out / "pairs.tsv", _table(lines))
    cases = [
        {
            "case": one.case,
            "subject": one.subject,
            "kind": one.kind or "healthy",
            "side": one.side,
            "named": one.named,
        }
        | {name: f"{value:.5g}" for name, value in one.scores.items()}
        for one in judged
    ]
    write_text(out / "cases.tsv", _table(cases))
    write_figures(judged, out)


def _table(lines: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
