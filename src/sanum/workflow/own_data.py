"""Train, calibrate and evaluate in one call each, from scans as people have them."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from sanum.cohort.discover import discover
from sanum.cohort.splits import CALIBRATION_SHARE, split_by_subject
from sanum.cohort.table import Cohort, read_cohort
from sanum.core.errors import CohortError
from sanum.core.modalities import AnyOf
from sanum.core.names import IMAGE_SUFFIXES
from sanum.core.records import Label, Split
from sanum.evaluation.summary import Evaluation
from sanum.model import Model, save
from sanum.model import load as load_model
from sanum.prepare.presets import Preparation, Slices, Template
from sanum.prepare.store import Store
from sanum.training.run import Run
from sanum.workflow import evaluate as evaluation
from sanum.workflow import fit as fitting
from sanum.workflow.inputs import gather
from sanum.workflow.left_out import remarks
from sanum.workflow.loaded import PathLike, load
from sanum.workflow.prepare import prepare_cohort
from sanum.workflow.progress import progress, training_progress

Data: TypeAlias = Store | Cohort | PathLike | Sequence[PathLike]
"""A prepared store or its folder; a cohort, its table, a folder of scans (BIDS, DICOM, plain); or a list of scans."""


def train(
    healthy: Data,
    recipe: str = "atlas",
    *,
    settings: Mapping[str, Any] | None = None,
    modality: str | None = None,
    preparation: Preparation | None = None,
    calibration_share: float = CALIBRATION_SHARE,
    folder: PathLike | None = None,
    out: PathLike | None = None,
    resume: bool = False,
    seed: int = 0,
    device: str = "auto",
    workers: int = 1,
) -> Model:
    """Learn from healthy scans, and calibrate on those that were held out.

    Args:
        healthy: scans of healthy subjects. A table that tells splits keeps them; otherwise `calibration_share` of the
            subjects calibrate and the others train.
        recipe: name of a recipe, or path of a TOML file; `sanum detectors` lists them.
        settings: overrides of the recipe's config.
        modality: what scans show whose names do not tell.
        preparation: `Template` for volumes and `Slices` for pictures by default; a store has its own.
        calibration_share: part of the subjects that calibrate, above 0 and below 1; a quarter by default, as of those
            that do not test in a table of `sanum cohort`.
        folder: where prepared scans are kept, to go on from and to evaluate on; nothing is kept by default.
        out: model file to write. A network keeps a checkpoint beside it while it trains (`<name>.checkpoint`).
        resume: go on from that checkpoint, of a training that was stopped.
        seed: of everything random.
        device: "auto" (CUDA where there is one), "cpu", "cuda", …
        workers: processes that prepare scans.

    Returns:
        The calibrated model.

    Raises:
        CohortError: no scan, one that is not known to be healthy, or too few subjects.
        ConfigError: unknown recipe or setting.
        TrainingError: training diverged.
        CalibrationError: too few held-out subjects.

    Warns:
        UserWarning: scans that could not be prepared and are left out, or that are used but flagged, each with why.

    >>> sanum.train(prepared, recipe="intensity")
    <intensity: intensity for T1w, calibrated on 4 healthy subjects, rule mean+3std 3>
    """
    shares: dict[Split, float] = {"train": 1.0 - calibration_share, "calibration": calibration_share}
    checkpoint = None if out is None else Path(out).with_suffix(".checkpoint")
    with (
        _told_when_stopped(folder, checkpoint),
        _store(healthy, modality, preparation, folder, "healthy", workers, shares) as store,
    ):
        with training_progress() as on_progress:
            run = Run(device, checkpoint, resume, on_progress)
            model = fitting.fit(store, recipe, settings, seed=seed, run=run)
        model = _kept(fitting.calibrate(model, store), out)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return model


def calibrate(
    model: Model | PathLike,
    healthy: Data,
    *,
    rule: str = "conformal",
    level: float | None = None,
    modality: str | None = None,
    site: str | None = None,
    folder: PathLike | None = None,
    out: PathLike | None = None,
    workers: int = 1,
) -> Model:
    """Let a model decide by held-out healthy scans, such as 20 to 50 of one's own scanner. Nothing is trained.

    Args:
        model: loaded, a model file, or the name of a model that comes with sanum.
        healthy: scans of healthy subjects that the model was not trained on; see `train`.
        rule: "conformal", "quantile" or "mean+3std".
        level: of the rule; for "conformal" the share of healthy scans that may be called abnormal.
        modality: what scans show whose names do not tell; or which of several a model that judges each by itself is
            calibrated for.
        site: needed only where a table lists several sites: takes the rows of this one and those that tell no site.
        folder: where prepared scans are kept; nothing is kept by default.
        out: model file to write.
        workers: processes that prepare scans.

    Returns:
        The model with its new calibration; the one given is not changed.

    Raises:
        CohortError: no healthy scan, one that the model was trained on, or several modalities for a model that judges
            each by itself.
        CalibrationError: too few subjects for the rule and level.
        ConfigError: unknown rule.

    Warns:
        UserWarning: see `train`.

    >>> sanum.calibrate(model_file, prepared, level=0.2)
    <brightness: intensity for T1w, calibrated on 4 healthy subjects, rule conformal 0.2>
    """
    fitted = _loaded(model)
    decision = fitting.make_rule(rule, level)
    shares: dict[Split, float] = {"calibration": 1.0}
    with (
        _told_when_stopped(folder),
        _store(healthy, modality, fitted, folder, "healthy", workers, shares) as store,
    ):
        calibrated = fitting.calibrate(fitted, store, rule=decision, site=site)
    return _kept(calibrated, out)


def evaluate(
    model: Model | PathLike,
    data: Data,
    *,
    modality: str | None = None,
    out: PathLike | None = None,
    folder: PathLike | None = None,
    draws: int = 1000,
    seed: int = 0,
    workers: int = 1,
) -> Evaluation:
    """Measure a calibrated model on labelled scans, healthy ones and ones with a lesion.

    Args:
        model: loaded, a model file, or the name of a model that comes with sanum.
        data: a table with labels, and lesion masks where they are known; its split "test" where it tells splits.
        modality: see `calibrate`.
        out: folder for `evaluation.json`, tables and figures; nothing is written by default.
        folder: where prepared scans are kept; nothing is kept by default.
        draws: bootstrap samples over subjects behind each interval.
        seed: of the bootstrap.
        workers: processes.

    Raises:
        CohortError: no labelled test case, or a leak between splits.
        CalibrationError: the model is not calibrated, or the store was prepared otherwise.

    >>> figures = sanum.evaluate(model_file, prepared, draws=20)
    >>> figures.lines()[0]
    'test split: 2 healthy, 2 lesion cases, 4 subjects'
    """
    loaded = _loaded(model)
    how = evaluation.EvaluateOptions(draws, seed, workers=workers)
    with (
        _store(data, modality, loaded, folder, None, workers, {"test": 1.0}) as store,
        tempfile.TemporaryDirectory(prefix="sanum-") as scratch,
    ):
        path = Path(scratch) / f"{loaded.name}.safetensors"
        save(loaded, path)
        return evaluation.evaluate(path, store.folder, None if out is None else Path(out), options=how)


def _loaded(model: Model | PathLike) -> Model:
    return model if isinstance(model, Model) else load(model)


def _kept(model: Model, out: PathLike | None) -> Model:
    if out is None:
        return model
    save(model, Path(out))
    return load_model(Path(out))


@contextlib.contextmanager
def _store(
    data: Data,
    modality: str | None,
    made_for: Preparation | Model | None,
    folder: PathLike | None,
    label: Label | None,
    workers: int,
    shares: Mapping[Split, float],
) -> Iterator[Store]:
    """The data as a prepared store, which lives as long as the block where no folder keeps it."""
    with tempfile.TemporaryDirectory(prefix="sanum-") as scratch:
        if isinstance(data, Store):
            store = data
        elif isinstance(data, str | Path) and (Path(data) / "preparation.json").is_file():
            store = Store.open(Path(data))
        else:
            cohort = _split(_cohort(data, modality, made_for, label), shares)
            how = _preparation(made_for, cohort, modality)
            cohort = cohort.showing(how.modalities)
            target = Path(scratch) / "prepared" if folder is None else Path(folder)
            with progress("preparing", len(cohort)) as advance:
                prepare_cohort(cohort, target, how, workers=workers, on_done=lambda one: advance(one.case))
            store = Store.open(target)
        if told := remarks(store):
            warnings.warn(told, stacklevel=4)
        yield store


@contextlib.contextmanager
def _told_when_stopped(folder: PathLike | None, checkpoint: Path | None = None) -> Iterator[None]:
    """Ctrl-C says in one line what is kept, without the stack of the library."""
    try:
        yield
    except KeyboardInterrupt:
        kept = [] if folder is None else [f"prepared scans are kept in {folder}"]
        if checkpoint is not None and checkpoint.exists():
            kept.append(f"the same call with resume=True goes on from {checkpoint}")
        nothing = "nothing was kept: folder= keeps prepared scans, out= a checkpoint of a network"
        raise KeyboardInterrupt(f"stopped; {'; '.join(kept) or nothing}") from None


def _cohort(
    data: Cohort | PathLike | Sequence[PathLike],
    modality: str | None,
    made_for: Preparation | Model | None,
    label: Label | None,
) -> Cohort:
    """The cases; what no table labels is what the caller says it is."""
    if isinstance(data, Cohort):
        return data
    if isinstance(data, str | Path) and Path(data).suffix == ".tsv":
        return read_cohort(Path(data))
    takes: tuple[str, ...] = (modality or "T1w",)
    if made_for is not None:
        takes = made_for.takes if isinstance(made_for, Model) else made_for.modalities
    if isinstance(data, str | Path):
        only = modality or (takes[0] if made_for is not None and len(takes) == 1 else None)
        return discover(Path(data), modality=only, label=label or "unknown")
    if not isinstance(data, Sequence):
        raise TypeError(
            f"data: expected a store, cohort, table, folder or list of paths; got {type(data).__name__}"
        )
    rows = gather([Path(path) for path in data], takes, modality=modality)
    modalities = tuple(dict.fromkeys(name for row in rows for name in row.scans))
    labelled = tuple(row if label is None else replace(row, label=label) for row in rows)
    return Cohort(Path(), labelled, modalities)


def _split(cohort: Cohort, shares: Mapping[Split, float]) -> Cohort:
    """Splits as the table tells them; else by subject where there are several, or one for all."""
    if any(row.split is not None for row in cohort):
        return cohort
    if len(shares) > 1:
        return split_by_subject(cohort, {str(split): share for split, share in shares.items()})
    only = next(iter(shares))
    return replace(cohort, rows=tuple(replace(row, split=only) for row in cohort))


def _preparation(made_for: Preparation | Model | None, cohort: Cohort, modality: str | None) -> Preparation:
    """As is wanted; as the model wants it, narrowed to one modality where it judges each by itself; or the usual one."""
    if not isinstance(made_for, Model):
        return made_for or _usual_preparation(cohort)
    if not isinstance(made_for.takes, AnyOf):
        return made_for.preparation
    shown = [
        name for name in made_for.takes if name in (cohort.modalities if modality is None else [modality])
    ]
    if len(shown) != 1:
        raise CohortError(
            f"{cohort.path}: model {made_for.name} judges {', '.join(made_for.takes)} one by one, and these scans show "
            f"{', '.join(shown) or 'none of them'}; name one with modality="
        )
    return replace(made_for.preparation, modalities=(shown[0],))


def _usual_preparation(cohort: Cohort) -> Preparation:
    names = [path.name.lower() for row in cohort for path in row.scans.values()]
    pictures = sum(name.partition("#")[0].endswith(IMAGE_SUFFIXES) for name in names)
    if 0 < pictures < len(names):
        raise CohortError(f"{cohort.path}: volumes and pictures are mixed; train a model for each")
    return Slices(cohort.modalities) if pictures else Template(cohort.modalities)
