"""The whole service as processes: it comes up, survives kills, and stops when told."""

from __future__ import annotations

import contextlib
import http.server
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sanum.core.errors import CalibrationError, ConfigError, ModelFileError
from sanum.service import launch
from sanum.service.launch import ServeConfig, serve
from sanum.service.web_server import THREADS
from tests.service.conftest import Live
from tests.service.fakes import nifti


def ended(service: Live, case: str, seconds: float = 200.0) -> dict:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = service.ask(f"/v1/cases/{case}")
            if found["status"] in ("done", "failed"):
                return found
        except OSError:
            pass
        assert time.monotonic() < deadline, "the case did not end"
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_accepted_case_survives_the_death_of_every_process(model_path, tmp_path):
    service = Live(model_path, tmp_path / "data")
    scan = nifti(tmp_path, seed=11, lesion=True)
    undisturbed = ended(service, service.send(scan))
    case = service.send(scan)
    os.kill(service.children()["worker"], signal.SIGKILL)
    os.kill(service.children()["web"], signal.SIGKILL)
    after = ended(service, case)
    assert (after["decision"], after["score"]) == (undisturbed["decision"], undisturbed["score"])
    assert service.ask("/v1/cases")["cases"][0]["id"] == case
    assert service.stop() == 0
    assert service.children() == {}


@pytest.mark.timeout(400)
def test_where_the_service_will_be_is_told_before_anything_is_loaded(model_path, tmp_path):
    """In processor time of the parent, since the machine may be busy: 3 s, most of it for imports."""
    command = [sys.executable, "-m", "sanum", "serve", model_path, "--data", tmp_path, "--port", "1"]
    process = subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    spent = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    process.terminate()
    process.communicate(timeout=200)
    assert line.startswith("http://127.0.0.1:1 answers soon: ")
    assert f"1 worker load {model_path.stem}" in line
    assert (int(spent[11]) + int(spent[12])) / os.sysconf("SC_CLK_TCK") < 3.0


def test_only_a_success_is_an_answer_and_any_name_is_asked_as_localhost():
    """Under its own name a service that listens on all addresses may not answer its parent."""
    asked = []

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Host"])
            self.send_response(200 if self.path == "/ready" else 503)
            self.end_headers()

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert [launch._answers(f"{address}/ready"), launch._answers(f"{address}/not")] == [True, False]
        server.shutdown()
    assert not launch._answers(f"{address}/ready")
    assert asked == ["localhost", "localhost"]


def test_when_the_service_is_ready_is_told(live):
    deadline = time.monotonic() + 60
    while "ready after" not in Path(live.log.name).read_text():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.mark.timeout(400)
def test_a_model_that_is_damaged_inside_ends_the_service(model_path, tmp_path):
    """Its header is sound, so only loading it tells; nobody starts processes again and again for it."""
    content = bytearray(model_path.read_bytes())
    content[-1] ^= 1
    (tmp_path / "m.safetensors").write_bytes(content)
    config = ServeConfig((str(tmp_path / "m.safetensors"),), str(tmp_path / "data"), servers=1, workers=0)
    with pytest.raises(ModelFileError, match=r"m\.safetensors"):
        serve(config)


def test_models_are_looked_at_once_and_only_after_an_error_of_a_process_itself(
    model_path, tmp_path, monkeypatch
):
    """So a start waits for no further process; and a kill says nothing against a model."""
    buried, loaded = [], []
    done = subprocess.CompletedProcess("", 1, stderr="noise\nm.safetensors: damaged\n")
    monkeypatch.setattr(launch.subprocess, "run", lambda *_, **__: loaded.append(1) or done)
    check = launch.ModelCheck(
        ServeConfig((str(model_path),), str(tmp_path)), lambda *death: buried.append(death)
    )
    check.stopping = threading.Event()
    check.on_death("worker", "a", -signal.SIGKILL)
    assert (loaded, check.stopping.is_set()) == ([], False)
    check.on_death("web", "b", 3)
    check.on_death("web", "c", 3)
    assert (loaded, check.stopping.is_set()) == ([1], True)
    assert [name for _, name, _ in buried] == ["a", "b", "c"]
    with pytest.raises(ModelFileError, match=r"^m\.safetensors: damaged$"):
        check.raise_failure()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_cases_survive_the_death_of_the_whole_service(model_path, tmp_path):
    """The parent is killed too, at random moments, and started again on the same folder."""
    rng = random.Random(1)
    scan = nifti(tmp_path, seed=11, lesion=True)
    data = tmp_path / "data"
    sent = []
    for _ in range(3):
        service = Live(model_path, data)
        sent += [service.send(scan) for _ in range(3)]
        time.sleep(rng.uniform(0.0, 4.0))
        service.process.kill()
        service.process.wait()
        service.log.close()
    service = Live(model_path, data)
    found = [ended(service, case, 200) for case in sent]
    service.stop()
    assert [case["status"] for case in found] == ["done"] * 9
    assert len({case["score"] for case in found}) == 1


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_heads_that_never_end_do_not_hold_the_service_for_ever(model_path, tmp_path):
    """More half-sent heads than there are threads: each is dropped after a while, and others are answered."""
    service = Live(model_path, tmp_path / "data", "--servers", "1")
    host, _, port = service.address.removeprefix("http://").rpartition(":")
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS + 8):
            half = stack.enter_context(socket.create_connection((host, int(port))))
            half.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: ")
        assert service.ask("/healthz")["status"] == "ok"
    assert service.stop() == 0


def test_what_cannot_be_served_is_named(tmp_path, model_path):
    (tmp_path / "m.safetensors").write_bytes(b"junk")
    for models, error, message in [
        ((str(tmp_path / "m.safetensors"),), ModelFileError, "not a sanum model file"),
        ((), ConfigError, "no model to serve"),
        ((str(model_path), str(model_path)), ConfigError, "another model is called"),
    ]:
        with pytest.raises(error, match=message):
            serve(ServeConfig(models, str(tmp_path / "data")))
    with pytest.raises(ConfigError, match=r"without tokens everyone in reach .*sanum token make"):
        serve(ServeConfig((str(model_path),), str(tmp_path / "data"), host="0.0.0.0"))
    with pytest.raises(ConfigError, match="port: expected 0 to 65535, got 70000"):
        ServeConfig((), "d", port=70000)
    with pytest.raises(ConfigError, match="0 or more servers"):
        ServeConfig((), "d", servers=-1)


def test_processes_share_the_cores_and_an_operator_may_say_otherwise(monkeypatch):
    monkeypatch.setattr(launch, "default_workers", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert ServeConfig((), "d").server_processes == launch.MOST_SERVERS
    assert launch._environment("web", ServeConfig((), "d"))["OMP_NUM_THREADS"] == "2"
    assert launch._environment("worker", ServeConfig((), "d", workers=3))["OMP_NUM_THREADS"] == "2"
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert launch._environment("web", ServeConfig((), "d", servers=16))["OMP_NUM_THREADS"] == "5"


def test_an_uncalibrated_model_is_not_served(tmp_path, store):
    from sanum.model import save
    from sanum.workflow.fit import fit

    path = tmp_path / "raw.safetensors"
    save(fit(store, "intensity"), path)
    with pytest.raises(CalibrationError, match="not calibrated"):
        serve(ServeConfig((str(path),), str(tmp_path / "data")))


def memory_mb(pid: int) -> float:
    """Peak resident memory of a process and of its children."""
    own = next(
        float(line.split()[1]) / 1024
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(memory_mb(int(child)) for child in children)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_stays_bounded_while_four_clients_upload_200_mb_each(live, tmp_path):
    """Uploads are streamed: what is held is a few buffers a client, not what was sent."""
    from tests.service.test_intake import header

    content = bytes(header((100, 100, 100))) + os.urandom(1 << 20) * 200
    web = live.children()["web"]
    before = memory_mb(web)
    answers: list[str] = []
    clients = [threading.Thread(target=lambda: answers.append(live.send(content))) for _ in range(4)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    grown = memory_mb(web) - before
    print(f"the server grew by {grown:.0f} MB")
    assert len(answers) == 4
    assert grown < 60


def test_a_taken_port_is_told_at_once_and_starts_nothing(model_path, tmp_path, monkeypatch):
    """It was tried for 25 seconds by each process that wanted it."""
    monkeypatch.setattr(launch, "PORT_SECONDS", 0.0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}: another program listens there"):
            serve(ServeConfig((str(model_path),), str(tmp_path), port=port))


def test_an_address_of_another_machine_is_refused(model_path, tmp_path):
    with pytest.raises(ConfigError, match="choose another --host or --port"):
        launch._refuse_taken_port(ServeConfig((str(model_path),), str(tmp_path), host="192.0.2.1"))


def test_a_port_that_becomes_free_soon_is_waited_for(model_path, tmp_path):
    """The children of a service that was killed end a moment later."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        threading.Timer(0.7, other.close).start()
        launch._refuse_taken_port(ServeConfig((str(model_path),), str(tmp_path), port=other.getsockname()[1]))
