"""The server process: it really answers, with as many workers as asked, and stops when told."""

import json
import platform
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from sanum.core.errors import ConfigError, ModelFileError
from sanum.service.serve import run, serve

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(address: str, data: bytes | None = None, headers: dict | None = None) -> dict:
    request = urllib.request.Request(address, data, headers or {})
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def wait_until_up(address: str, server: subprocess.Popen) -> None:
    for _ in range(200):
        try:
            ask(address + "/healthz")
            return
        except (urllib.error.URLError, ConnectionError):
            assert server.poll() is None, server.stderr.read()
            time.sleep(0.1)
    raise AssertionError("the server did not come up")


@pytest.fixture
def server():
    if platform.system() == "Windows":
        pytest.skip("gunicorn does not run on Windows")
    port = free_port()
    command = [sys.executable, "-m", "tests.service.fakes", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_two_workers_answer_and_stop(server):
    address, process = server
    body = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\nvoxels\r\n--edge--\r\n'
    answer = ask(address + "/v1/predict", body, {"Content-Type": "multipart/form-data; boundary=edge"})
    assert answer["decision"] == "abnormal"
    seen = set()
    deadline = time.monotonic() + 20
    while len(seen) < 2 and time.monotonic() < deadline:
        seen.add(ask(address + "/v1/model")["process"])
    assert len(seen) == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_wrong_arguments_are_named(monkeypatch, tmp_path):
    with pytest.raises(ConfigError, match="port: expected 0 to 65535, got 70000"):
        run(lambda: None, host="127.0.0.1", port=70000, workers=1)
    with pytest.raises(ConfigError, match="workers: expected 1 or more, got 0"):
        run(lambda: None, host="127.0.0.1", port=8000, workers=0)
    with pytest.raises(ModelFileError, match="not a sanum model file"):
        (tmp_path / "m.safetensors").write_bytes(b"junk")
        serve(tmp_path / "m.safetensors", host="127.0.0.1", port=8000)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    with pytest.raises(ConfigError, match="does not run on Windows"):
        run(lambda: None, host="127.0.0.1", port=8000, workers=1)


def test_the_service_does_not_import_torch():
    """Torch comes with the model in each worker, never with the service's modules."""
    code = "import sys, sanum.service.app, sanum.service.serve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
