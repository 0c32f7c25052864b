"""`/v1/predict`: one scan in, one decision out, at once; nothing is kept."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apiflask import APIFlask
from flask import request
from werkzeug.datastructures import FileStorage

from sanum.core.errors import ScanError
from sanum.report.case import Picture, case_pictures
from sanum.report.picture_overlay import picture_overlay
from sanum.service import wire
from sanum.service.intake import Intake, take_in, take_in_one
from sanum.service.models import choose, judge_files, modalities
from sanum.service.parts import Parts
from sanum.service.problems import RequestError
from sanum.service.streaming import StreamingRequest, streaming_request

if TYPE_CHECKING:
    from sanum.model import Model
    from sanum.workflow.detect import CaseDetection


def add_predict_routes(app: APIFlask, parts: Parts) -> None:
    """Add it to the app."""

    @app.post("/v1/predict")
    @parts.access.requires(app, "submit")
    @app.input(wire.PredictForm, location="form", arg_name="form")
    @app.output(wire.PredictionOut)
    @app.doc(tags=["predict"], summary="Judge one scan at once", operation_id="predict")
    def predict(form: wire.PredictForm) -> dict[str, Any]:
        """Decision, score, threshold, p-value, findings, and a picture when abnormal or asked for.

        For small inputs: the answer waits for earlier ones. A scan that can't be judged is answered 422.
        """
        upload = streaming_request()
        name, model = choose(parts.models, form.model)
        needed = modalities(model)
        taken = take_in(
            upload,
            _files(upload.uploads(), form),
            needed[0] if len(needed) == 1 else None,
            parts.limits,
            form.series,
            at_once=True,
        )
        parts.audit.write(parts.access.principal().name, "predict", model=name)
        with parts.predictions.slot():
            return _judged(model, taken, form.heatmap, form.as_called)

    _add_batch(app, parts)


def _add_batch(app: APIFlask, parts: Parts) -> None:
    @app.before_request
    def allow_many() -> None:
        if request.path == BATCH_PATH:
            request.max_form_parts = wire.BATCH + FORM_FIELDS

    @app.post(BATCH_PATH)
    @parts.access.requires(app, "submit")
    @app.input(wire.BatchForm, location="form", arg_name="form")
    @app.output(wire.BatchOut)
    @app.doc(tags=["predict"], summary="Judge many pictures at once", operation_id="predict_batch")
    def predict_batch(form: wire.BatchForm) -> dict[str, Any]:
        """One answer a picture, in their order: a prediction, or the problem that this one had.

        For models of one modality. What all pictures share, the way in and the wait, is done once.
        """
        arrived = streaming_request()
        name, model = choose(parts.models, form.model)
        needed = modalities(model)
        if len(needed) > 1:
            told = f"Model {name} takes {', '.join(needed)} of each case; a batch holds one file a case."
            raise RequestError(400, "which-modality", told)
        arrived.uploads(many="file")
        files = _pictures(arrived)
        parts.audit.write(parts.access.principal().name, "predict.batch", model=name, files=len(files))
        with parts.predictions.slot():
            return {"answers": [_answer(arrived, model, needed[0], one, form, parts) for one in files]}


BATCH_PATH = "/v1/predict/batch"
FORM_FIELDS = 4
"""Fields of a batch beside its pictures."""


def _pictures(arrived: StreamingRequest) -> list[FileStorage]:
    files = arrived.files.getlist("file")
    if list(arrived.files) != ["file"]:
        raise RequestError(400, "no-file", "Expected one file or more, all in fields named 'file'.")
    if len(files) > wire.BATCH:
        raise RequestError(
            413, "too-large", f"{len(files)} files are more than a batch takes ({wire.BATCH})."
        )
    return files


def _answer(
    arrived: StreamingRequest,
    model: Model,
    modality: str,
    file: FileStorage,
    form: wire.BatchForm,
    parts: Parts,
) -> dict[str, Any]:
    try:
        taken = take_in_one(arrived, file, modality, parts.limits)
        return {"prediction": _judged(model, taken, form.heatmap), "problem": None}
    except RequestError as problem:
        return {"prediction": None, "problem": problem.to_dict()}


def _judged(model: Model, taken: Intake, heatmap: str, as_called: bool = False) -> dict[str, Any]:
    try:
        found = judge_files(model, taken.paths(), case="upload", brain=taken.brain, as_called=as_called)
    except ScanError as error:
        raise _refused(str(error), taken.folder) from error
    if found.status == "refused":
        raise _refused(found.reason, taken.folder)
    return prediction(found, heatmap)


_TOLD = ("abnormal", "score", "threshold", "p_value", "rule", "findings", "warnings")
"""What the answer takes from the detection as it is."""


def prediction(found: CaseDetection, heatmap: str) -> dict[str, Any]:
    """The answer to one scan, as plain JSON."""
    plain = found.to_dict()
    wanted = heatmap == "always" or (heatmap == "abnormal" and found.status == "abnormal")
    picture = _picture(found) if wanted else None
    each = case_pictures(found, found.scan, limit=1, sides=found.sides) if wanted and found.sides else []
    return {
        "decision": found.status,
        **{key: plain[key] for key in _TOLD},
        "heatmap": base64.b64encode(picture.png).decode("ascii") if picture else None,
        "heatmap_shows": picture.caption if picture else None,
        "heatmaps": {one.side: base64.b64encode(one.png).decode("ascii") for one in each},
        "map_scale": plain["map_scale"],
        "model": {"name": found.provenance.model_name, "sha256": found.provenance.model_sha256},
        "version": found.provenance.version,
        "seconds": found.provenance.seconds,
    }


def _picture(found: CaseDetection) -> Picture | None:
    """The most telling drawing of a volume; of a 2D picture the map over it, pixel on pixel."""
    if found.scan is None or found.anomaly_map is None or not found.is_image:
        return next(iter(case_pictures(found, found.scan, limit=1)), None)
    shown = "The picture with the anomaly map over it, each pixel in its place."
    return Picture(picture_overlay(found.scan, found.anomaly_map, found.map_scale), shown)


def _files(files: dict[str, FileStorage], form: wire.PredictForm) -> dict[str, FileStorage]:
    """Uploads by field; `modality` says what the field `file` shows."""
    named = dict(files)
    if form.modality is not None and "file" in named:
        if form.modality in named:
            raise RequestError(400, "two-files", f"Two files for {form.modality}; send one a modality.")
        named[form.modality] = named.pop("file")
    return named


def _refused(reason: str, folder: Path) -> RequestError:
    """A sound request whose scan can't be judged: neither normal nor abnormal."""
    return RequestError(
        422,
        "scan-refused",
        reason.replace(f"{folder}/", ""),
        "The scan could not be judged",
        {"decision": "refused", "abnormal": None},
    )
