"""Loopback load: clients that send one prepared request after the other, with as little work of their own as can be."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

READY_SECONDS = 120.0


def form_request(content: bytes, fields: Mapping[str, str]) -> bytes:
    """A whole `POST /v1/predict` with a picture and further fields."""
    edge = "e" * 16
    parts = [b'Content-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n' + content]
    for name, value in fields.items():
        parts.append(f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode())
    body = (
        b"".join(b"--%s\r\n%s\r\n" % (edge.encode(), part) for part in parts) + b"--%s--\r\n" % edge.encode()
    )
    head = (
        "POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: multipart/form-data; boundary={edge}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def load(port: int, request: bytes, seconds: float, clients: int) -> list[float]:
    """Seconds of each answer that began within the time."""
    taken: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + seconds

    def client() -> None:
        connection: socket.socket | None = None
        while time.monotonic() < end and not failures:
            started = time.perf_counter()
            try:
                connection = connection or socket.create_connection(("127.0.0.1", port), 60)
                connection.sendall(request)
                status, stays = _answer(connection)
            except OSError as error:
                status, stays = str(error), False
            if status != "200":
                failures.append(status)
            taken.append(time.perf_counter() - started)
            if not stays and connection is not None:
                connection.close()
                connection = None

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"an answer was {failures[0]}")
    return taken


def _answer(connection: socket.socket) -> tuple[str, bool]:
    """Read one answer: its status, and whether the connection stays open."""
    got = bytearray()
    while (end := got.find(b"\r\n\r\n")) < 0:
        got += _some(connection)
    head = got[:end].decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    while len(got) < end + 4 + length:
        got += _some(connection)
    return head.split(" ", 2)[1], head.startswith("http/1.1") and "connection: close" not in head


def _some(connection: socket.socket) -> bytes:
    got = connection.recv(1 << 16)
    if not got:
        raise ConnectionError("cut off")
    return got


def cpu_seconds(process: int) -> float:
    """Processor time that a process and its living descendants have taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(cpu_seconds(int(child)) for child in children)


@contextmanager
def running(command: list[str], port: int, environment: Mapping[str, str]) -> Iterator[int]:
    """A server process, once it answers; its process id."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(environment)
    )
    try:
        _wait(process, port)
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{process.args!r} does not answer")
            time.sleep(0.2)
        finally:
            connection.close()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
