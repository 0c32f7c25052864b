"""Detectors by data sets by seeds from YAML files: resumable, parallel, one JSON record a run."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import sanum
from sanum.core.config import formerly, from_dict
from sanum.core.errors import ConfigError, SanumError
from sanum.core.files import file_sha256, json_sha256, write_json
from sanum.core.shipped import find_model
from sanum.prepare.store import Store
from sanum.workflow.benchmark_tables import write_tables
from sanum.workflow.evaluate import EvaluateOptions, evaluate
from sanum.workflow.evaluation_files import plain
from sanum.workflow.executor import map_cases
from sanum.workflow.fit import fit_and_calibrate, recalibrate
from sanum.workflow.memory import peak_memory_mb

BASELINE = "intensity"
"""Brightness stands in every table: many published networks do not reach it."""

PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "nibabel", "SimpleITK")


@dataclass(frozen=True)
class Contender:
    """One detector of a benchmark: a recipe that is trained with each seed, or models that were trained before.

    Attributes:
        recipe: its name, or a TOML file.
        settings: over the recipe.
        models: model files or names of shipped models, one a seed, in place of a recipe; none is changed.
        name: what tables call it; the recipe, or the first model's stem by default.
    """

    recipe: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    name: str = ""

    def __post_init__(self) -> None:
        if bool(self.recipe) == bool(self.models):
            raise ValueError("detectors: each names either a recipe or models")
        if self.models and self.settings:
            raise ValueError("detectors: settings go with a recipe; a trained model has its own")

    @property
    def shown(self) -> str:
        """What tables call it."""
        return self.name or self.recipe or Path(self.models[0]).stem

    def seeds(self, planned: Sequence[int]) -> Sequence[int]:
        """Those planned; trained models are numbered."""
        return range(len(self.models)) if self.models else planned


@dataclass(frozen=True)
class Benchmark:
    """Content of the YAML file.

    Attributes:
        train: prepared store with the splits train and calibration.
        tests: name and path of each prepared store whose test split is scored; same preparation.
        detectors: what is compared; the brightness baseline is added where none is named "intensity".
        seeds: each detector is trained once with each.
        rule: decision rule.
        level: of the rule.
        draws: bootstrap samples over subjects.
        drop_duplicates: leave out test cases that look like a case of another split.
    """

    train: str
    tests: dict[str, str]
    detectors: tuple[Contender, ...]
    seeds: tuple[int, ...] = (0,)
    rule: str = "conformal"
    level: float = 0.05
    draws: int = 1000
    drop_duplicates: bool = formerly("drop_twins", False)

    def __post_init__(self) -> None:
        names = [one.shown for one in self.detectors]
        if len(set(names)) != len(names):
            raise ValueError(f"detectors: two have one name ({', '.join(names)}); give each a name")
        if not self.detectors or not self.tests or not self.seeds:
            raise ValueError("a benchmark needs at least one detector, one test store and one seed")


@dataclass(frozen=True)
class _Job:
    plan: Benchmark
    contender: Contender
    seed: int
    base: Path
    train: Path
    tests: dict[str, Path]
    out: Path

    @property
    def key(self) -> tuple[str, str, int]:
        """Test sets have one name over all plans, so the first tells which plan this is."""
        return next(iter(self.tests)), self.contender.shown, self.seed


def read_benchmark(path: Path) -> Benchmark:
    """Read the YAML file strictly.

    Raises:
        ConfigError: not YAML, an unknown key, or a value that does not fit.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected keys train, tests and detectors")
    return from_dict(Benchmark, values, str(path))


def run_benchmark(
    paths: Sequence[Path],
    out: Path,
    *,
    workers: int = 1,
    on_done: Callable[[dict[str, Any]], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Run what has no record yet, and write the tables over all records.

    A run that fails is recorded with its reason and does not stop the others; it is tried again next time.

    Args:
        paths: YAML files; paths in them are taken from their folder. No two may name a test set alike.
        out: for `models/`, `maps/`, `records/` and the tables.
        workers: processes; detectors that use torch take several cores by themselves.
        on_done: called with each record.

    Returns:
        The records, in the order of the files.

    Raises:
        ConfigError: a YAML file is wrong, or two name a test set alike.
        CohortError: a store is missing.
        StorageError: `out` can't be written.
    """
    plans = {path: read_benchmark(path) for path in paths}
    _refuse_namesakes(plans)
    jobs = [job for path, plan in plans.items() for job in _jobs(plan, path.absolute().parent, out)]
    records: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for job, done in map_cases(_run, jobs, workers):
        records[job.key] = done
        for record in done:
            on_done(record)
    ordered = [record for job in jobs for record in records[job.key]]
    write_tables(ordered, out)
    return ordered


def _refuse_namesakes(plans: Mapping[Path, Benchmark]) -> None:
    """Records are named by test set, so one name must mean one set."""
    owners: dict[str, Path] = {}
    for path, plan in plans.items():
        for name in plan.tests:
            if name in owners:
                raise ConfigError(f"{path} and {owners[name]} both name a test set {name!r}: rename one")
            owners[name] = path


def _jobs(plan: Benchmark, base: Path, out: Path) -> list[_Job]:
    contenders = plan.detectors
    if not any(BASELINE in (one.recipe, one.name) for one in contenders):
        contenders = (Contender(BASELINE), *contenders)
    tests = {name: base / folder for name, folder in plan.tests.items()}
    for folder in (base / plan.train, *tests.values()):
        Store.open(folder)
    return [
        _Job(plan, contender, seed, base, base / plan.train, tests, out)
        for contender in contenders
        for seed in contender.seeds(plan.seeds)
    ]


def _run(job: _Job) -> list[dict[str, Any]]:
    """Train once, test on every store; what has a record of the same inputs is not done again."""
    done = []
    given = _given(job)
    for name, folder in job.tests.items():
        identity = _identity(job, folder)
        record_path = job.out / "records" / f"{job.contender.shown}-seed{job.seed}-{name}.json"
        present = _read(record_path)
        if present is not None and present["identity"] == identity and present["status"] == "done":
            done.append(present)
            continue
        record = {
            "detector": job.contender.shown,
            "recipe": job.contender.recipe,
            "settings": job.contender.settings,
            "model": "" if given is None else given.name,
            "seed": job.seed,
            "test": name,
            "identity": identity,
            "versions": _versions(),
            "hardware": _hardware(),
        }
        try:
            record |= {"status": "done", "reason": "", **_figures(job, name, folder)}
        except (SanumError, MemoryError) as error:
            record |= {"status": "failed", "reason": str(error) or type(error).__name__}
        write_json(record_path, record)
        done.append(record)
    return done


def _figures(job: _Job, name: str, folder: Path) -> dict[str, Any]:
    model, training_seconds = _trained(job)
    started = time.perf_counter()
    how = EvaluateOptions(job.plan.draws, job.seed, job.plan.drop_duplicates, workers=1)
    maps = job.out / "maps" / f"{job.contender.shown}-seed{job.seed}-{name}"
    found = evaluate(model, folder, maps, options=how)
    return {
        "model_sha256": file_sha256(model),
        "training_seconds": training_seconds,
        "evaluation_seconds": round(time.perf_counter() - started, 2),
        "peak_memory_mb": peak_memory_mb(),
        "evaluation": plain(found),
    }


def _given(job: _Job) -> Path | None:
    """The model file that was trained before."""
    if not job.contender.models:
        return None
    model = job.contender.models[job.seed]
    beside = job.base / model
    return beside if beside.exists() else find_model(Path(model))


def _trained(job: _Job) -> tuple[Path, float | None]:
    """The model file of the job, and the seconds it took to train, now or in an earlier run with the same inputs."""
    contender = job.contender
    key = json_sha256(
        [_contender_identity(job), job.seed, _store_identity(job.train), job.plan.rule, job.plan.level]
    )
    path = job.out / "models" / f"{contender.shown}-seed{job.seed}-{key[:12]}.safetensors"
    facts = path.with_suffix(".json")
    kept = _read(facts)
    if kept is not None and path.exists():
        return path, kept["training_seconds"]
    given = _given(job)
    if given is not None:
        recalibrate(given, None, rule=job.plan.rule, level=job.plan.level, out=path)
        write_json(facts, {"training_seconds": None})
        return path, None
    started = time.perf_counter()
    store = Store.open(job.train)
    fit_and_calibrate(store, contender.recipe, contender.settings, out=path, seed=job.seed)
    recalibrate(path, None, rule=job.plan.rule, level=job.plan.level, out=path)
    seconds = round(time.perf_counter() - started, 2)
    write_json(facts, {"training_seconds": seconds})
    return path, seconds


def _identity(job: _Job, test: Path) -> str:
    """Everything that a record depends on."""
    plan = job.plan
    how = [plan.rule, plan.level, plan.draws, plan.drop_duplicates, sanum.__version__]
    stores = [_store_identity(job.train), _store_identity(test)]
    return json_sha256([_contender_identity(job), job.seed, how, stores])


def _contender_identity(job: _Job) -> list[Any]:
    given = _given(job)
    return [asdict(job.contender), "" if given is None else file_sha256(given)]


def _store_identity(folder: Path) -> list[str]:
    return [file_sha256(folder / name) for name in ("preparation.json", "manifest.tsv")]


def _read(path: Path) -> dict[str, Any] | None:
    import json

    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return values


def _versions() -> dict[str, str]:
    from importlib import metadata

    return {"python": platform.python_version(), "sanum": sanum.__version__} | {
        name: metadata.version(name) for name in PACKAGES
    }


def _hardware() -> dict[str, Any]:
    import os

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
    }


def failed(records: Sequence[dict[str, Any]]) -> list[str]:
    """One sentence a run that failed."""
    return [
        f"{one['detector']} seed {one['seed']} on {one['test']}: {one['reason']}"
        for one in records
        if one["status"] == "failed"
    ]
