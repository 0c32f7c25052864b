"""Train a detector on the healthy training rows of a store, and calibrate it on the held-out ones."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import sanum
from sanum.calibration.groups import Person
from sanum.calibration.healthy import Guarantees, HealthyMap, calibration_from_maps
from sanum.calibration.rules import DEFAULT_LEVELS, threshold
from sanum.core.config import did_you_mean, from_dict
from sanum.core.errors import CalibrationError, CohortError, ConfigError
from sanum.core.files import atomic_path
from sanum.core.records import Calibration, Grouping, Prepared, Rule, Summary
from sanum.detectors import detector_class
from sanum.detectors.base import Detector
from sanum.detectors.recipes import resolve_recipe
from sanum.evaluation.fingerprint import seen_before
from sanum.model import Model, load, save
from sanum.prepare.presets import judged_as, preparation_sha256
from sanum.prepare.store import ManifestRow, Store
from sanum.training.run import Run
from sanum.workflow.disagreement import with_modalities
from sanum.workflow.leaks import identities

MADE_SITE = "made"
"""Site of scans that `sanum render` made of healthy heads."""


def fit(
    store: Store,
    recipe: str,
    settings: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    run: Run | None = None,
    allow_labels: Sequence[str] = (),
) -> Model:
    """Train a recipe on a store's training split. The model is not calibrated yet.

    Args:
        store: prepared cases.
        recipe: name of a recipe, or path of a TOML file.
        settings: overrides of the recipe's config.
        seed: of everything random.
        run: device, checkpoint, progress.
        allow_labels: labels besides "healthy" that may stand in the training split.

    Raises:
        CohortError: no training case, or one that is not known to be healthy.
        ConfigError: unknown recipe or setting.
        TrainingError: training diverged.
    """
    plan = resolve_recipe(recipe, settings or {})
    rows = healthy_rows(store, "train", allow_labels)
    kind = detector_class(plan.detector)
    preparation = judged_as(store.preparation, kind.of_heads)
    detector = kind(plan.config, preparation.channels)
    cases = store.cases([row.case for row in rows])
    detector.fit(cases, seed=seed, run=run).to()
    facts = {
        "recipe": recipe,
        "summary": {"rule": plan.summary.rule, "share": plan.summary.share},
        "seed": seed,
        "training_subjects": len({row.subject for row in rows}),
        "training_cases": len(rows),
        "input": _input_kind(cases),
        "training_labels": sorted({row.label for row in rows}),
        "training_sites": sorted({row.site for row in rows if row.site}),
        "training_sources": sorted({name for case in cases for name in identities(case)}),
        "sanum": sanum.__version__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        **_losses(detector),
    }
    return Model(plan.name, detector, preparation, facts=facts)


def fit_and_calibrate(
    store: Store,
    recipe: str,
    settings: Mapping[str, Any] | None = None,
    *,
    out: Path,
    seed: int = 0,
    run: Run | None = None,
    allow_labels: Sequence[str] = (),
) -> Model:
    """Train, write the model file, then calibrate it where the store has scans to calibrate on.

    Beside `out` stands the loss curve of a detector that trains by epochs, as `<name>.loss.png`. Where several
    processes share the training, the leader alone calibrates and writes.

    Raises:
        CohortError, ConfigError, TrainingError, CalibrationError, StorageError: see `fit` and `calibrate`.
    """
    model = fit(store, recipe, settings, seed=seed, run=run, allow_labels=allow_labels)
    if run is not None and not run.group.is_main:
        return model
    save(model, out)
    _draw_losses(model, out.with_suffix(".loss.png"))
    scans = judged_as(store.preparation) == store.preparation
    if scans and any(row.split == "calibration" and row.status == "ready" for row in store.manifest()):
        model = calibrate(model, store, allow_labels=allow_labels)
        save(model, out)
    if run is not None and run.checkpoint is not None:
        run.checkpoint.unlink(missing_ok=True)
    return model


def _input_kind(cases: Sequence[Prepared]) -> str:
    """Whether the model learns from volumes or pictures; scores of one say nothing about the other.

    Raises:
        CohortError: both stand in the training split.
    """
    images = {case.is_image for case in cases}
    if len(images) > 1:
        raise CohortError("the training split mixes volumes and 2D images; train a model for each")
    return "image" if images == {True} else "volume"


def _losses(detector: Detector) -> dict[str, Any]:
    """Losses by epoch, of a detector that trains by epochs."""
    history = getattr(detector, "history_", None)
    if history is None:
        return {}
    losses = {"train": list(history.training_loss), "validation": list(history.validation_loss)}
    return {"losses": losses, "images_per_second": round(history.images_per_second, 1)}


def _draw_losses(model: Model, path: Path) -> None:
    losses = model.facts.get("losses")
    if losses is None:
        return
    from sanum.report.figures import loss_curve

    with atomic_path(path) as partial:
        partial.write_bytes(loss_curve(losses["train"], losses["validation"] or None))


def recalibrate(
    path: Path,
    prepared: Path | None,
    *,
    rule: str | None = None,
    level: float | None = None,
    summary: Summary | None = None,
    guarantees: Guarantees | None = None,
    site: str | None = None,
    out: Path,
    allow_labels: Sequence[str] = (),
) -> Model:
    """Calibrate a model file on a store, or without one change its rule or level only.

    Args:
        path: model file.
        prepared: store with held-out healthy cases; None keeps the scores the model has.
        rule: name of the rule; the present one by default.
        level: of the rule; its usual one by default.
        summary: how maps become scores; needs the store.
        guarantees: groups and the control of findings; groups need the store.
        site: calibrate for one site from its local healthy scans, see `calibrate`; needs the store.
        out: where to write.
        allow_labels: labels besides "healthy" that may calibrate.

    Raises:
        ConfigError: unknown rule, or nothing to change.
        CalibrationError: the rule asks more than the healthy scores support.
    """
    model = load(path, to_calibrate=prepared is not None)
    kept = model.calibration or next(iter(model.single_calibrations.values()), None)
    present = Rule() if kept is None else kept.rule
    wanted = present if rule is None and level is None else make_rule(rule or present.name, level)
    if prepared is not None:
        model = calibrate(
            model,
            Store.open(prepared),
            rule=wanted,
            summary=summary,
            guarantees=guarantees,
            site=site,
            allow_labels=allow_labels,
        )
    elif summary is not None or site is not None or guarantees is not None:
        raise ConfigError(
            "another summary, site, grouping or control of findings needs the scores again: "
            "give the prepared store as well"
        )
    else:
        model = model.with_rule(wanted)
        threshold(model.calibrated().scores, wanted)
    save(model, out)
    return model


def healthy_rows(store: Store, split: str, allow_labels: Sequence[str] = ()) -> list[ManifestRow]:
    """The ready rows of a split, all of them known to be healthy.

    Raises:
        CohortError: there are none, or some carry another label that was not allowed by name.
    """
    rows = [row for row in store.manifest() if row.split == split and row.status == "ready"]
    if not rows:
        raise CohortError(f"{store.folder}: no ready case with split '{split}'; see `sanum check`")
    wrong = [row for row in rows if row.label != "healthy" and row.label not in allow_labels]
    if wrong:
        named = ", ".join(f"{row.case} ({row.label})" for row in wrong[:5])
        raise CohortError(
            f"{len(wrong)} case(s) in split '{split}' are not labelled healthy: {named}"
            f"{', …' if len(wrong) > 5 else ''}. Only normal scans may be used; correct the label, "
            f"or allow it by name with --allow-label"
        )
    return rows


def make_rule(name: str, level: float | None = None) -> Rule:
    """A decision rule by name, with its usual level where none is given.

    Raises:
        ConfigError: unknown rule.
    """
    if name not in DEFAULT_LEVELS:
        raise ConfigError(f"unknown rule {name!r}; {did_you_mean(name, DEFAULT_LEVELS)}")
    return Rule(name, DEFAULT_LEVELS[name] if level is None else level)  # type: ignore[arg-type]


def make_guarantees(group: Sequence[str], small: str, control: str | None) -> Guarantees | None:
    """Groups and the control of findings by name; None where neither is asked for.

    Raises:
        ConfigError: an unknown column, policy or control.
    """
    if not group and control is None:
        return None
    values = {"columns": list(group), "small": small}
    grouping = from_dict(Grouping, values, "grouping") if group else None
    guarantees = from_dict(Guarantees, {"control": control or "family-wise"}, "findings")
    return replace(guarantees, grouping=grouping)


def calibrate(
    model: Model,
    store: Store,
    *,
    rule: Rule | None = None,
    summary: Summary | None = None,
    guarantees: Guarantees | None = None,
    site: str | None = None,
    allow_labels: Sequence[str] = (),
) -> Model:
    """Score the healthy calibration rows of a store and keep them in the model.

    Args:
        model: fitted.
        store: prepared as the model demands, with rows of split "calibration".
        rule: `mean+3std` by default.
        summary: the recipe's by default.
        guarantees: groups and the control of findings; by default those of the present calibration.
        site: take the healthy rows of this site only, of split "calibration" or of none; rows without a site
            count as this site's. The weights stay as they are.
        allow_labels: labels besides "healthy" that may stand in the calibration split.

    Raises:
        CalibrationError: another preparation, or too few healthy subjects for the rule.
        CohortError: no calibration row, one that is not known to be healthy, or one that was trained on.
    """
    preparation = preparation_sha256(model.preparation)
    _require_preparation(model, store)
    rows = healthy_rows(store, "calibration", allow_labels) if site is None else _site_rows(store, site)
    sources = {row.case: identities(store.load(row.case)) for row in rows}
    trained = seen_before(sources, model.facts.get("training_sources", ()))
    if trained:
        raise CohortError(
            f"{store.folder}: model {model.name} was trained on {len(trained)} of the calibration scans, such as "
            f"{trained[0]}; scores of training scans are too low to calibrate on, hold subjects out"
        )
    present = model.calibration
    kept = Guarantees() if present is None else Guarantees(present.grouping, present.control)

    def over(only: str) -> Calibration:
        return calibration_from_maps(
            (_healthy_map(model, store, row, only) for row in rows),
            summary or model_summary(model),
            rule or Rule(),
            detector=model.detector.state_sha256(),
            preparation=preparation,
            guarantees=guarantees or kept,
        )

    others: Sequence[str] = ()
    if model.takes_each:
        (only,) = store.preparation.modalities
        by_modality, calibration = {**model.single_calibrations, only: over("")}, None
        others = model.facts.get("calibration_sources", ())
    else:
        single = model.detector.modalities if model.detector.incomplete == "alone" else ()
        by_modality = {name: over(name) for name in single if len(single) > 1}
        calibration = over("")
    facts = {
        **model.facts,
        "calibration_labels": sorted({row.label for row in rows}),
        "calibration_sites": sorted({row.site for row in rows if row.site}),
        "calibration_sources": sorted({*others, *(name for names in sources.values() for name in names)}),
        "calibrated_for_site": site,
        "calibrated_on_made": _calibrated_on_made(model, store, rows),
    }
    return replace(model, calibration=calibration, single_calibrations=by_modality, facts=facts)


def _require_preparation(model: Model, store: Store) -> None:
    """A detector that judges each modality by itself is calibrated on stores of one modality."""
    wanted = model.preparation
    if model.takes_each:
        names = store.preparation.modalities
        if len(names) != 1 or names[0] not in wanted.modalities:
            raise CalibrationError(
                f"{store.folder}: model {model.name} judges {', '.join(wanted.modalities)} one by one; give a store of "
                "one of them, made with --modality"
            )
        wanted = replace(wanted, modalities=names)
    if preparation_sha256(wanted) != preparation_sha256(store.preparation):
        raise CalibrationError(f"{store.folder}: prepared otherwise than model {model.name} demands")


def _calibrated_on_made(model: Model, store: Store, rows: Sequence[ManifestRow]) -> list[str]:
    """Modalities whose healthy scores come from made scans, so that they vouch for no rate on real ones."""
    before = set(model.facts.get("calibrated_on_made", ()))
    return sorted(
        (before - set(store.preparation.modalities))
        | (set(store.preparation.modalities) if any(row.site == MADE_SITE for row in rows) else set())
    )


def _site_rows(store: Store, site: str) -> list[ManifestRow]:
    rows = [
        row
        for row in store.manifest()
        if row.status == "ready"
        and row.label == "healthy"
        and row.split in (None, "calibration")
        and row.site in ("", site)
    ]
    if not rows:
        raise CohortError(
            f"{store.folder}: no ready healthy case of site {site!r} outside the training and test splits; "
            "prepare 20 to 50 local healthy scans labelled healthy"
        )
    return rows


def _healthy_map(model: Model, store: Store, row: ManifestRow, only: str) -> HealthyMap:
    from sanum.prepare.way_back import to_native

    prepared = store.load(row.case)
    if only:
        prepared = with_modalities(prepared, (only,))
    scored = model.detector.score(prepared)
    return HealthyMap(row.subject, scored, to_native(scored, prepared), person(row), prepared.is_image)


def person(row: ManifestRow) -> Person:
    """Site, age and sex of a store's row."""
    return Person(row.site or None, float(row.age) if row.age else None, row.sex or None)


def model_summary(model: Model) -> Summary:
    """The summary the model's calibration uses, or its recipe's before calibration."""
    if model.calibration is not None:
        return model.calibration.summary
    return Summary(**model.facts.get("summary", {}))
