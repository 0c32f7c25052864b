"""`sanum calibrate`: set how a model decides, from healthy scores alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sanum.cli.arguments import Device, ModelFile

if TYPE_CHECKING:
    from sanum.core.records import Calibration


def run(
    model: ModelFile,
    prepared: Annotated[
        Path | None, typer.Argument(help="Store with held-out healthy cases; not needed to change the rule.")
    ] = None,
    rule: Annotated[str | None, typer.Option(help="mean+3std, quantile or conformal.")] = None,
    level: Annotated[
        float | None, typer.Option(help="Standard deviations, quantile, or false-alarm rate.")
    ] = None,
    summary: Annotated[
        str | None, typer.Option(help="How a map becomes a score: mean, slice or top (needs the store).")
    ] = None,
    share: Annotated[float, typer.Option(help="Share of voxels that summary top averages.")] = 0.005,
    site: Annotated[
        str | None,
        typer.Option(
            help="Calibrate for one site from 20 to 50 local healthy scans; weights stay as they are."
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="Keep the guarantee within each site, age band or sex; repeat it to combine them."),
    ] = None,
    small_groups: Annotated[
        str, typer.Option(help="Groups with too few healthy subjects: merge, or refuse to decide.")
    ] = "merge",
    findings: Annotated[
        str | None, typer.Option(help="Several findings in one case: family-wise or false-discovery control.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write another model file instead of this one.")] = None,
    allow_label: Annotated[
        list[str] | None, typer.Option(help="Label besides healthy that may calibrate; repeat it.")
    ] = None,
    device: Device = "cpu",
) -> None:
    """Calibrate on held-out healthy subjects, or change the rule or level without any data."""
    del device  # told to the models by its callback
    from sanum.core.config import from_dict
    from sanum.core.records import Summary
    from sanum.core.shipped import refuse_to_write_beside
    from sanum.workflow.fit import make_guarantees, recalibrate

    target = out or model
    refuse_to_write_beside(target)
    calibrated = recalibrate(
        model,
        prepared,
        rule=rule,
        level=level,
        summary=None if summary is None else from_dict(Summary, {"rule": summary, "share": share}, "summary"),
        guarantees=make_guarantees(group or (), small_groups, findings),
        site=site,
        out=target,
        allow_labels=allow_label or [],
    )
    for modality in calibrated.single_calibrations if calibrated.takes_each else [""]:
        for line in _statements(calibrated.calibrated(modality)):
            print(f"{target}: {modality and modality + ': '}{line}")
    if made := calibrated.facts.get("calibrated_on_made"):
        print(f"{target}: calibrated on made scans of {', '.join(made)}: no rate is guaranteed for them")


def _statements(kept: Calibration) -> list[str]:
    """What the calibration guarantees, group by group, and what it does not."""
    from sanum.calibration.conformal import guarantee
    from sanum.calibration.groups import group_sizes
    from sanum.calibration.judge import control_sentence
    from sanum.calibration.rules import smallest_level, threshold

    said = [
        f"rule {kept.rule.name}, level {kept.rule.level:g}, threshold {threshold(kept.scores, kept.rule):.6g}, "
        f"{len(kept.scores)} healthy subjects; smallest false-alarm level they can guarantee: "
        f"{smallest_level(len(kept.scores)):.3f}"
    ]
    if kept.rule.name == "conformal":
        sizes = group_sizes(kept) or {"": len(kept.scores)}
        said += [
            (f"group {name}: " if name else "") + guarantee(size, kept.rule.level).sentence()
            for name, size in sizes.items()
        ]
    else:
        said.append("this rule guarantees no false-alarm rate; --rule conformal does")
    control = control_sentence(kept)
    return [*said, control] if control else said
