"""What goes over the wire, in both directions; the OpenAPI page is made of these."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from apiflask.fields import UploadFile
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat

from sanum.core.records import NOTICE
from sanum.service.cases import AS_CALLED, BRAIN, Case
from sanum.service.verdicts import ReaderVerdict, Word

_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, ends of lines, and marks that turn the direction of a text: it would show other than it is."""


def _plain_text(text: str) -> str:
    if _FORBIDDEN.search(text) is not None:
        raise ValueError("control characters and marks of direction are not taken; leave them out")
    return text


PlainText = Annotated[str, AfterValidator(_plain_text)]

MODEL_FIELD = Field(None, max_length=200, description="Name of a model; needed where several are served.")
FILE_FIELD = Field(
    None, description="The only scan: NIfTI volume, PNG, JPEG, TIFF, .npy image, or a zip of one of these."
)
MODALITY_FIELD = Field(None, description="Scan of this modality, where the model takes several.")


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: PlainText | None = MODEL_FIELD
    file: UploadFile | None = FILE_FIELD
    T1w: UploadFile | None = MODALITY_FIELD
    T2w: UploadFile | None = MODALITY_FIELD
    FLAIR: UploadFile | None = MODALITY_FIELD
    PDw: UploadFile | None = MODALITY_FIELD
    T1ce: UploadFile | None = MODALITY_FIELD
    CT: UploadFile | None = MODALITY_FIELD
    brain: UploadFile | None = Field(
        None,
        description="Brain mask on the grid of the first modality: above 0 is brain. Estimated without it.",
    )
    series: str | None = Field(
        None,
        pattern=r"^[0-9][0-9.]{0,63}$",
        description="Number, or ending of the UID, of the DICOM series to judge where the upload holds several.",
    )
    as_called: bool = Field(
        False, description="The scans show what they are called, whatever they look like: judge them so."
    )


class CaseForm(_Form):
    """A case for the queue."""

    label: PlainText = Field(
        "", max_length=120, description="What you call the case; shown in lists, never logged."
    )


class PredictForm(_Form):
    """A scan to be judged at once."""

    modality: Literal["T1w", "T2w", "FLAIR", "PDw", "T1ce", "CT"] | None = Field(
        None, description="What the field `file` shows; the model's only modality by default."
    )
    heatmap: Literal["abnormal", "always", "never"] = Field(
        "abnormal", description="When the answer holds a picture of the anomaly map."
    )


BATCH = 64
"""Pictures of one batch."""


class BatchForm(BaseModel):
    """Pictures to be judged at once, each by itself."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = MODEL_FIELD
    file: list[UploadFile] = Field(
        default=[], description=f"2D pictures, 1 to {BATCH}, in fields of this one name."
    )
    heatmap: Literal["abnormal", "always", "never"] = Field(
        "never", description="When an answer holds a picture of the anomaly map."
    )


class ListQuery(BaseModel):
    """Which cases, and how many."""

    limit: int = Field(50, ge=1, le=200, description="Cases on a page.")
    after: PlainText | None = Field(None, max_length=200, description="`next` of the page before.")
    status: Literal["queued", "running", "done", "failed"] | None = None
    decision: Literal["normal", "abnormal", "refused"] | None = None
    model: PlainText | None = Field(None, max_length=200)
    study: str | None = Field(
        None,
        pattern=r"^[0-9.]{1,64}$",
        description="StudyInstanceUID of the DICOM study that cases came from.",
    )


class VerdictIn(BaseModel):
    """What a reader thinks of a finding."""

    model_config = ConfigDict(extra="forbid")

    verdict: Word


class VerdictOut(BaseModel):
    """What a reader said of a finding."""

    finding: int = Field(description="Rank of the finding.")
    reader: str = Field(description="Name of the token.")
    verdict: Word
    given: str = Field(description="ISO 8601, UTC.")


class VerdictList(BaseModel):
    """The verdicts on a case."""

    reader: str = Field(description="Who asks: the name of the token.")
    verdicts: list[VerdictOut]
    notice: str = NOTICE


class ModelQuery(BaseModel):
    """Which model."""

    name: PlainText | None = MODEL_FIELD


class CaseOut(BaseModel):
    """A case and where its job stands."""

    id: str = Field(description="32 hexadecimal digits.")
    label: str
    model: str
    status: Literal["queued", "running", "done", "failed"]
    stage: str = Field(description="What a running job is at.")
    progress: float = Field(ge=0, le=1, description="Coarse: the stages of a job are not equally long.")
    created: str = Field(description="ISO 8601, UTC.")
    updated: str
    finished: str | None
    attempts: int
    error: str = Field(description="Of the last attempt that failed.")
    decision: Literal["normal", "abnormal", "refused"] | None
    reason: str = Field(description="Why the scan was refused.")
    score: float | None
    threshold: float | None
    p_value: float | None
    warnings: list[str] = Field(
        description="What speaks against the decision: a scan that looks like another sequence, a guarantee that fails."
    )
    modalities: list[str]
    inputs_kept: bool = Field(description="False once retention has deleted what was sent.")
    results: dict[str, str] = Field(description="Name of each result to its address.")
    notice: str = NOTICE


class CasePage(BaseModel):
    """A part of the list, newest first."""

    cases: list[CaseOut]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")


class MapLevel(BaseModel):
    """A map value, and the share of healthy voxels above it."""

    share: float
    value: float


class ModelOut(BaseModel):
    """A model that is served."""

    name: str
    modalities: list[str]
    card: dict[str, Any]
    map_levels: list[MapLevel] = Field(description="Where healthy voxels lie, for thresholds as p-values.")


class ModelList(BaseModel):
    """All models that are served; the first is the default where it is the only one."""

    models: list[ModelOut]
    notice: str = NOTICE


class PredictionOut(BaseModel):
    """The answer to one scan."""

    decision: Literal["normal", "abnormal"]
    abnormal: bool
    score: FiniteFloat
    threshold: FiniteFloat
    p_value: FiniteFloat
    rule: dict[str, Any]
    findings: list[dict[str, Any]]
    warnings: list[str] = Field(
        description="Where a promise does not hold, or the files may not belong together."
    )
    heatmap: str | None = Field(description="PNG, base64.")
    heatmap_shows: str | None
    heatmaps: dict[str, str] = Field(
        description="Of a case of several modalities, one PNG each, base64: the same slices with its own map."
    )
    map_scale: list[float]
    model: dict[str, str]
    version: str
    seconds: float
    notice: str = NOTICE


class Problem(BaseModel):
    """Every error, after RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    notice: str = NOTICE


class BatchAnswer(BaseModel):
    """What came of one picture: one of the two."""

    prediction: PredictionOut | None
    problem: Problem | None


class BatchOut(BaseModel):
    """The answers to a batch, in the order of its files."""

    answers: list[BatchAnswer]
    notice: str = NOTICE


class Health(BaseModel):
    """Whether the service works."""

    status: Literal["ok", "unavailable"]
    checks: dict[str, str] = {}


STAGES = ("starting", "loading the model", "reading", "preparing", "scoring", "deciding", "writing results")
"""What a running job is at, in order."""


def case_out(case: Case, results: dict[str, str]) -> CaseOut:
    """A case as its clients see it: no path, no name of a file, no hash of a content."""
    return CaseOut(
        id=case.id,
        label=case.label,
        model=case.model,
        status=case.status,
        stage=case.stage,
        progress=_progress(case),
        created=_iso(case.created),
        updated=_iso(case.updated),
        finished=None if case.finished is None else _iso(case.finished),
        attempts=case.attempts,
        error=case.error,
        decision=case.decision,  # type: ignore[arg-type]
        reason=case.reason,
        score=case.score,
        threshold=case.threshold,
        p_value=case.p_value,
        warnings=case.warnings or [],
        modalities=sorted(set(case.files) - {BRAIN, AS_CALLED}),
        inputs_kept=case.inputs_kept,
        results=results,
    )


def verdict_out(one: ReaderVerdict) -> VerdictOut:
    """A verdict as it goes out."""
    return VerdictOut(finding=one.finding, reader=one.reader, verdict=one.verdict, given=_iso(one.given))


def _progress(case: Case) -> float:
    if case.ended:
        return 1.0
    if case.stage not in STAGES:
        return 0.0
    return round((STAGES.index(case.stage) + 1) / (len(STAGES) + 1), 2)


def _iso(moment: float) -> str:
    return datetime.datetime.fromtimestamp(moment, datetime.UTC).isoformat(timespec="milliseconds")
