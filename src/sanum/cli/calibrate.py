"""`sanum calibrate`: set how a model decides, from healthy scores alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sanum.cli.arguments import Device, ModelFile

if TYPE_CHECKING:
    from sanum.core.records import Calibration
    from sanum.model import Model


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
            help="Calibrate for one site, from its 20 to 50 healthy scans: takes rows of that site or of none, of split "
            "calibration or without split. Without --site all rows of split calibration are taken, and no others."
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
    print(f"{target}:")
    for line in _statements(calibrated):
        print(f"  {line}")


def _statements(model: Model) -> list[str]:
    """What each calibration guarantees, group by group, and what it does not; what all share is said once."""
    from sanum.calibration.judge import control_sentence

    kept = model.single_calibrations if model.takes_each else {"": model.calibrated()}
    made = set(model.facts.get("calibrated_on_made", ()))
    hollow = {name for name in kept if name in made or (made and not name)}
    said = [line for name, one in kept.items() for line in _of_one(name, one, name in hollow)]
    controls = dict.fromkeys(control_sentence(one) for name, one in kept.items() if name not in hollow)
    return [*said, *(control for control in controls if control)]


def _of_one(modality: str, kept: Calibration, made: bool) -> list[str]:
    from sanum.calibration.conformal import guarantee
    from sanum.calibration.groups import group_sizes
    from sanum.calibration.rules import smallest_level, threshold

    count = len(kept.scores)
    whose = f"{modality}: " if modality else ""
    said = f"{whose}{kept.rule}, threshold {threshold(kept.scores, kept.rule):.6g}"
    if made:
        return [f"{said}; {count} healthy subjects, who were made: no rate of false alarms is guaranteed"]
    if kept.rule.name != "conformal":
        least = f"--rule conformal does, down to {smallest_level(count):.3f}"
        return [f"{said}; {count} healthy subjects; this rule guarantees no false-alarm rate, {least}"]
    sizes = group_sizes(kept)
    if not sizes:
        return [f"{said}; {guarantee(count, kept.rule.level).sentence()}"]
    groups = [
        f"{whose}group {name}: {guarantee(size, kept.rule.level).sentence()}" for name, size in sizes.items()
    ]
    return [said, *groups]
