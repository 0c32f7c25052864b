"""Databases of the service tests: SQLite always, PostgreSQL from Debian's package where it is installed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sanum.service.metrics import SHARED
from tests.service.browser import CHROMIUM, OPTIONS, open_page
from tests.service.fakes import Made, make, nifti


@pytest.fixture(autouse=True)
def _own_figures(monkeypatch):
    """A service that a test starts in its own process leaves no folder of figures to the tests after it."""
    monkeypatch.setenv(SHARED, "")
    monkeypatch.delenv(SHARED)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_tools() -> Path | None:
    homes = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return homes[-1].parent if homes else None


class Postgres:
    """A PostgreSQL server of our own, which can be stopped and started again with what it holds."""

    def __init__(self, tools: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="sanum-postgres-"))
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            shutil.chown(self._folder, "postgres", "postgres")
            self._as_user = ["runuser", "-u", "postgres", "--"]
        self._port = free_port()
        self._tools = tools
        self._run("initdb", "-A", "trust", "-U", "sanum", "-E", "UTF8")
        self.url = f"postgresql://sanum@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run("pg_ctl", "-w", "-t", "200", "-o", options, "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-w", "-t", "200", "-m", "immediate", "stop")

    def close(self) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, tool: str, *arguments: str) -> None:
        command = [*self._as_user, str(self._tools / tool), "-D", str(self._folder / "db"), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/")


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A server for one test, which may stop it; skipped without the package (apt-get install postgresql)."""
    tools = _postgres_tools()
    if tools is None:
        pytest.skip("PostgreSQL is not installed; apt-get install postgresql")
    made = Postgres(tools)
    made.start()
    yield made
    made.close()


@pytest.fixture
def postgres_url(postgres: Postgres) -> str:
    """For tests that only use it."""
    return postgres.url


class Live:
    """A service with all its processes, as `sanum serve` starts it."""

    def __init__(self, model: Path, data: Path, *options: str, log: Path | None = None):
        self.data = data
        self.address = f"http://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        command = [sys.executable, "-m", "sanum", "serve", model, "--data", data, "--port", port, *options]
        self.log = (log or data.parent / f"{data.name}.log").open("wb")
        self.process = subprocess.Popen([str(part) for part in command], stdout=self.log, stderr=self.log)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 180
        while True:
            try:
                self.ask("/readyz")
                return
            except OSError:
                assert self.process.poll() is None, Path(self.log.name).read_text()
                assert time.monotonic() < deadline, Path(self.log.name).read_text()
                time.sleep(0.2)

    def ask(self, address: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        request = urllib.request.Request(self.address + address, data, headers or {})
        with urllib.request.urlopen(request, timeout=300) as response:
            return json.load(response)

    def send(self, content: bytes) -> str:
        edge = "edge" * 8
        body = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'.encode()
        body += content + f"\r\n--{edge}--\r\n".encode()
        case: str = self.ask("/v1/cases", body, {"Content-Type": f"multipart/form-data; boundary={edge}"})[
            "id"
        ]
        return case

    def children(self) -> dict[str, int]:
        """Process ids by role."""
        listed = subprocess.run(
            ["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True
        ).stdout
        found = {}
        for line in listed.splitlines()[1:]:
            pid, parent, command = line.split(None, 2)
            if int(parent) == self.process.pid and "sanum.service.launch" in command:
                found[command.split("sanum.service.launch ")[1].split()[0]] = int(pid)
        return found

    def tree(self) -> set[int]:
        """Process ids of all that belongs to the service and stays."""
        found, left = set(), [self.process.pid]
        while left:
            found.add(left[-1])
            left += [int(pid) for pid in _children(left.pop())]
        return found - {self.children().get("check")}

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(60)
        self.log.close()
        return code


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.fixture(scope="session")
def live(model_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One service for the tests that only use it."""
    service = Live(model_path, tmp_path_factory.mktemp("service") / "data")
    yield service
    service.stop()


@pytest.fixture(scope="session")
def scan(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A small phantom as the bytes of a .nii.gz file."""
    return nifti(tmp_path_factory.mktemp("scan"), shape=(32, 32, 16))


@pytest.fixture
def service(tmp_path: Path) -> Made:
    """A service in this process, with a model that answers at once."""
    return make(tmp_path)


@pytest.fixture(scope="module")
def chromium():
    """Debian's Chromium; skipped without it."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, live: Live):
    """The upload page of the shared service; errors on its console and requests to other hosts fail the test."""
    page = open_page(chromium)
    troubles: list[str] = []
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request", lambda request: _own(request.url, live) or troubles.append(f"asked {request.url[:80]}")
    )
    page.goto(live.address)
    page.get_by_role("heading", name="Judge a scan").wait_for()
    yield page
    page.close()
    assert [trouble for trouble in troubles if "status of 4" not in trouble] == []


def _own(url: str, live: Live) -> bool:
    return url.startswith((live.address, "data:", "blob:"))
