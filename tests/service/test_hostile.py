"""An intruder's afternoon: hundreds of hostile files and requests against a whole service.

No fault of the server, no answer that takes long, no memory kept, and no planted name in any log.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.service.conftest import Live
from tests.service.fakes import nifti
from tests.service.hostile import LABEL, PATIENT, PLANTED, hostile_files
from tests.service.probes import probes
from tests.service.test_bodies import say

SECONDS = 3.0
MEMORY_MB = 300.0
LEAST_FILES, LEAST_PROBES = 300, 100


@dataclass
class Tally:
    """What the answers were, and what is wrong with them."""

    statuses: dict[int, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def add(self, name: str, said: bytes, seconds: float) -> int:
        """Count an answer; a connection that is closed without one has the status 0."""
        status = int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1") else 0
        self.statuses[status] = self.statuses.get(status, 0) + 1
        if status >= 500 and status != 503:
            self.wrong.append(f"{name}: {said[:300]!r}")
        if status and seconds > SECONDS:
            self.wrong.append(f"{name}: took {seconds:.1f} s")
        if status:
            self.slowest = max(self.slowest, (seconds, name))
        return status


def test_there_are_enough_of_them_and_none_twice(tmp_path):
    names = [name for name, _ in hostile_files(tmp_path)]
    assert len(set(names)) == len(names) >= LEAST_FILES
    asked = [name for name, _ in probes()]
    assert len(set(asked)) == len(asked) >= LEAST_PROBES


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_hostile_files_and_requests_harm_nothing(model_path, tmp_path):
    unthrottled = (
        "--max-requests-per-minute",
        "1000000",
    )  # else the quicker answers are, the more of them are 429
    service = Live(model_path, tmp_path / "data", "--servers", "1", *unthrottled)
    try:
        good = nifti(tmp_path, seed=11, lesion=True)
        for _ in range(3):
            assert _send(service, "/v1/predict", good)[:12] == b"HTTP/1.1 200"
        before, tally, web = _memory_mb(service.process.pid), Tally(), service.children()["web"]
        for name, request in probes():
            _timed(tally, web, name, lambda request=request: say(service, request, end=True))
        for name, content in hostile_files(tmp_path):
            for address in ("/v1/predict", "/v1/cases"):
                said = _timed(tally, web, name, lambda a=address, c=content: _send(service, a, c))
                if said.startswith(b"HTTP/1.1 202"):
                    _forget(service, json.loads(said.partition(b"\r\n\r\n")[2])["id"])
        assert _send(service, "/v1/predict", good)[:12] == b"HTTP/1.1 200"
        grown = _memory_mb(service.process.pid) - before
    finally:
        service.stop()
    print(f"answers {tally.statuses}, slowest {tally.slowest}, grown by {grown:.0f} MB")
    assert tally.wrong == []
    assert 429 not in tally.statuses, "every file was looked at"
    assert grown < MEMORY_MB
    for log in (tmp_path / "data" / "audit.log", Path(service.log.name)):
        text = log.read_text(errors="replace")
        assert [name for name in PLANTED if name in text] == [], log
    assert list((tmp_path / "data" / "incoming").iterdir()) == []


def _send(service: Live, address: str, content: bytes) -> bytes:
    edge = b"edge" * 8
    body = b"--" + edge + b'\r\nContent-Disposition: form-data; name="file"; filename="'
    body += PATIENT.encode() + b'.nii.gz"\r\n\r\n' + content + b"\r\n--" + edge
    if address == "/v1/cases":
        body += (
            b'\r\nContent-Disposition: form-data; name="label"\r\n\r\n' + LABEL.encode() + b"\r\n--" + edge
        )
    head = f"POST {address} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n".encode()
    head += b"Content-Type: multipart/form-data; boundary=" + edge + b"\r\n"
    return say(service, head + b"Content-Length: %d\r\n\r\n" % (len(body) + 4) + body + b"--\r\n")


def _timed(tally: Tally, web: int, name: str, ask) -> bytes:
    """Ask, and count how long it took: of the clock, or on a machine that is busy otherwise of the processor."""
    began, spent = time.monotonic(), _processor_seconds(web)
    said: bytes = ask()
    waited = time.monotonic() - began
    worked = _processor_seconds(web) - spent
    tally.add(name, said, waited if _idle() else min(waited, worked))
    return said


def _forget(service: Live, case: str) -> None:
    with contextlib.suppress(OSError):
        say(
            service,
            f"DELETE /v1/cases/{case} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode(),
        )


def _idle() -> bool:
    return os.getloadavg()[0] < 1.5 * len(os.sched_getaffinity(0))


def _tree(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *(below for child in children for below in _tree(int(child)))]
    return []


def _memory_mb(pid: int) -> float:
    """Resident memory of a process and all below it, now."""
    pages = 0
    for one in _tree(pid):
        with contextlib.suppress(OSError):
            pages += int(Path(f"/proc/{one}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _processor_seconds(web: int) -> float:
    """Of the web processes, so far."""
    ticks = 0
    for one in _tree(web):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
