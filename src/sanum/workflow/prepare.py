"""Cohort table in, prepared store out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import sanum
from sanum.cohort.table import Cohort, Row
from sanum.core.errors import SanumError, ScanError, StorageError
from sanum.core.files import content_sha256, json_sha256
from sanum.core.names import split_part, with_part
from sanum.core.records import Prepared, Scan
from sanum.formats import read_mask, read_scan
from sanum.prepare.kept_steps import KeptSteps
from sanum.prepare.manifest import ManifestRow
from sanum.prepare.presets import Preparation, preparation_sha256
from sanum.prepare.store import Store
from sanum.workflow.executor import map_cases
from sanum.workflow.memory import peak_memory_mb


@dataclass(frozen=True)
class CaseOutcome:
    """How one case fared.

    Attributes:
        case: its name.
        status: "ready", "failed", "kept" from an earlier run, or "set aside" because the table has it no longer.
        reason: why it failed or was set aside, else empty.
        seconds: what it took.
        peak_mb: highest memory of its worker process so far, in MB; 0 where the process died.
    """

    case: str
    status: str
    reason: str
    seconds: float
    peak_mb: int


@dataclass(frozen=True)
class _Job:
    row: Row
    preparation: Preparation
    folder: Path
    reuse: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class CaseScans:
    """The files of one row, read: its scans by modality, its brain mask and its lesion mask."""

    row: Row
    scans: dict[str, Scan]
    brain: Scan | None
    lesion: Scan | None


def read_row(row: Row, modalities: tuple[str, ...]) -> CaseScans:
    """Read the scans of the wanted modalities that a row has, and its masks.

    Raises:
        ScanError: a modality is missing, or a file can't be read or judged; the message says why.
    """
    missing = [name for name in modalities if name not in row.scans]
    if missing:
        raise ScanError(f"{row.case}: no {', '.join(missing)}; the case has {', '.join(row.scans)} only")
    scans = {name: read_scan(row.scans[name], name) for name in modalities}
    brain = None if row.brain is None else read_mask(row.brain)
    lesion = None if row.lesion is None else read_mask(row.lesion)
    return CaseScans(row, scans, brain, lesion)


def prepare_scans(case: CaseScans, preparation: Preparation, kept: KeptSteps | None = None) -> Prepared:
    """Bring one case onto the model grid; slow steps are taken from `kept`, where they were done before.

    Raises:
        PreparationError: it can't be brought there; the message says why.
    """
    from sanum.prepare.pipeline import prepare

    return prepare(
        case.scans,
        preparation,
        case=case.row.case,
        subject=case.row.subject,
        brain=case.brain,
        lesion=case.lesion,
        as_called=case.row.as_called,
        kept=kept,
    )


def prepare_cohort(
    cohort: Cohort,
    folder: Path | str,
    preparation: Preparation,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    reuse: Sequence[Path] = (),
    on_done: Callable[[CaseOutcome], None] | None = None,
) -> list[ManifestRow]:
    """Prepare every case of a cohort into a store; cases that are done already are kept.

    The store follows its table: a case that the table does not name is set aside, never used, and reported.
    A case that fails is recorded with its reason and does not stop the others, whatever the failure; only a store
    that can't be written ends the run. What was finished is kept then, and after Ctrl-C.

    Args:
        cohort: the table.
        folder: the store, made when missing.
        preparation: what a model will see.
        workers: processes, or jobs of a Slurm cluster; see `executor.map_cases`.
        cluster: address of a Dask scheduler, or "slurm"; None runs here.
        reuse: other stores, whose brain masks and registrations are taken where files and settings are the same.
        on_done: called after each case, and for each that was set aside.

    Returns:
        The store's manifest: the cases of the table.

    Raises:
        CohortError: the folder holds a store of another preparation, or one of `reuse` is no store.
        ConfigError: the cluster can't be reached.
        StorageError: the store can't be written.

    >>> ill = sanum.read_cohort(table).select(label="lesion")
    >>> rows = sanum.prepare_cohort(ill, folder / "prepared", sanum.Slices(("T1w",)), workers=1)
    >>> [(row.case, row.status) for row in rows]
    [('c10', 'ready'), ('c11', 'ready')]
    """
    folder = Path(folder)
    store = Store.create(folder, preparation)
    store.remove_partials()
    steps = tuple(Store.open(other.absolute()).steps for other in reuse)
    jobs = [_Job(row, preparation, folder.absolute(), steps) for row in cohort]
    try:
        for case in store.follow([row.case for row in cohort]):
            if on_done is not None:
                on_done(CaseOutcome(case, "set aside", "not in the table", 0.0, 0))
        for _, outcome in map_cases(_prepare_one, jobs, workers, cluster=cluster, lost=_given_up):
            if on_done is not None:
                on_done(outcome)
    finally:
        store.write_manifest()
    return store.manifest()


def _prepare_one(job: _Job) -> CaseOutcome:
    """Safe to run twice on one case: the second run finds the first one's result, or replaces it by the same."""
    started = time.perf_counter()
    store, case, fields = Store.open(job.folder), job.row.case, _fields(job.row)
    try:
        key = _content_key(job.row, job.preparation)
        if store.keeps(case, key, fields):
            return CaseOutcome(case, "kept", "", time.perf_counter() - started, peak_memory_mb())
        kept = KeptSteps(store.steps, job.reuse, sanum.__version__)
        prepared = prepare_scans(read_row(job.row, job.preparation.modalities), job.preparation, kept)
        seconds = time.perf_counter() - started
        store.write(prepared, {**fields, "key": key, "seconds": f"{seconds:.2f}"})
        return CaseOutcome(case, "ready", "", seconds, peak_memory_mb())
    except StorageError:
        raise
    except Exception as error:
        reason = reason_of(error)
        store.write_failure(case, fields, reason)
        return CaseOutcome(case, "failed", reason, time.perf_counter() - started, peak_memory_mb())


def _given_up(job: _Job, reason: str) -> CaseOutcome:
    Store.open(job.folder).write_failure(job.row.case, _fields(job.row), reason)
    return CaseOutcome(job.row.case, "failed", reason, 0.0, 0)


def reason_of(error: Exception) -> str:
    """One sentence on why a case failed; an error that sanum did not foresee is named with its place."""
    if isinstance(error, SanumError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory; give fewer --workers"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"unforeseen {type(error).__name__} ({error}) in {Path(last.filename).name}, line {last.lineno}"


def _content_key(row: Row, preparation: Preparation) -> str:
    """Same input bytes and same config: nothing to do again. Cohort columns are no part of it."""
    paths = {name: row.scans[name] for name in preparation.modalities if name in row.scans}
    paths |= {name: path for name, path in (("brain", row.brain), ("lesion", row.lesion)) if path is not None}
    try:
        hashes = {name: _part_sha256(path) for name, path in paths.items()}
    except OSError as error:
        raise SanumError(f"{error.filename}: can't be read ({error.strerror})") from error
    vouched = ["as_called"] if row.as_called else []
    return json_sha256([preparation_sha256(preparation), hashes, *vouched])


def _part_sha256(path: Path) -> str:
    """Hash of a file or DICOM folder, with the part that is meant, if any."""
    file, part = split_part(path)
    return str(with_part(Path(content_sha256(file)), part))


def _fields(row: Row) -> dict[str, str]:
    """The cohort columns that the store keeps beside each case."""
    age = "" if row.age is None else f"{row.age:g}"
    return {
        "case": row.case,
        "subject": row.subject,
        "label": row.label,
        "split": row.split or "",
        "site": row.site or "",
        "age": age,
        "sex": row.sex or "",
    }
