"""Severity curves without labels: lesions of known size and contrast planted in healthy test cases."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sanum.calibration.findings import finding_level
from sanum.calibration.rules import decide
from sanum.core.errors import CalibrationError, CohortError
from sanum.core.files import atomic_path, write_json
from sanum.core.records import AnomalyMap, Prepared
from sanum.evaluation.metrics import auroc
from sanum.evaluation.rates import Rate, rate
from sanum.evaluation.severity import Curve, Trial, severity_curves
from sanum.model import Model, load
from sanum.prepare.presets import preparation_sha256
from sanum.prepare.store import ManifestRow, Store
from sanum.synthesis.kinds import EVALUATION_KINDS
from sanum.workflow.evaluation_files import plain
from sanum.workflow.fit import person

SIZES_ML = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
SIZES_PX = (25.0, 50.0, 100.0, 200.0, 400.0, 800.0)


@dataclass(frozen=True)
class InjectOptions:
    """What is planted.

    Attributes:
        kinds: by default those that no detector trains on.
        sizes: in ml (pixels in an image); a series for each by default.
        severities: above 0 (hardly visible) up to 1 (glaring).
        cases: healthy test cases taken, at most.
        seed: of shapes and places.
    """

    kinds: tuple[str, ...] = tuple(kind.name for kind in EVALUATION_KINDS)
    sizes: tuple[float, ...] = ()
    severities: tuple[float, ...] = (0.3, 0.6, 1.0)
    cases: int = 20
    seed: int = 0


@dataclass(frozen=True)
class Injection:
    """Result of an injection suite.

    Attributes:
        rule: decision rule with its level.
        false_alarms: on the same healthy cases without lesions.
        unit: "ml" or "px".
        curves: one a kind and severity.
        facts: model, store, seed.
    """

    rule: str
    false_alarms: Rate
    unit: str
    curves: list[Curve]
    facts: dict[str, str | int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """One sentence a curve, and the false alarms that they stand beside."""
        said = [f"rule {self.rule}: false alarms on the same cases without lesion {self.false_alarms}"]
        for curve in self.curves:
            half = "not reached" if curve.half_size is None else f"{curve.half_size:.3g} {self.unit}"
            shown = ", ".join(f"{cell.size:g}: {cell.detected.value:.2f}" for cell in curve.cells)
            areas = ", ".join(f"{cell.auroc:.2f}" for cell in curve.cells)
            said.append(
                f"{curve.kind}, severity {curve.severity:g}: 50 %-detection size {half}; "
                f"detected at {self.unit} {shown}; AUROC {areas}"
            )
        return said


def inject(
    model_path: Path,
    prepared: Path,
    out: Path | None = None,
    options: InjectOptions | None = None,
    *,
    on_done: Callable[[str], None] = lambda _: None,
) -> Injection:
    """Plant lesions in the healthy test cases of a store and see which are found at the model's rule.

    Args:
        model_path: calibrated model file.
        prepared: store prepared as the model demands.
        out: folder for `injection.json`, `injection.svg` and `roc.svg` (all sizes and severities of a kind together).
        options: what is planted.
        on_done: called after each healthy case.

    Raises:
        CalibrationError: not calibrated, or another preparation.
        CohortError: no healthy test case.
        ConfigError: an unknown kind, or a size or severity out of range.
    """
    how = options or InjectOptions()
    store = Store.open(prepared)
    model = load(model_path).suited_to(store.preparation)
    calibration = model.calibrated()
    if preparation_sha256(model.preparation) != preparation_sha256(store.preparation):
        raise CalibrationError(f"{prepared}: prepared otherwise than {model_path} demands")
    rows = [row for row in store.manifest() if row.split == "test" and row.status == "ready"]
    rows = [row for row in rows if row.label == "healthy"][: how.cases]
    if len(rows) == 0:
        raise CohortError(f"{prepared}: no ready healthy test case to plant lesions in")
    trials: list[Trial] = []
    healthy, alarms, is_image = [], [], False
    for row in rows:
        case = store.load(row.case)
        found = model.detector.score(case)
        healthy.append(found.summary(calibration.summary))
        alarms.append(decide(healthy[-1], calibration, person(row)).abnormal)
        is_image = case.is_image
        trials += _trials(model, row, case, found, how)
        on_done(row.case)
    result = Injection(
        f"{calibration.rule.name} {calibration.rule.level:g}",
        rate(np.array(alarms)),
        "px" if is_image else "ml",
        severity_curves(trials, np.array(healthy)),
        {"model": model.name, "model_sha256": model.sha256, "store": str(prepared), "seed": how.seed},
    )
    if out is not None:
        _write(result, trials, np.array(healthy), out)
    return result


def _trials(
    model: Model, row: ManifestRow, case: Prepared, before: AnomalyMap, how: InjectOptions
) -> Sequence[Trial]:
    from sanum.synthesis.plant import plant

    calibration = model.calibrated()
    level = finding_level(calibration)
    trials = []
    for kind in how.kinds:
        seed = zlib.crc32(f"{how.seed}:{row.case}:{kind}".encode()) % 2**31
        for size in how.sizes or (SIZES_PX if case.is_image else SIZES_ML):
            for severity in how.severities:
                ill = plant(case, kind, size=size, severity=severity, seed=seed)
                found = model.detector.score(ill)
                score = found.summary(calibration.summary)
                shown = (found.values > level) & ~(before.values > level)
                trials.append(
                    Trial(
                        row.case,
                        kind,
                        size,
                        severity,
                        score,
                        decide(score, calibration, person(row)).abnormal,
                        bool(ill.lesion is not None and (shown & ill.lesion).any()),
                    )
                )
    return trials


def _write(result: Injection, trials: Sequence[Trial], healthy: NDArray[np.float64], out: Path) -> None:
    from sanum.report.curves import rocs_svg, severity_figure

    groups = []
    for kind in dict.fromkeys(trial.kind for trial in trials):
        scores = np.array([trial.score for trial in trials if trial.kind == kind])
        both, ill = np.concatenate([healthy, scores]), np.arange(len(healthy) + len(scores)) >= len(healthy)
        groups.append((f"{kind}, AUROC {auroc(both, ill):.3f}", scores))
    with atomic_path(out / "roc.svg") as partial:
        partial.write_bytes(rocs_svg(healthy, groups, "cases with a planted lesion found"))
    write_json(out / "injection.json", plain(result))
    figure = severity_figure(
        [
            (
                f"{curve.kind}, {curve.severity:g}",
                [cell.size for cell in curve.cells],
                [cell.detected.value for cell in curve.cells],
            )
            for curve in result.curves
        ],
        result.false_alarms.value,
        result.unit,
    )
    with atomic_path(out / "injection.svg") as partial:
        partial.write_bytes(figure)
