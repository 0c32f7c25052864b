"""Many scans in, one folder and one line a case out; what goes wrong with one case is its own refusal."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sanum.cohort.table import Row
from sanum.core.errors import ConfigError, ModelFileError, ScanError, StorageError
from sanum.core.files import write_text
from sanum.dicom.write import MapKind, require_extra
from sanum.model import Model, load
from sanum.workflow.cohort_report import write_cohort_report
from sanum.workflow.detect import detect, refused
from sanum.workflow.detection import CaseDetection
from sanum.workflow.dicom_results import add_dicom
from sanum.workflow.executor import map_cases
from sanum.workflow.model_cache import cached_model
from sanum.workflow.prepare import reason_of


@dataclass(frozen=True)
class _Job:
    model_path: Path
    model_sha256: str
    row: Row
    folder: Path
    dicom: MapKind | None = None
    reports: bool = True


def detect_rows(
    model_path: Path,
    rows: Sequence[Row],
    out: Path,
    *,
    workers: int | None = None,
    cluster: str | None = None,
    dicom: MapKind | None = None,
    reports: bool = True,
    on_done: Callable[[dict[str, Any]], None] | None = None,
) -> list[dict[str, Any]]:
    """Judge many cases: one folder a case under `out`, and `detections.tsv` over all of them.

    Args:
        model_path: calibrated model file.
        rows: the cases.
        out: where results go.
        workers: processes, or jobs of a Slurm cluster; see `executor.map_cases`.
        cluster: address of a Dask scheduler, or "slurm"; None runs here.
        dicom: write results of DICOM series as DICOM too, the map in this form; the lines then tell of it.
        reports: write a folder with map and report for each case; without, the table is all that is written.
        on_done: called with the line of each case.

    Returns:
        One line a case, as in the table, in the order of `rows`.

    Raises:
        ModelFileError: the model can't be loaded.
        ConfigError: the cluster can't be reached, or `dicom` is wanted without its extra or without reports.
        StorageError: `out` can't be written.
    """
    if dicom is not None:
        require_extra()
    if dicom is not None and not reports:
        raise ConfigError("DICOM results are made of a case's report; leave out --no-reports")
    model = load(model_path)
    model.calibrated()
    there = model_path.absolute()
    known = rows if cluster is None else [_absolute(row) for row in rows]
    jobs = [_Job(there, model.sha256, row, out.absolute() / row.case, dicom, reports) for row in known]
    lines: dict[str, dict[str, Any]] = {}
    for job, line in map_cases(_detect_one, jobs, workers, cluster=cluster, lost=_given_up):
        lines[job.row.case] = line
        if on_done is not None:
            on_done(line)
    ordered = [lines[row.case] for row in rows]
    write_text(out / "detections.tsv", _table(ordered))
    if reports:
        write_cohort_report(out, model=model.name)
    return ordered


def _absolute(row: Row) -> Row:
    """The row as a worker in another folder finds its files."""
    scans = {name: path.absolute() for name, path in row.scans.items()}
    brain, lesion = (None if mask is None else mask.absolute() for mask in (row.brain, row.lesion))
    return replace(row, scans=scans, brain=brain, lesion=lesion)


def _detect_one(job: _Job) -> dict[str, Any]:
    model = cached_model(job.model_path, job.model_sha256)
    return _saved(job, detect_or_refuse(model, job.row, reconstruct=job.reports))


def detect_or_refuse(model: Model, row: Row, *, reconstruct: bool = True) -> CaseDetection:
    """As `detect`; whatever goes wrong with one of many cases is its own refusal.

    Raises:
        StorageError, ModelFileError: a disk or model that is wrong is wrong for all cases.
    """
    started = time.perf_counter()
    try:
        return detect(model, row, reconstruct=reconstruct)
    except (StorageError, ModelFileError):
        raise
    except Exception as error:
        return refused(model, row, None, reason_of(error), started)


def given_up(model: Model, row: Row, reason: str) -> CaseDetection:
    """The refusal of a case whose worker process died."""
    return refused(model, row, None, reason, time.perf_counter())


def _given_up(job: _Job, reason: str) -> dict[str, Any]:
    return _saved(job, given_up(cached_model(job.model_path, job.model_sha256), job.row, reason))


def _saved(job: _Job, found: CaseDetection) -> dict[str, Any]:
    if job.reports:
        found.save(job.folder)
    from sanum.report.wording import p_value_sentence

    top = found.findings[0] if found.findings else None
    significant = [one for one in found.findings if one.significant]
    return {
        "case": found.case,
        "subject": job.row.subject,
        "label": job.row.label,
        "split": job.row.split or "",
        "status": found.status,
        "rule": "" if found.rule is None else str(found.rule),
        "score": _cell(found.score),
        "threshold": _cell(found.threshold),
        "p_value": _cell(found.p_value),
        "series": "; ".join(source.series for source in found.provenance.sources if source.series),
        "findings": len(found.findings),
        "largest_finding": "" if top is None else f"{top.size:.2f} {top.unit}",
        "significant_findings": len(significant),
        "significant_size": f"{sum(one.size for one in significant):.2f} {significant[0].unit}"
        if significant
        else "",
        "meaning": p_value_sentence(found, found.card),
        "seconds": f"{found.provenance.seconds:.2f}",
        "reason": found.reason,
        "warnings": " | ".join(found.warnings),
        **({} if job.dicom is None else {"dicom": _dicom(job, job.dicom)}),
    }


def _dicom(job: _Job, kind: MapKind) -> str:
    """How many DICOM files were written, or why none; the decision stands either way."""
    taken = cached_model(job.model_path, job.model_sha256).usable(job.row.scans)
    modality = next((name for name in taken if name in job.row.scans), next(iter(job.row.scans)))
    try:
        return f"{len(add_dicom(job.folder, job.row.scans[modality], modality, kind))} files"
    except ScanError as error:
        return str(error)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _table(lines: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]) if lines else ["case"], delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
