"""Models that answer at once, a service around them, and a worker process for crash tests."""

from __future__ import annotations

import atexit
import functools
import io
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from sqlalchemy.engine import Engine

from sanum.cohort.table import Row
from sanum.core.files import atomic_folder
from sanum.core.grid import Grid
from sanum.core.records import Detection
from sanum.formats import write_volume
from sanum.service import database
from sanum.service.app import Deployment, create_app
from sanum.service.case_judge import Judge, Verdict
from sanum.service.limits import Limits
from sanum.service.worker import Worker, WorkerSettings
from tests.detections import CARD, abnormal
from tests.phantoms import RAS_2MM, brain_voxels


class FakeModel:
    """Records what it was asked and answers what it was told."""

    def __init__(
        self,
        answer: Callable[[Mapping[str, Path]], Detection] | None = None,
        modalities: tuple[str, ...] = ("T1w",),
    ):
        self.answer = answer or (lambda files: abnormal())
        self.card = {**CARD, "modalities": list(modalities)}
        self.map_levels = {0.5: 0.01, 0.01: 0.1, 0.0001: 0.3}
        self.asked: list[dict[str, tuple[str, bytes]]] = []
        self.brains: list[str | None] = []
        self.vouched: list[bool] = []

    def judge(self, row: Row, **_: Any) -> Detection:
        self.vouched.append(row.as_called)
        self.brains.append(None if row.brain is None else row.brain.name)
        self.asked.append({name: (path.name, path.read_bytes()) for name, path in row.scans.items()})
        return self.answer(row.scans)


@dataclass(frozen=True)
class Made:
    """A service in this process."""

    app: APIFlask
    engine: Engine
    data: Path

    def client(self) -> Any:
        return self.app.test_client()


@functools.cache
def _empty_database() -> Path:
    """A migrated database to copy: making one takes seconds."""
    folder = Path(tempfile.mkdtemp(prefix="sanum-database-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    engine = database.open_database(database.default_url(folder))
    engine.dispose()
    return folder / "service.sqlite"


def make(
    data: Path, models: Mapping[str, FakeModel] | FakeModel | None = None, *, loopback: bool = True, **limits
) -> Made:
    """A service with its data in a folder; `limits` as in `Limits`."""
    if not isinstance(models, Mapping):
        models = {"demo": models or FakeModel()}
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy(_empty_database(), data / "service.sqlite")
    engine = database.open_database(database.default_url(data))
    deployment = Deployment(data, loopback=loopback)
    return Made(create_app(models, engine, deployment, Limits(**limits)), engine, data)


def nifti(
    folder: Path, seed: int = 0, lesion: bool = False, shape: tuple[int, int, int] = (64, 84, 64)
) -> bytes:
    """A phantom as the bytes of a .nii.gz file."""
    grid = Grid(shape, RAS_2MM)
    path = folder / f"phantom-{seed}.nii.gz"
    write_volume(path, brain_voxels(grid, seed, lesion)[0], grid)
    content = path.read_bytes()
    path.unlink()
    return content


def form(content: bytes, name: str = "scan.nii.gz", field: str = "file", **fields: str) -> dict[str, Any]:
    return {field: (io.BytesIO(content), name), **fields}


class SlowJudge(Judge):
    """Takes a moment, and answers the length of the file: every case has its own right result."""

    def __init__(self, seconds: float):
        super().__init__({})
        self.seconds = seconds

    def judge(self, model, case, files, results, on_stage, *, as_called=False) -> Verdict:
        on_stage("scoring")
        content = next(iter(files.values())).read_bytes()
        if content.startswith(b"poison"):
            raise RuntimeError(f"no good: {next(iter(files.values()))}")
        if content.startswith(b"deadly"):
            os._exit(9)
        if content.startswith(b"endless"):
            time.sleep(600)
        time.sleep(self.seconds)
        with atomic_folder(results) as partial:
            (partial / "detection.json").write_text(json.dumps({"length": len(content)}))
        return Verdict("normal", "", float(len(content)), 1.0, 0.5)


if __name__ == "__main__":
    url, data, settings = sys.argv[1:]
    Worker(
        database.open_database(url), Path(data), SlowJudge(0.15), WorkerSettings(**json.loads(settings))
    ).run()
