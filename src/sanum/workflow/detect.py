"""One scan in, one decision out, with everything a person needs to check it."""

from __future__ import annotations

import datetime
import functools
import time
from collections.abc import Callable
from dataclasses import replace

import sanum
from sanum.calibration.groups import Person, reference_group
from sanum.cohort.table import Row
from sanum.core.beside import beside
from sanum.core.errors import CalibrationError, ScanError
from sanum.core.modalities import AnyOf
from sanum.core.records import Prepared, Provenance, Scan
from sanum.core.units import Volume
from sanum.detectors.base import Opinion
from sanum.model import Model
from sanum.prepare.contrast import contrast_warnings
from sanum.prepare.presets import Preparation, Template
from sanum.prepare.way_back import reconstruction_to_native
from sanum.workflow.decide import decide_case
from sanum.workflow.detection import CaseDetection as CaseDetection
from sanum.workflow.disagreement import beside_each_other
from sanum.workflow.each_modality import detect_each
from sanum.workflow.leaks import identities
from sanum.workflow.prepare import prepare_scans, read_row


def _quiet(stage: str) -> None:
    del stage


def detect(
    model: Model, row: Row, *, on_stage: Callable[[str], None] = _quiet, reconstruct: bool = True
) -> CaseDetection:
    """Judge one case. A scan that can't be judged is refused with the reason, never called normal.

    Args:
        model: calibrated.
        row: names the files.
        on_stage: told what comes next: "reading", "preparing", "scoring", "deciding".
        reconstruct: rebuild the scan as it would look in health too, where the detector can.

    Raises:
        CalibrationError: the model is not calibrated.
    """
    model.calibrated()
    one = functools.partial(_detect, on_stage=on_stage, reconstruct=reconstruct)
    return detect_each(model, row, one, refused) if isinstance(model.takes, AnyOf) else one(model, row)


def _detect(model: Model, row: Row, *, on_stage: Callable[[str], None], reconstruct: bool) -> CaseDetection:
    started = time.perf_counter()
    scan: Scan | None = None
    try:
        on_stage("reading")
        present = model.usable(row.scans)
        files = read_row(row, present)
        scan = files.scans.get(present[0])
        on_stage("preparing")
        require_input_kind(model, scan)
        preparation = replace(model.preparation, modalities=present)
        prepared = prepare_scans(files, preparation)
        healthy = reference_group(
            model.calibrated_for(prepared.modalities), Person(row.site, row.age, row.sex)
        )
        on_stage("scoring")
        opinion = model.detector.judge(prepared, reconstruct=reconstruct)
        on_stage("deciding")
        provenance = _provenance(model, started, prepared)
        on_template = isinstance(preparation, Template)
        with beside(functools.partial(_restored, opinion, prepared, preparation, scan)) as restored:
            found = decide_case(opinion, prepared, healthy, provenance, on_template=on_template)
    except (ScanError, CalibrationError) as error:
        return refused(model, row, scan, str(error), started)
    doubts = (*contrast_warnings(prepared.steps), *_doubts(model, present), *_seen_before(model, prepared))
    found = replace(
        found,
        provenance=replace(provenance, seconds=_since(started)),
        modality=present[0],
        warnings=(*doubts, *found.warnings),
        rate_guaranteed=found.rate_guaranteed and not doubts,
        restored=restored(),
        scan=scan,
        card=model.card,
    )
    if len(model.preparation.modalities) == 1:
        return found
    return beside_each_other(found, files.scans, prepared, opinion.map)


def _restored(
    opinion: Opinion, prepared: Prepared, preparation: Preparation, scan: Scan | None
) -> Volume | None:
    if opinion.reconstruction is None or scan is None:
        return None
    return reconstruction_to_native(opinion.reconstruction, prepared, preparation, scan)


def _doubts(model: Model, present: tuple[str, ...]) -> tuple[str, ...]:
    """Why the guarantee about false alarms holds weakly or not, by what the healthy scans were."""
    lacking = ", ".join(name for name in model.preparation.modalities if name not in present)
    doubts = []
    if lacking and model.detector.incomplete == "alone":
        doubts.append(
            f"{lacking} is missing, so {present[0]} was judged alone, against healthy {present[0]} alone: a weaker mode, "
            "which can't see what only a comparison shows."
        )
    elif lacking:
        doubts.append(
            f"judged without {lacking}: the healthy scores it is compared with had all modalities, so the guarantee "
            "about false alarms does not hold"
        )
    made = " and ".join(name for name in present if name in model.facts.get("calibrated_on_made", ()))
    if made:
        doubts.append(
            f"The healthy {made} scans behind this p-value were made, not scanned, so no false-alarm rate is "
            f"guaranteed for {made}. Calibrate on 20 to 50 healthy {made} scans of your own: "
            "`sanum calibrate … --site NAME`."
        )
    return tuple(doubts)


def _seen_before(model: Model, prepared: Prepared) -> tuple[str, ...]:
    """Whether the model knows the scan already, so that its score says nothing about new ones."""
    own = set(identities(prepared))
    if own.intersection(model.facts.get("training_sources", ())):
        return ("The model learned from this very scan: its score and p-value tell nothing.",)
    if own.intersection(model.facts.get("calibration_sources", ())):
        return (
            "This very scan is among the healthy ones that the model was calibrated on: its p-value tells nothing. Judge "
            "scans that did not calibrate it.",
        )
    return ()


def require_input_kind(model: Model, scan: Scan | None) -> None:
    """Healthy scores of volumes say nothing about a picture's score, nor the other way round."""
    learned = model.facts.get("input")
    if scan is None or learned is None:
        return
    shown = "image" if scan.is_image else "volume"
    if shown != learned:
        raise ScanError(
            f"{scan.source.path}: a {_KINDS[shown]}, but model {model.name} was trained and calibrated on "
            f"{_KINDS[learned]}s"
        )


_KINDS = {"image": "2D image", "volume": "3D volume"}


def refused(model: Model, row: Row, scan: Scan | None, reason: str, started: float) -> CaseDetection:
    """A case that was not judged, and why; `started` by `time.perf_counter`."""
    return CaseDetection(
        case=row.case,
        status="refused",
        reason=reason,
        provenance=_provenance(model, started, None),
        is_image=scan is not None and scan.is_image,
        modality="" if scan is None or scan.modality is None else scan.modality,
        scan=scan,
        card=model.card,
    )


def _provenance(model: Model, started: float, prepared: Prepared | None) -> Provenance:
    return Provenance(
        model_name=model.name,
        model_sha256=model.sha256,
        detector=model.detector.name,
        version=sanum.__version__,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        seconds=_since(started),
        sources=() if prepared is None else prepared.sources,
        steps=() if prepared is None else prepared.steps,
    )


def _since(started: float) -> float:
    return round(time.perf_counter() - started, 3)
