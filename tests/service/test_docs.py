"""docs/service.md tells the truth: its lines run, its limits are the code's, its options exist."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sanum.service.limits import Limits
from tests.service.fakes import nifti

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "service.md").read_text()
ADDRESS = "http://127.0.0.1:8417"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "scan.nii.gz").write_bytes(nifti(tmp_path, seed=11, lesion=True))
    return tmp_path


def test_the_curl_lines_work(live, folder):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (lines,) = blocks("sh")
    for line in lines.strip().splitlines():
        done = subprocess.run(
            line.replace(ADDRESS, live.address),
            shell=True,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        assert done.stdout.startswith("{")


def test_the_python_client_works(live, folder):
    code, _ = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", code.replace(ADDRESS, live.address)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("abnormal 0.2")
    assert (folder / "anomaly_map.nii.gz").read_bytes()[:2] == b"\x1f\x8b"


def test_a_typed_client_is_generated_from_the_api_page_and_works(live, folder):
    pytest.importorskip("openapi_python_client", reason="pip install openapi-python-client")
    _, code = blocks("python")
    (folder / "openapi.json").write_text(json.dumps(live.ask("/openapi.json")))
    generate = ["generate", "--path", "openapi.json", "--meta", "none", "--output-path", "sanum_client"]
    for command in (["-m", "openapi_python_client", *generate], ["-c", code.replace(ADDRESS, live.address)]):
        done = subprocess.run(
            [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert done.stdout.startswith("abnormal 0.2")
    assert (folder / "overlay.png").read_bytes().startswith(b"\x89PNG")


def test_every_option_that_is_named_exists():
    help_texts = "".join(
        subprocess.run(
            [sys.executable, "-m", "sanum", *verb, "--help"], capture_output=True, text=True, check=True
        ).stdout
        for verb in (["serve"], ["worker"], ["token", "make"])
    )
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", TEXT)) - {"--path", "--meta", "--output-path"}:
        assert option in help_texts, option


def test_the_table_of_limits_is_that_of_the_code():
    limits = dataclasses.asdict(Limits())
    for name in (
        "upload_mb",
        "unpacked_mb",
        "upload_seconds",
        "silent_seconds",
        "requests_per_minute",
        "queue",
    ):
        assert re.search(rf"\| {limits[name]:,.0f}\b", TEXT), name
    assert f"{limits['voxels'] // 1_000_000} million" in TEXT


def test_every_picture_is_there():
    for name in re.findall(r"\]\((images/[^)]+)\)", TEXT):
        assert (ROOT / "docs" / name).is_file(), name
