"""Watch whether a model's incoming scores still look like those it was calibrated on."""

from __future__ import annotations

import csv
from pathlib import Path

from sanum.calibration.drift import Drift, watch_drift
from sanum.core.errors import CohortError
from sanum.core.files import write_json
from sanum.model import load


def drift(model_path: Path, detections: Path, out: Path | None = None, *, seed: int = 0) -> Drift:
    """Test the scores of a table of detections, in its order, against the model's calibration.

    Cases labelled lesion and refused cases are left out: the watch is about presumed-healthy scans.

    Args:
        model_path: calibrated model file.
        detections: `detections.tsv` of `sanum detect`, or any table with the columns case and score.
        out: JSON file for the p-values and the evidence.
        seed: of the tie-breaking.

    Raises:
        CohortError: the table can't be read or has no score.
        CalibrationError: the model is not calibrated.
    """
    calibration = load(model_path).calibrated()
    found = watch_drift(calibration.scores, _scores(detections), seed=seed)
    if out is not None:
        plain = {
            "state": found.state,
            "sentence": found.sentence(),
            "first_alarm": found.first_alarm,
            "p_values": found.p_values.tolist(),
            "evidence": found.evidence.tolist(),
        }
        write_json(out, plain)
    return found


def _scores(detections: Path) -> list[float]:
    try:
        with detections.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
        scores = [float(row["score"]) for row in rows if row["score"] and row.get("label") != "lesion"]
    except OSError as error:
        raise CohortError(f"{detections}: can't be read ({error.strerror})") from error
    except (KeyError, ValueError) as error:
        raise CohortError(f"{detections}: expected a table with a column score ({error})") from error
    if not scores:
        raise CohortError(f"{detections}: no case with a score that is not labelled lesion")
    return scores
