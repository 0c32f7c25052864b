"""A model that answers at once, and a server around it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sanum.core.records import Detection
from tests.detections import CARD, abnormal, normal


class FakeModel:
    """Records what it was asked and answers what it was told."""

    def __init__(self, answer: Callable[[Path], Detection] | None = None):
        self.answer = answer or (lambda path: normal())
        self.asked: list[tuple[Path, bytes, str | None]] = []

    @property
    def card(self) -> dict[str, Any]:
        return {**CARD, "process": os.getpid()}

    def detect(self, scan: Path, /, *, modality: str | None = None) -> Detection:
        self.asked.append((scan, scan.read_bytes(), modality))
        return self.answer(scan)


if __name__ == "__main__":
    from sanum.service.app import create_app
    from sanum.service.serve import run

    run(
        lambda: create_app(FakeModel(lambda path: abnormal())),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        workers=2,
    )
