"""What nginx keeps from a plain gunicorn: slow heads and slow bodies, with and without buffered requests; decision 0022.

    python -m benchmarks.behind_nginx        (needs nginx and gunicorn)

A plain threaded gunicorn (64 threads, none of our own limits) is asked directly, behind nginx as docs/service.md has it
(`proxy_request_buffering off`), and behind nginx that reads requests to their end first. Of each: 200 connections send
a head, or a body, one byte a second; meanwhile a hundred quick requests are sent. Printed: how many were answered in 5 s.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

APP_PORT, OFF_PORT, ON_PORT = 8511, 8512, 8513
SLOW = 200
QUICK = 100

APP = """
def app(environ, start):
    environ["wsgi.input"].read()
    start("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""

SERVER = """
server {{
  listen 127.0.0.1:{port};
  client_max_body_size 512m;
  client_header_timeout 15s;
  client_body_timeout 30s;
  location / {{ proxy_pass http://127.0.0.1:{app}; proxy_buffering off; proxy_request_buffering {buffered}; }}
}}
"""


@contextlib.contextmanager
def running(command: list[str]) -> Iterator[None]:
    """A server, ended with the block."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3.0)
        yield
    finally:
        process.terminate()
        process.wait()


def nginx_conf(folder: Path) -> Path:
    """A configuration of both proxies."""
    servers = (
        SERVER.format(port=OFF_PORT, app=APP_PORT, buffered="off"),
        SERVER.format(port=ON_PORT, app=APP_PORT, buffered="on"),
    )
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log;\nevents {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n{''.join(servers)} }}\n"
    )
    return path


def answered(port: int, slow: str) -> int:
    """Quick requests that are answered while slow ones hold on."""
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n"
    begun = head + b"\r\n" if slow == "bodies" else head
    held = [socket.create_connection(("127.0.0.1", port)) for _ in range(SLOW)]
    for one in held:
        one.sendall(begun)
    done = threading.Event()
    trickle = threading.Thread(target=_trickle, args=(held, done))
    trickle.start()
    time.sleep(2.0)
    good = 0
    for number in range(QUICK):
        address = f"http://127.0.0.1:{port}/"
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5.0) as answer:
            good += answer.status == 200
        if number == 5 and good == 0:
            break
    done.set()
    trickle.join()
    for one in held:
        one.close()
    return good


def _trickle(held: list[socket.socket], done: threading.Event) -> None:
    """A byte a second on each connection."""
    while not done.wait(1.0):
        for one in held:
            with contextlib.suppress(OSError):
                one.sendall(b"x")


def main() -> None:
    """Print a table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        (folder / "plain.py").write_text(APP)
        gunicorn = [
            sys.executable,
            "-m",
            "gunicorn",
            "-b",
            f"127.0.0.1:{APP_PORT}",
            "--threads",
            "64",
            "--chdir",
            str(folder),
            "plain:app",
        ]
        print("| | slow heads | slow bodies |\n|---|---|---|")
        places = {
            "directly": APP_PORT,
            "nginx, requests passed on as they come": OFF_PORT,
            "nginx, requests read first": ON_PORT,
        }
        for name, port in places.items():
            told = []
            for slow in ("heads", "bodies"):
                with running(gunicorn), running(["nginx", "-c", str(nginx_conf(folder))]):
                    told.append(f"{answered(port, slow)} of {QUICK}")
            print(f"| {name} | {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
