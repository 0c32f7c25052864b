"""The figures of several processes lie in mapped files without holes: a full disk must not kill who writes to them."""

from __future__ import annotations

import os
import subprocess
import sys

from sanum.service.mapped import allocate
from tests.service.fakes import make

CODE = """
import sys
from pathlib import Path
from sanum.service.metrics import Metrics
from tests.service.fakes import make
service = make(Path(sys.argv[1]))
client = service.client()
for number in range(50):
    client.open("/healthz", method=f"ODD{number}")
    client.get("/healthz")
print(client.get("/metrics").get_data(as_text=True))
"""


def holes(path) -> bool:
    found = path.stat()
    return found.st_blocks * 512 < found.st_size


def test_mapped_files_have_no_holes_and_keep_what_they_hold(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"kept")
    os.truncate(path, 1 << 16)
    assert holes(path)
    descriptor = os.open(path, os.O_RDWR)
    allocate(descriptor, 1 << 16)
    os.close(descriptor)
    assert not holes(path)
    assert path.read_bytes() == b"kept".ljust(1 << 16, b"\0")


def test_files_of_figures_and_rates_have_no_holes_and_odd_methods_make_no_new_ones(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", CODE, tmp_path / "data"],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(shared)},
        capture_output=True,
        text=True,
        check=True,
    )
    files = [*shared.iterdir(), *(tmp_path / "data").glob("rates-*")]
    assert len(files) == 3
    assert not any(holes(path) for path in files)
    assert 'method="GET",route="/healthz",status="200"} 50.0' in done.stdout
    assert (
        'method="other",route="/healthz",status="405"} 50.0' in done.stdout or 'method="other"' in done.stdout
    )
    assert "ODD" not in done.stdout


def test_what_the_service_writes_is_its_owner_s_alone(tmp_path):
    before = os.umask(0)
    try:
        data = make(tmp_path / "data").data
    finally:
        os.umask(before)
    for path in data.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
