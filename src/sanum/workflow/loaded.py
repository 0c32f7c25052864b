"""Load a model by file or name, and judge scans in the forms that people hold them in."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sanum.cohort.table import Row
from sanum.core.files import file_sha256
from sanum.core.shipped import DEFAULT_MODEL, find_model
from sanum.model import Model, save
from sanum.model import load as load_model
from sanum.workflow.detect_many import detect_or_refuse, given_up
from sanum.workflow.detection import CaseDetection
from sanum.workflow.executor import map_cases
from sanum.workflow.given import Handover
from sanum.workflow.model_cache import cached_model
from sanum.workflow.progress import progress

PathLike = Path | str


@dataclass(frozen=True, eq=False)
class Asked:
    """What someone wants judged; see `Model.detect`."""

    scan: Any
    affine: Any = None
    modality: str | None = None
    brain: Any = None
    case: str = ""
    as_called: bool = False


def detect_given(model: Model, asked: Asked, *, workers: int = 1, device: str | None = None) -> Any:
    """One detection or a list; see `Model.detect`."""
    model.calibrated()
    if device is not None:
        model.detector.to(device)
    with tempfile.TemporaryDirectory(prefix="sanum-") as scratch:
        given = Handover(Path(scratch), model.takes, asked.modality)
        rows, single = given.rows(asked.scan, affine=asked.affine, case=asked.case)
        if asked.brain is not None and len(rows) > 1:
            raise TypeError("a brain mask belongs to one case; name the masks of several in a cohort table")
        if asked.brain is not None:
            rows = [replace(rows[0], brain=given.file(asked.brain, asked.affine, "brain"))]
        if asked.as_called:
            rows = [replace(row, as_called=True) for row in rows]
        if single:
            return given.told(model.judge(rows[0]))
        run = _Run(model, workers, Path(scratch), device)
        return [given.told(found) for found in _detect_all(run, rows)]


def load(path: PathLike = DEFAULT_MODEL) -> Model:
    """Load a model file, or a model that comes with sanum by its name.

    Raises:
        ModelFileError: missing, damaged, or not a sanum model file.

    >>> sanum.load(model_file)
    <brightness: intensity for T1w, calibrated on 4 healthy subjects, rule mean+3std 3>
    """
    return load_model(find_model(Path(path)))


def detect(scan: Any, model: PathLike | Model = DEFAULT_MODEL, **how: Any) -> Any:
    """Judge one scan or many, by the model that comes with sanum or by another.

    Args:
        scan: see `Model.detect`.
        model: a loaded model, a model file, or the name of a model that comes with sanum.
        how: further arguments of `Model.detect`.

    Returns:
        One detection, or a list; see `Model.detect`.

    Raises:
        ModelFileError: no such model.
        TypeError, ScanError, CalibrationError: see `Model.detect`.

    >>> sanum.detect(scan, model_file).status
    'abnormal'
    >>> [one.status for one in sanum.detect([scan, healthy_scan], model_file)]
    ['abnormal', 'normal']
    """
    loaded = model if isinstance(model, Model) else load(model)
    return loaded.detect(scan, **how)


@dataclass(frozen=True, eq=False)
class _Run:
    model: Model
    workers: int
    scratch: Path
    device: str | None


@dataclass(frozen=True)
class _Job:
    model_path: Path
    model_sha256: str
    device: str | None
    row: Row


def _detect_all(run: _Run, rows: Sequence[Row]) -> list[CaseDetection]:
    """Judge rows in this process, or in others that read the model from a file."""
    with progress("detecting", len(rows)) as advance:
        found: dict[int, CaseDetection] = {}
        for number, one in _judged(run, rows):
            found[number] = one
            advance(one.case)
    return [found[number] for number in range(len(rows))]


def _judged(run: _Run, rows: Sequence[Row]) -> Iterator[tuple[int, CaseDetection]]:
    model = run.model
    if min(run.workers, len(rows)) <= 1:
        for number, row in enumerate(rows):
            yield number, detect_or_refuse(model, row)
        return
    path = run.scratch / f"{model.name}.safetensors"
    save(model, path)
    jobs = [_Job(path, file_sha256(path), run.device, row) for row in rows]
    places = {id(job): number for number, job in enumerate(jobs)}
    for job, one in map_cases(_detect_job, jobs, run.workers, lost=_lost_job):
        yield places[id(job)], replace(one, provenance=replace(one.provenance, model_sha256=model.sha256))


def _detect_job(job: _Job) -> CaseDetection:
    model = cached_model(job.model_path, job.model_sha256)
    if job.device is not None:
        model.detector.to(job.device)
    return detect_or_refuse(model, job.row)


def _lost_job(job: _Job, reason: str) -> CaseDetection:
    return given_up(cached_model(job.model_path, job.model_sha256), job.row, reason)
