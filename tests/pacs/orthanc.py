"""A real Orthanc on loopback, of Debian's packages, for tests; they are skipped where it is not installed."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

RECIPE = Path(__file__).parents[2] / "deploy" / "orthanc" / "orthanc.json"
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Orthanc:
    """One Orthanc with a folder of its own and the settings of the recipe in `deploy/orthanc`.

    Args:
        folder: for its storage.
        sanum_port: where it sends what it receives, AE title SANUM.
    """

    def __init__(self, folder: Path, sanum_port: int) -> None:
        self.program = shutil.which("Orthanc") or "/usr/sbin/Orthanc"
        if not Path(self.program).exists() or not PLUGIN.exists() or shutil.which("storescu") is None:
            pytest.skip("no Orthanc or dcmtk; apt-get install orthanc orthanc-dicomweb dcmtk")
        self.http, self.dicom = free_port(), free_port()
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.http}"
        folder.mkdir(parents=True, exist_ok=True)
        settings = json.loads(RECIPE.read_text()) | {
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomModalities": {"sanum": ["SANUM", "127.0.0.1", sanum_port]},
            "LuaScripts": [str(RECIPE.with_name("route-to-sanum.lua"))],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
        }
        (folder / "orthanc.json").write_text(json.dumps(settings))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Orthanc:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [self.program, str(self.folder / "orthanc.json")], stdout=log, stderr=log
        )
        for _ in range(240):
            try:
                self.get("/system")
            except (OSError, urllib.error.URLError):
                time.sleep(0.25)
            else:
                return self
        raise AssertionError((self.folder / "log").read_text()[-2000:])

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.loads(answer.read())

    def post(self, path: str, body: bytes, timeout: float = 300.0) -> Any:
        """Post, again until the other side is up."""
        for _ in range(300):
            try:
                with urllib.request.urlopen(self.url + path, data=body, timeout=timeout) as answer:
                    return json.loads(answer.read())
            except urllib.error.HTTPError:
                time.sleep(2.0)
        raise AssertionError(f"{path} was not answered")

    def file(self, instance: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/instances/{instance}/file", timeout=30) as answer:
            return bytes(answer.read())

    def series(self) -> list[dict[str, Any]]:
        """Main attributes of every series."""
        return [
            {**one["MainDicomTags"], "instances": one["Instances"], "study": one["ParentStudy"]}
            for one in self.get("/series?expand")
        ]


def storescu(
    folder: Path, port: int, called: str = "ORTHANC", calling: str = "STORESCU"
) -> subprocess.CompletedProcess[str]:
    command = ["storescu", "-aet", calling, "-aec", called, "+sd", "+r", "127.0.0.1", str(port), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
