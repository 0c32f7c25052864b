"""The model file: one `.safetensors` with learned arrays, and everything else as JSON in its header."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sanum.calibration.healthy import infinite_part
from sanum.core.config import from_dict, to_dict
from sanum.core.errors import CalibrationError, ConfigError, ModelFileError
from sanum.core.exported import EXPORTED
from sanum.core.files import atomic_path, file_sha256
from sanum.core.header import FORMAT, KEY, read_header
from sanum.core.modalities import AnyOf
from sanum.core.records import MAP_QUANTILES, Calibration, Grouping, Rule, Summary
from sanum.detectors.base import Detector
from sanum.detectors.stored import STATE_PREFIX, build, describe, part, read_arrays
from sanum.prepare.presets import (
    Preparation,
    preparation_from_dict,
    preparation_sha256,
    preparation_to_dict,
)

if TYPE_CHECKING:
    from sanum.cohort.table import Row
    from sanum.workflow.detection import CaseDetection

_CALIBRATION = "calibration/"
_ALONE = "alone/"
_HEALTHY = ("scores", "map_levels")
_HEALTHY_PARTS = ("slice_scores", "finding_scores", "place_mean", "place_std", "place_peaks")


@dataclass(frozen=True, eq=False, repr=False)
class Model:
    """A fitted detector with all it needs to judge a scan: load it once, ask it often.

    >>> import sanum
    >>> model = sanum.load("sanum-t1-restore")
    >>> model
    <sanum-t1-restore: restore for T1w, calibrated on 19 healthy subjects, rule conformal 0.05>
    >>> model.card["modalities"]
    ['T1w']

    Attributes:
        name: short name, the file's stem once it was loaded.
        detector: fitted.
        preparation: how a scan must be prepared.
        calibration: healthy scores and the rule; None before calibration.
        facts: what the card tells besides: recipe, cohort, subjects, seed, losses, version, date.
        sha256: of the file it was read from, else empty.
        single_calibrations: by its name, for cases with one modality only, of a detector that judges such.
    """

    name: str
    detector: Detector
    preparation: Preparation
    calibration: Calibration | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    single_calibrations: Mapping[str, Calibration] = field(default_factory=dict)

    def __repr__(self) -> str:
        what = f"{self.name}: {self.detector.name} for {', '.join(self.preparation.modalities)}"
        kept = self.calibration or next(iter(self.single_calibrations.values()), None)
        if kept is None:
            return f"<{what}, not calibrated>"
        decided = f"{len(kept.scores)} healthy subjects, rule {kept.rule.name} {kept.rule.level:g}"
        return f"<{what}, calibrated on {decided}>"

    def detect(
        self,
        scan: Any,
        *,
        affine: Any = None,
        modality: str | None = None,
        brain: Any = None,
        case: str = "",
        as_called: bool = False,
        workers: int = 1,
        device: str | None = None,
    ) -> Any:
        """Judge one scan, or many.

        Args:
            scan: a path; a nibabel image; an array (I, J, K) with `affine`, or the pair `(array, affine)`; an array
                (rows, columns), a picture; a mapping from modality to one of these, for a case of several; or a list of
                any of them. A path may also be a folder (BIDS, DICOM, or plain) or a cohort table of several cases.
            affine: (4, 4), voxel index of an array to world RAS+ mm.
            modality: what a single scan shows, where its name does not tell.
            brain: brain mask of one case on its first scan's grid, a path, image or array; not needed when the scan is
                brain-extracted, or a whole head.
            case: name of one case.
            as_called: you vouch that the scans show what they are called, whatever they look like.
            workers: processes that judge a list, a folder or a table. A script that asks for several needs
                `if __name__ == "__main__":`.
            device: where networks run from now on: "cpu", "auto" (CUDA where there is one), "cuda", "cuda:1", …; where
                they are by default, at first on the CPU. Scores differ by rounding.

        Returns:
            One `CaseDetection` for one case; a list of them for a list, a folder of several cases or a table, in their
            order. The status of a scan that can't be judged is "refused", with the reason.

        Raises:
            TypeError: what was given is no scan.
            ScanError: a file does not exist.
            CalibrationError: the model is not calibrated.
            ConfigError: the device is not there.

        >>> detection = sanum.load(model_file).detect(scan)
        >>> detection.status, detection.abnormal, len(detection.findings) > 0
        ('abnormal', True, True)
        """
        from sanum.workflow.loaded import Asked, detect_given

        asked = Asked(scan, affine, modality, brain, case, as_called)
        return detect_given(self, asked, workers=workers, device=device)

    def judge(
        self, row: Row, *, on_stage: Callable[[str], None] = lambda _: None, reconstruct: bool = True
    ) -> CaseDetection:
        """Judge the case of one row of a cohort table; see `sanum.workflow.detect.detect`."""
        from sanum.workflow.detect import detect

        return detect(self, row, on_stage=on_stage, reconstruct=reconstruct)

    def save(self, path: Path | str) -> None:
        """Write the model file.

        Raises:
            NotFittedError: the detector was not trained.
            StorageError: the file can't be written.
        """
        save(self, Path(path))

    @property
    def model(self) -> Model:
        """Itself, for what was written when `sanum.load` gave a wrapper."""
        return self

    @functools.cached_property
    def card(self) -> dict[str, Any]:
        """The model card as plain JSON: what it is, what it was trained on, how it decides."""
        return {
            "name": self.name,
            "detector": self.detector.name,
            "config": to_dict(self.detector.config),
            "modalities": list(self.preparation.modalities),
            "any_of": self.takes_each,
            "preparation": preparation_to_dict(self.preparation),
            "calibration": _calibration_card(self.calibration),
            **self.facts,
        }

    @property
    def map_levels(self) -> dict[float, float]:
        """Share of healthy voxels to the map value that only this share exceeds."""
        values = self.calibrated().map_levels
        return {round(1.0 - q, 6): float(value) for q, value in zip(MAP_QUANTILES, values, strict=True)}

    def calibrated(self, only: str = "") -> Calibration:
        """The calibration, checked to belong to this detector and preparation.

        Args:
            only: the single modality of a case that lacks the others; "" for a whole case.

        Raises:
            CalibrationError: there is none, or it was made with other weights or another preparation.
        """
        again = "run `sanum calibrate` with held-out healthy cases"
        found = self.single_calibrations.get(only) if only else self.calibration
        if self.takes_each and not only and found is None:
            found = next(iter(self.single_calibrations.values()), None)
        if found is None:
            what = f" for cases with {only} alone" if only else ""
            raise CalibrationError(f"model {self.name} is not calibrated{what}, so it can't decide; {again}")
        if found.detector != self._state_sha256:
            raise CalibrationError(f"model {self.name} was calibrated with other weights; {again}")
        if found.preparation != preparation_sha256(self.preparation):
            raise CalibrationError(f"model {self.name} was calibrated on another preparation; {again}")
        return found

    def calibrated_for(self, channels: tuple[str, ...]) -> Calibration:
        """The calibration for a prepared case of these channels: a single one that is judged alone has its own.

        Raises:
            CalibrationError: see `calibrated`.
        """
        alone = self.detector.incomplete == "alone" and len(channels) < len(self.detector.modalities)
        return self.calibrated(channels[0] if alone else "")

    def usable(self, scans: Collection[str]) -> tuple[str, ...]:
        """The modalities that a case with these scans is judged by: all that the model takes, or fewer where it can.

        The first one is needed, because masks and registration lie on its grid; but for a single one that the detector
        judges alone.
        """
        wanted, how = self.preparation.modalities, self.detector.incomplete
        here = tuple(name for name in wanted if name in scans)
        enough = (how == "filled" and wanted[0] in here) or (how in ("alone", "each") and len(here) == 1)
        return here if enough else wanted

    @property
    def takes_each(self) -> bool:
        """Whether each of its modalities is a whole case."""
        return self.detector.incomplete == "each"

    @property
    def takes(self) -> tuple[str, ...]:
        """The modalities that a case needs, or `AnyOf` them where each is judged by itself."""
        names = self.preparation.modalities
        return AnyOf(names) if self.takes_each and len(names) > 1 else names

    def suited_to(self, preparation: Preparation) -> Model:
        """The model as it judges a store of this preparation: itself, or for one of the modalities that it judges each.

        Raises:
            CalibrationError: it is not calibrated for that modality.
        """
        names = preparation.modalities
        if not self.takes_each or len(names) != 1 or names[0] not in self.preparation.modalities:
            return self
        narrow = replace(self.preparation, modalities=names)
        calibration = replace(self.calibrated(names[0]), preparation=preparation_sha256(narrow))
        return replace(self, preparation=narrow, calibration=calibration, single_calibrations={})

    @functools.cached_property
    def _state_sha256(self) -> str:
        """Taken once: hashing the weights takes longer than judging a picture."""
        return self.detector.state_sha256()

    def with_rule(self, rule: Rule) -> Model:
        """The same model deciding by another rule or level; nothing is trained again.

        >>> sanum.load(model_file).with_rule(sanum.Rule("quantile", 0.9)).calibration.rule
        Rule(name='quantile', level=0.9)
        """
        by_modality = {name: replace(each, rule=rule) for name, each in self.single_calibrations.items()}
        present = self.calibrated()
        joint = None if self.calibration is None else replace(present, rule=rule)
        return replace(self, calibration=joint, single_calibrations=by_modality)


LoadedModel = Model
"""As `sanum.load` called what it gives before."""


def _calibration_card(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {
        "rule": to_dict(calibration.rule),
        "summary": to_dict(calibration.summary),
        "subjects": len(calibration.scores),
        "score_mean": float(calibration.scores.mean()),
        "score_std": float(calibration.scores.std()),
        "score_max": float(calibration.scores.max()),
        "grouping": None if calibration.grouping is None else to_dict(calibration.grouping),
        "finding_control": calibration.control,
    }


def save(model: Model, path: Path) -> None:
    """Write the model file, whole or not at all.

    Raises:
        ConfigError: the name is that of an exported file.
        NotFittedError: the detector was not trained.
        StorageError: the file can't be written.
    """
    from safetensors.numpy import save_file

    if path.suffix == EXPORTED:
        raise ConfigError(
            f"{path}: a model is written as .safetensors; name such a file, and make it {EXPORTED} by `sanum export`"
        )

    arrays = {
        STATE_PREFIX + name: np.asarray(array, order="C") for name, array in model.detector.state().items()
    }
    header: dict[str, Any] = {
        "format": FORMAT,
        **describe(model.detector),
        "modalities": list(model.preparation.modalities),
        "any_of": model.takes_each,
        "preparation": preparation_to_dict(model.preparation),
        "preparation_sha256": preparation_sha256(model.preparation),
        "facts": dict(model.facts),
    }
    if model.calibration is not None:
        header["calibration"] = _calibration_header(model.calibration)
        arrays |= _calibration_arrays(model.calibration, _CALIBRATION)
    if model.single_calibrations:
        header["alone"] = {
            name: _calibration_header(each) for name, each in model.single_calibrations.items()
        }
        for name, each in model.single_calibrations.items():
            arrays |= _calibration_arrays(each, f"{_ALONE}{name}/")
    with atomic_path(path) as partial:
        save_file(arrays, partial, metadata={KEY: json.dumps(header, allow_nan=False)})


def _calibration_header(calibration: Calibration) -> dict[str, Any]:
    return {
        "summary": to_dict(calibration.summary),
        "rule": to_dict(calibration.rule),
        "detector": calibration.detector,
        "preparation": calibration.preparation,
        "grouping": None if calibration.grouping is None else to_dict(calibration.grouping),
        "groups": list(calibration.groups),
        "control": calibration.control,
    }


def _calibration_arrays(calibration: Calibration, prefix: str) -> dict[str, Any]:
    parts = {name: getattr(calibration, name) for name in (*_HEALTHY, *_HEALTHY_PARTS)}
    return {prefix + name: array for name, array in parts.items() if array is not None}


def load(path: Path, *, to_calibrate: bool = False) -> Model:
    """Read a model file and check that every part belongs to the others.

    Args:
        path: the file; an exported one runs in ONNX Runtime.
        to_calibrate: the calibration will be made anew, so that one which can't decide does no harm.

    Raises:
        ConfigError: the environment variable SANUM_DEVICE names a device that is not there.
        ModelFileError: missing, damaged, of another program or a newer format, or altered; or its calibration holds an
            infinity, against which nothing could ever be significant.
    """
    header = read_header(path)
    arrays = read_arrays(path)
    try:
        preparation = preparation_from_dict(header["preparation"])
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelFileError(f"{path}: the model's settings are not understood ({error})") from error
    described = {**header, "channels": preparation.channels}
    detector = build(described, part(arrays, STATE_PREFIX), str(path)).to()
    if path.suffix == EXPORTED:
        from sanum.detectors.onnx_file import use_onnx

        use_onnx(detector, path)
    kept = header.get("calibration")
    calibration = None if kept is None else _read_calibration(kept, part(arrays, _CALIBRATION), path)
    by_modality = {
        name: _read_calibration(each, part(arrays, f"{_ALONE}{name}/"), path)
        for name, each in header.get("alone", {}).items()
    }
    if not to_calibrate:
        _refuse_infinite([calibration, *by_modality.values()], path)
    return Model(
        path.stem, detector, preparation, calibration, header["facts"], file_sha256(path), by_modality
    )


def _refuse_infinite(calibrations: Iterable[Calibration | None], path: Path) -> None:
    for each in calibrations:
        if each is not None and (name := infinite_part(each)):
            raise ModelFileError(
                f"{path}: the calibration's {name} hold an infinity, so nothing could be told from healthy scans; "
                "calibrate again: `sanum calibrate MODEL PREPARED`"
            )


def _read_calibration(kept: Mapping[str, Any], healthy: Mapping[str, Any], path: Path) -> Calibration:
    try:
        return Calibration(
            summary=from_dict(Summary, kept["summary"], f"{path}: summary"),
            rule=from_dict(Rule, kept["rule"], f"{path}: rule"),
            detector=kept["detector"],
            preparation=kept["preparation"],
            grouping=_read_grouping(kept.get("grouping"), path),
            groups=tuple(kept.get("groups", ())),
            control=kept.get("control", "family-wise"),
            **{name: healthy[name] for name in _HEALTHY},
            **{name: healthy[name] for name in _HEALTHY_PARTS if name in healthy},
        )
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelFileError(f"{path}: the calibration is not understood ({error})") from error


def _read_grouping(kept: Mapping[str, Any] | None, path: Path) -> Grouping | None:
    return None if kept is None else from_dict(Grouping, kept, f"{path}: grouping")
