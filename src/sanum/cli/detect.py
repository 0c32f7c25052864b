"""`sanum detect`: judge scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from sanum.cli.arguments import AsCalled, Cluster, Device, Workers
from sanum.core.shipped import DEFAULT_MODEL


def run(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="[MODEL] SCAN...",
            help="Volumes, images, DICOM folders, other folders or cohort tables; a model may stand first.",
        ),
    ],
    model: Annotated[
        Optional[Path],
        typer.Option(
            help=f"Model file, or the name of one that comes with sanum; {DEFAULT_MODEL} by default."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("results"),
    modality: Annotated[
        Optional[str], typer.Option(help="What single files show, where their names do not tell.")
    ] = None,
    split: Annotated[Optional[str], typer.Option(help="Only this split of a cohort table.")] = None,
    series: Annotated[
        Optional[str], typer.Option(help="DICOM series by number or UID ending; PATH#NUMBER means the same.")
    ] = None,
    as_called: AsCalled = False,
    workers: Workers = None,
    cluster: Cluster = None,
    dicom: Annotated[
        bool,
        typer.Option("--dicom", help="Results of DICOM series as DICOM too, for a PACS; needs sanum[dicom]."),
    ] = False,
    fractional_map: Annotated[
        bool,
        typer.Option(
            "--fractional-map", help="In DICOM the map as a fractional segmentation, for older viewers."
        ),
    ] = False,
    reports: Annotated[
        bool,
        typer.Option(
            "--reports/--no-reports", help="Write map and report of each case, or only the table: quicker."
        ),
    ] = True,
    device: Device = "cpu",
) -> None:
    """Judge each scan: decision, map in the scan's own space, overlays and a report.

    A scan that can't be judged is refused with the reason; then the exit code is 3.
    """
    del device  # told to the models by its callback
    from sanum.cli.terminal import leave_partial, progress
    from sanum.core.header import read_header, taken_modalities
    from sanum.workflow.detect_many import detect_rows
    from sanum.workflow.inputs import gather, model_and_scans

    model, scans = model_and_scans(inputs, model)
    rows = gather(
        scans,
        taken_modalities(read_header(model)),
        modality=modality,
        split=split,
        series=series,
        as_called=as_called,
    )
    with progress("detecting", len(rows)) as advance:
        lines = detect_rows(
            model,
            rows,
            out,
            workers=workers,
            cluster=cluster,
            dicom=("fractional" if fractional_map else "parametric") if dicom or fractional_map else None,
            reports=reports,
            on_done=lambda line: advance(line["case"]),
        )
    for line in lines[:50]:
        print(_sentence(line))
    if len(lines) > 50:
        print(f"… and {len(lines) - 50} more in {out / 'detections.tsv'}")
    where = f"; reports: {out}/<case>/report.html" if reports else ""
    print(f"table: {out / 'detections.tsv'}{where}")
    if any(line["status"] == "refused" for line in lines):
        leave_partial()


def _sentence(line: dict[str, Any]) -> str:
    if line["status"] == "refused":
        return f"{line['case']}: refused, because {line['reason']}"
    warned = f"\n  WARNING: {line['warnings']}" if line["warnings"] else ""
    series = f", series {line['series']}" if line["series"] else ""
    dicom = f"; DICOM: {line['dicom']}" if "dicom" in line else ""
    return (
        f"{line['case']}{series}: {line['status']} (rule: {line['rule']}), score {line['score']} "
        f"(threshold {line['threshold']}), p = {float(line['p_value']):.3f}, {_findings(line)}{dicom}. "
        f"{line['meaning']}{warned}"
    )


def _findings(line: dict[str, Any]) -> str:
    count, significant = line["findings"], line["significant_findings"]
    said = "no finding" if count == 0 else "1 finding" if count == 1 else f"{count} findings"
    return f"{said}, {significant} significant ({line['significant_size']})" if significant else said
