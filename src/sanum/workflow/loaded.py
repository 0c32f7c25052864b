"""The Python face of a model file: load it once, ask it often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sanum.cohort.table import Row
from sanum.core.errors import ScanError
from sanum.core.records import Rule
from sanum.core.shipped import find_model
from sanum.model import Model, save
from sanum.model import load as load_model
from sanum.workflow.detect import CaseDetection, detect, detect_file

PathLike = Path | str


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A calibrated model that judges scans.

    >>> model = sanum.load("model.safetensors")                      # doctest: +SKIP
    >>> detection = model.detect("sub-01_T1w.nii.gz")                # doctest: +SKIP
    >>> detection.score, detection.p_value, detection.abnormal       # doctest: +SKIP
    """

    model: Model

    @property
    def card(self) -> dict[str, Any]:
        """The model card as plain JSON."""
        return self.model.card

    def detect(
        self,
        scan: PathLike | Mapping[str, PathLike],
        *,
        modality: str | None = None,
        brain: PathLike | None = None,
        case: str = "case",
    ) -> CaseDetection:
        """Judge one case.

        Args:
            scan: a file, or one file a modality: `{"T1w": "a.nii.gz", "FLAIR": "b.nii.gz"}`.
            modality: what a single file shows, where its name does not tell.
            brain: brain mask on the first scan's grid; not needed when the scan is brain-extracted.
            case: name of the case when several files are given.

        Returns:
            The detection; its status is "refused", with the reason, when the scan can't be judged.

        Raises:
            ScanError: a file does not exist.
            CalibrationError: the model is not calibrated.
        """
        files = dict(scan) if isinstance(scan, Mapping) else {}
        for path in [*files.values(), *([] if files else [scan]), *([] if brain is None else [brain])]:
            if not Path(str(path)).exists():
                raise ScanError(f"{path}: no such file")
        mask = None if brain is None else Path(brain)
        if isinstance(scan, Mapping):
            scans = {name: Path(path) for name, path in files.items()}
            return detect(self.model, Row(case=case, subject=case, scans=scans, brain=mask))
        return detect_file(self.model, Path(scan), modality, mask)

    def with_rule(self, rule: Rule) -> LoadedModel:
        """The same model deciding by another rule or level."""
        return LoadedModel(self.model.with_rule(rule))

    def save(self, path: PathLike) -> None:
        """Write the model file."""
        save(self.model, Path(path))


def load(path: PathLike) -> LoadedModel:
    """Load a model file, or a model that comes with sanum by its name.

    Raises:
        ModelFileError: missing, damaged, or not a sanum model file.
    """
    return LoadedModel(load_model(find_model(Path(path))))
