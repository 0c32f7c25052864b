"""Cohort table in, prepared store out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sanum.cohort.table import Cohort, Row
from sanum.core.errors import SanumError, ScanError, StorageError
from sanum.core.files import content_sha256, json_sha256
from sanum.core.names import split_part, with_part
from sanum.core.records import Prepared, Scan
from sanum.formats import read_mask, read_scan
from sanum.prepare.presets import Preparation, preparation_sha256
from sanum.prepare.store import ManifestRow, Store
from sanum.workflow.executor import default_workers, map_cases


@dataclass(frozen=True)
class CaseOutcome:
    """How one case fared: "ready", "failed" with the reason, or "kept" from an earlier run."""

    case: str
    status: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class _Job:
    row: Row
    preparation: Preparation
    folder: Path


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


def prepare_scans(case: CaseScans, preparation: Preparation) -> Prepared:
    """Bring one case onto the model grid.

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
    )


def prepare_cohort(
    cohort: Cohort,
    folder: Path,
    preparation: Preparation,
    *,
    workers: int | None = None,
    on_done: Callable[[CaseOutcome], None] | None = None,
) -> list[ManifestRow]:
    """Prepare every case of a cohort into a store; cases that are done already are kept.

    A case that fails is recorded with its reason and does not stop the others.

    Args:
        cohort: the table.
        folder: the store, made when missing.
        preparation: what a model will see.
        workers: processes; one a core by default.
        on_done: called after each case.

    Returns:
        The store's manifest.

    Raises:
        CohortError: the folder holds a store of another preparation.
        StorageError: the store can't be written.
    """
    store = Store.create(folder, preparation)
    jobs = [_Job(row, preparation, folder) for row in cohort]
    try:
        for _, outcome in map_cases(_prepare_one, jobs, workers or default_workers()):
            if on_done is not None:
                on_done(outcome)
    finally:
        store.write_manifest()
    return store.manifest()


def _prepare_one(job: _Job) -> CaseOutcome:
    started = time.perf_counter()
    store = Store.open(job.folder)
    fields = _fields(job.row)
    try:
        key = _content_key(job.row, job.preparation)
        if store.is_done(job.row.case, key):
            return CaseOutcome(job.row.case, "kept", "", time.perf_counter() - started)
        prepared = prepare_scans(read_row(job.row, job.preparation.modalities), job.preparation)
        seconds = time.perf_counter() - started
        store.write(prepared, {**fields, "key": key, "seconds": f"{seconds:.2f}"})
        return CaseOutcome(job.row.case, "ready", "", seconds)
    except StorageError:
        raise
    except (SanumError, MemoryError) as error:
        reason = str(error) or type(error).__name__
        store.write_failure(job.row.case, fields, reason)
        return CaseOutcome(job.row.case, "failed", reason, time.perf_counter() - started)


def _content_key(row: Row, preparation: Preparation) -> str:
    """Same input bytes, same cohort fields and same config: nothing to do again."""
    paths = [row.scans[name] for name in preparation.modalities if name in row.scans]
    paths += [path for path in (row.brain, row.lesion) if path is not None]
    try:
        hashes = [_part_sha256(path) for path in paths]
    except OSError as error:
        raise SanumError(f"{error.filename}: can't be read ({error.strerror})") from error
    return json_sha256([preparation_sha256(preparation), hashes, _fields(row)])


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
