"""Shared fixtures: where real scans lie, if they are here at all; and no more processes than a test asks for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.cohorts"]


def _data_folder() -> Path:
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("SANUM_DATA", beside))


@pytest.fixture(scope="session", autouse=True)
def one_worker() -> Iterator[None]:
    """Cases are run in this process where a test names no workers: each further one takes seconds to begin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sanum.workflow.executor.default_workers", lambda: 1)
        yield


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real development scans; the test is skipped where they are not present."""
    folder = _data_folder()
    if not (folder / "ds002748").is_dir():
        pytest.skip("real scans are not here; set SANUM_DATA to their folder")
    return folder
