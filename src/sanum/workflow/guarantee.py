"""Test a model's guarantee: false alarms over re-splits of held-out healthy scans, sensitivity beside them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

import sanum
from sanum.calibration.conformal import guarantee, subjects_needed
from sanum.calibration.resplits import HeldOut, Resplits, resplit
from sanum.core.config import to_dict
from sanum.core.errors import CalibrationError, CohortError
from sanum.core.files import atomic_path, write_json, write_text
from sanum.evaluation.fingerprint import seen_before
from sanum.model import Model, load
from sanum.prepare.presets import preparation_sha256
from sanum.prepare.store import ManifestRow, Store
from sanum.synthesis.kinds import EVALUATION_KINDS
from sanum.workflow.evaluation_files import plain
from sanum.workflow.executor import default_workers, map_cases
from sanum.workflow.fit import model_summary
from sanum.workflow.leaks import identities

HEALTHY = "healthy"
"""Column of the scores without a lesion."""


@dataclass(frozen=True)
class GuaranteeOptions:
    """How a guarantee is tested.

    Attributes:
        levels: false-alarm levels.
        splits: random re-splits.
        calibration: subjects that calibrate in each; by default half of the pool, and no fewer than the smallest
            level needs.
        kinds: of planted lesions; by default those that no detector trains on.
        size: of each lesion, in ml (pixels in an image).
        severity: above 0 (hardly visible) up to 1 (glaring).
        seed: of re-splits, shapes and places.
        workers: processes that score; one a core by default.
    """

    levels: tuple[float, ...] = (0.05, 0.10)
    splits: int = 200
    calibration: int | None = None
    kinds: tuple[str, ...] = tuple(kind.name for kind in EVALUATION_KINDS)
    size: float = 5.0
    severity: float = 0.7
    seed: int = 0
    workers: int | None = None


@dataclass(frozen=True)
class Tested:
    """One store at one level: on its own, or calibrated elsewhere.

    Attributes:
        store: whose healthy subjects were tested.
        calibrated_on: whose calibrated.
        figures: over all re-splits.
    """

    store: str
    calibrated_on: str
    figures: Resplits


@dataclass(frozen=True)
class Kept:
    """Outcome of a test of the guarantee.

    Attributes:
        tested: the model's own kind of scans first; then another store before and after local calibration.
        subjects: held-out healthy subjects of each store.
        facts: model, planted lesions, seed, version.
    """

    tested: list[Tested]
    subjects: dict[str, int]
    facts: dict[str, str | float | int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """One sentence a store, calibration and level."""
        said = [f"{store}: {count} held-out healthy subjects" for store, count in self.subjects.items()]
        said += [
            f"{one.store}, calibrated on {one.calibrated_on}, {one.figures.sentence()}" for one in self.tested
        ]
        lesions = f"{self.facts['size']:g} {self.facts['unit']}, severity {self.facts['severity']:g}"
        return [*said, f"planted lesions: one of {lesions} in each tested subject"]


def check_guarantee(
    model_path: Path,
    prepared: Path,
    other: Path | None = None,
    out: Path | None = None,
    options: GuaranteeOptions | None = None,
    *,
    on_done: Callable[[str], None] = lambda _: None,
) -> Kept:
    """Score every held-out healthy subject once, plain and with lesions, then re-split at random.

    Args:
        model_path: trained model file; its own calibration is not used.
        prepared: store with healthy cases; those that the model was trained on are left out by content.
        other: store of another scanner: tested with calibrations of `prepared`, then with its own, as
            `sanum calibrate --site` would.
        out: folder for `guarantee.json`, `guarantee.svg` and the scores, which are not computed twice.
        options: how.
        on_done: called after each case.

    Raises:
        CalibrationError: another preparation, or too few subjects for a level.
        CohortError: no held-out healthy case.
        ConfigError: an unknown kind, or a size or severity out of range.
    """
    how = options or GuaranteeOptions()
    stores = {folder: Store.open(folder) for folder in dict.fromkeys([prepared, other or prepared])}
    model = load(model_path).suited_to(stores[prepared].preparation)
    rows = {folder: held_out(model, store) for folder, store in stores.items()}
    for folder, found in rows.items():
        _check_count(folder, len(found), how)
    pools = {
        folder: _scored(model_path, model, store, rows[folder], out, how, on_done)
        for folder, store in stores.items()
    }
    named = {folder: folder.name for folder in pools}
    tested = [_tested(pools, named, prepared, prepared, level, how) for level in how.levels]
    if other is not None:
        tested += [
            _tested(pools, named, other, source, level, how)
            for level in how.levels
            for source in (prepared, other)
        ]
    is_image = model.facts.get("input") == "image"
    facts: dict[str, str | float | int] = {
        "model": model.name,
        "model_sha256": model.sha256,
        "detector": model.detector.name,
        "size": how.size,
        "unit": "px" if is_image else "ml",
        "severity": how.severity,
        "seed": how.seed,
        "version": sanum.__version__,
    }
    result = Kept(tested, {named[folder]: len(pool.healthy) for folder, pool in pools.items()}, facts)
    if out is not None:
        _write(result, out)
    return result


def _tested(
    pools: Mapping[Path, HeldOut],
    named: Mapping[Path, str],
    store: Path,
    source: Path,
    level: float,
    how: GuaranteeOptions,
) -> Tested:
    figures = resplit(
        pools[source],
        level,
        calibration=_calibrating(len(pools[source].healthy), how),
        splits=how.splits,
        seed=how.seed,
        strangers=None if source == store else pools[store],
    )
    return Tested(named[store], named[source], figures)


def _calibrating(count: int, how: GuaranteeOptions) -> int:
    if how.calibration is not None:
        return how.calibration
    return max(count // 2, subjects_needed(min(how.levels)))


def _check_count(folder: Path, count: int, how: GuaranteeOptions) -> None:
    """Refuse before hours of scoring what could not be tested afterwards."""
    needed = _calibrating(count, how)
    for level in how.levels:
        if not guarantee(needed, level).kept:
            raise CalibrationError(f"{folder}: {guarantee(needed, level).sentence()}")
    if needed >= count:
        raise CalibrationError(
            f"{folder}: {count} held-out healthy subjects; {needed} to calibrate on leave none to test. Prepare more, "
            "or ask for a higher level"
        )


def _scored(
    model_path: Path,
    model: Model,
    store: Store,
    rows: Sequence[ManifestRow],
    out: Path | None,
    how: GuaranteeOptions,
    on_done: Callable[[str], None],
) -> HeldOut:
    """Scores of every held-out healthy subject; those that an earlier run left in `out` are taken."""
    table = None if out is None else out / f"scores-{_key(model, store, how)}.tsv"
    known = {} if table is None or not table.exists() else _read(table)
    jobs = [_Job(model_path, store.folder, row.case, how) for row in rows if row.case not in known]
    for job, scores in map_cases(_score_one, jobs, how.workers or default_workers()):
        known[job.case] = scores
        if table is not None:
            write_text(table, _table(known))
        on_done(job.case)
    values = {name: np.array([known[row.case][name] for row in rows]) for name in (HEALTHY, *how.kinds)}
    return HeldOut(values.pop(HEALTHY), values)


def held_out(model: Model, store: Store) -> list[ManifestRow]:
    """The first healthy case of each subject that the model was not trained on, by content.

    Raises:
        CalibrationError: the store was prepared otherwise than the model demands.
        CohortError: there is no such case.
    """
    if preparation_sha256(model.preparation) != preparation_sha256(store.preparation):
        raise CalibrationError(f"{store.folder}: prepared otherwise than model {model.name} demands")
    rows = [row for row in store.manifest() if row.status == "ready" and row.label == "healthy"]
    first = {row.subject: row for row in reversed(rows)}
    sources = {row.case: identities(store.load(row.case)) for row in rows}
    trained = set(seen_before(sources, model.facts.get("training_sources", ())))
    known = {row.subject for row in rows if row.case in trained}
    kept = [row for row in rows if first[row.subject] is row and row.subject not in known]
    if not kept:
        raise CohortError(f"{store.folder}: no ready healthy case that model {model.name} was not trained on")
    return kept


@dataclass(frozen=True)
class _Job:
    model_path: Path
    store: Path
    case: str
    how: GuaranteeOptions


def _score_one(job: _Job) -> dict[str, float]:
    from sanum.synthesis.plant import plant

    model, how = _loaded(job.model_path), job.how
    summary = model_summary(model)
    case = Store.open(job.store).load(job.case)
    scores = {HEALTHY: model.detector.score(case).summary(summary)}
    for kind in how.kinds:
        seed = zlib.crc32(f"{how.seed}:{job.case}:{kind}".encode()) % 2**31
        ill = plant(case, kind, size=how.size, severity=how.severity, seed=seed)
        scores[kind] = model.detector.score(ill).summary(summary)
    return scores


@lru_cache(maxsize=1)
def _loaded(path: Path) -> Model:
    return load(path)


def _key(model: Model, store: Store, how: GuaranteeOptions) -> str:
    """Names the scores by all that they depend on."""
    parts = {
        "state": model.detector.state_sha256(),
        "summary": to_dict(model_summary(model)),
        "store": store.folder.name,
        "plant": [how.kinds, how.size, how.severity, how.seed],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _table(known: Mapping[str, Mapping[str, float]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    names = list(next(iter(known.values())))
    writer.writerow(["case", *names])
    for case, scores in sorted(known.items()):
        writer.writerow([case, *(f"{scores[name]:.9g}" for name in names)])
    return text.getvalue()


def _read(table: Path) -> dict[str, dict[str, float]]:
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {row.pop("case"): {name: float(value) for name, value in row.items()} for row in rows}


def _write(result: Kept, out: Path) -> None:
    from sanum.report.curves import alarms_figure

    write_json(out / "guarantee.json", plain(result))
    drawn: Sequence[tuple[str, Sequence[float], float]] = [
        (
            f"{one.store}, calibrated on {one.calibrated_on}, level {one.figures.level:g}",
            [count / one.figures.tested for count in one.figures.alarms],
            one.figures.level,
        )
        for one in result.tested
    ]
    with atomic_path(out / "guarantee.svg") as partial:
        partial.write_bytes(alarms_figure(drawn))
