"""A BIDS App: judge the subjects of a BIDS data set and leave BIDS derivatives."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sanum
from sanum.cohort.bids import find_bids, is_bids
from sanum.cohort.table import Row
from sanum.core.config import did_you_mean
from sanum.core.errors import CohortError
from sanum.core.files import write_json, write_text
from sanum.core.modalities import AnyOf
from sanum.core.names import scan_stem
from sanum.core.records import NOTICE, AnomalyMap
from sanum.formats import write_volume
from sanum.model import load
from sanum.report.case import write_case
from sanum.workflow.cohort_report import write_cohort_report
from sanum.workflow.detect_many import detect_or_refuse, given_up
from sanum.workflow.detection import CaseDetection
from sanum.workflow.executor import map_cases
from sanum.workflow.model_cache import cached_model

BIDS_VERSION = "1.10.0"
REPORTS = "reports"
"""Folder of what BIDS has no names for: pages, pictures, decisions. It stands in `.bidsignore`."""

README = """Anomaly maps and decisions by sanum {version}, which learned what normal brains look like.

sub-*/[ses-*/]anat holds, in each scan's own space, the anomaly map (desc-anomaly_probseg; higher is more anomalous, no
probability) and, where the model makes one, the scan as it would look in health (desc-restored). Each JSON sidecar
tells the decision, its p-value, the findings, and what they were made from.
reports holds a page for each case and, after the level group, a table and a page over all of them.

{notice}
"""

COLUMNS = ("case", "subject", "status", "score", "threshold", "p_value", "findings", "warnings", "reason")


@dataclass(frozen=True)
class _Job:
    model_path: Path
    model_sha256: str
    row: Row
    source: Path
    out: Path


def judge_participants(
    source: Path,
    out: Path,
    model_path: Path,
    *,
    labels: Sequence[str] = (),
    as_called: bool = False,
    workers: int | None = None,
    on_done: Callable[[str], None] = lambda _: None,
) -> list[CaseDetection]:
    """Judge every case that has the model's modalities; one folder a subject, as BIDS derivatives.

    Args:
        source: BIDS data set.
        out: derivatives; made where it is missing.
        model_path: calibrated model file.
        labels: participants, with or without `sub-`; all by default.
        as_called: a person vouches that all scans show what they are called, whatever they look like.
        workers: processes, one a core by default.
        on_done: called with the name of each case.

    Returns:
        One detection a case, without volumes: these are on disk.

    Raises:
        CohortError: no BIDS data set, a participant that is not there, or no case with the model's modalities.
        CalibrationError: the model is not calibrated.
        StorageError: `out` can't be written.
    """
    if not is_bids(source):
        raise CohortError(f"{source}: no BIDS data set; expected dataset_description.json or folders sub-*")
    model = load(model_path)
    model.calibrated()
    rows = [replace(row, as_called=as_called) for row in _chosen(source, labels) if _suits(row, model.takes)]
    if not rows:
        wanted = f"{'any of ' if isinstance(model.takes, AnyOf) else ''}{', '.join(model.takes)}"
        raise CohortError(f"{source}: no participant has {wanted} in anat, which {model.name} takes")
    _describe(out, source)
    jobs = [_Job(model_path.absolute(), model.sha256, row, source.absolute(), out.absolute()) for row in rows]
    found: dict[str, CaseDetection] = {}
    for job, one in map_cases(_judge, jobs, workers, lost=_lost):
        found[job.row.case] = one
        on_done(job.row.case)
    return [found[row.case] for row in rows]


def report_group(out: Path) -> Path:
    """Write `reports/detections.tsv` and `reports/cohort.html` over all participants that were judged.

    Raises:
        CohortError: none was judged.
        StorageError: the folder can't be written.
    """
    lines = list(_lines(out))
    if not lines:
        raise CohortError(f"{out}: no participant was judged here; run the level participant first")
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: line[name] for name in COLUMNS} for line in lines)
    write_text(out / REPORTS / "detections.tsv", text.getvalue())
    return write_cohort_report(out / REPORTS, model=str(lines[0]["model"]))


def _chosen(source: Path, labels: Sequence[str]) -> list[Row]:
    rows, _ = find_bids(source.absolute())
    wanted = [label if label.startswith("sub-") else f"sub-{label}" for label in labels]
    subjects = {row.subject for row in rows}
    for label in wanted:
        if label not in subjects:
            raise CohortError(f"{source}: no participant {label}; {did_you_mean(label, subjects)}")
    return [row for row in rows if not wanted or row.subject in wanted]


def _suits(row: Row, takes: tuple[str, ...]) -> bool:
    return (
        any(name in row.scans for name in takes) if isinstance(takes, AnyOf) else set(takes) <= set(row.scans)
    )


def _judge(job: _Job) -> CaseDetection:
    return _written(detect_or_refuse(cached_model(job.model_path, job.model_sha256), job.row), job)


def _lost(job: _Job, reason: str) -> CaseDetection:
    return _written(given_up(cached_model(job.model_path, job.model_sha256), job.row, reason), job)


def _written(found: CaseDetection, job: _Job) -> CaseDetection:
    """Write all of a case; what comes back has no volumes, so that many cases need no memory."""
    if found.anomaly_map is not None and found.scan is not None:
        _write_volumes(found, found.anomaly_map, job.row.scans[found.scan.modality or ""], job)
    page = job.out / REPORTS / job.row.case
    page.mkdir(parents=True, exist_ok=True)
    write_json(page / "detection.json", {**found.to_dict(), "subject": job.row.subject})
    write_case(found, found.scan, page, found.card, found.sides)
    return replace(found, anomaly_map=None, restored=None, scan=None, labels=None, sides=())


def _write_volumes(found: CaseDetection, anomaly_map: AnomalyMap, raw: Path, job: _Job) -> None:
    """Volumes under the entities of the scan they belong to, each with its sidecar."""
    uri = f"bids:raw:{raw.relative_to(job.source).as_posix()}"
    sidecar = {
        "Sources": [uri],
        "SpatialReference": uri,
        "GeneratedBy": [_generated_by()],
        "SkullStripped": any(step.facts.get("route") == "extracted" for step in found.provenance.steps),
        "Detection": {name: value for name, value in found.to_dict().items() if name != "slices"},
    }
    entities, _, suffix = scan_stem(raw).rpartition("_")
    stem = job.out / raw.relative_to(job.source).parent / f"{entities}_space-{suffix}"
    volumes = {
        "desc-anomaly_probseg": (
            anomaly_map.values,
            "Anomaly score, higher is more anomalous; no probability",
        ),
        f"desc-restored_{suffix}": (found.restored, "The scan as it would look in health, by the model"),
    }
    for name, (values, told) in volumes.items():
        if values is not None:
            write_volume(stem.with_name(f"{stem.name}_{name}.nii.gz"), values, anomaly_map.grid)
            write_json(stem.with_name(f"{stem.name}_{name}.json"), {"Description": told, **sidecar})


def _describe(out: Path, source: Path) -> None:
    """The data set's own files."""
    out.mkdir(parents=True, exist_ok=True)
    described = {
        "Name": "sanum: anomaly maps and decisions",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [_generated_by()],
        "SourceDatasets": [{"URL": source.absolute().as_uri()}],
        "DatasetLinks": {"raw": source.absolute().as_uri()},
    }
    write_json(out / "dataset_description.json", described)
    write_text(out / ".bidsignore", f"{REPORTS}\n")
    write_text(
        out / "README",
        README.format(version=sanum.__version__, notice=NOTICE),
    )


def _generated_by() -> dict[str, str]:
    return {"Name": "sanum", "Version": sanum.__version__, "Description": "Unsupervised anomaly detection"}


def _lines(out: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((out / REPORTS).glob("sub-*/detection.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        yield {
            **{name: "" if kept.get(name) is None else kept[name] for name in COLUMNS},
            "findings": len(kept["findings"]),
            "warnings": " | ".join(kept["warnings"]),
            "model": kept["provenance"]["model_name"],
        }
