"""How fast `/v1/predict` answers on loopback, against the plain form of the same recipe in the same run.

    python -m benchmarks.service_load model.safetensors [seconds] [clients]

The plain form is what a first script looks like: Flask's own server, the network in eager mode, one image a request,
no checks. Both judge the same 128 x 128 image with the same weights.
"""

from __future__ import annotations

import http.client
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = 128


def picture() -> bytes:
    """A made slice: an ellipse of tissue with texture, as PNG."""
    i, j = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(-1, 1, SIZE))
    noise = np.random.default_rng(0).normal(0, 8, (SIZE, SIZE))
    grey = np.where(i**2 + (j / 0.9) ** 2 < 0.7, 120 + 40 * np.cos(5 * i) + noise, 0)
    sink = io.BytesIO()
    Image.fromarray(grey.clip(0, 255).astype(np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def plain(model_path: str, port: int) -> None:
    """The plain form as a server."""
    import torch
    from flask import Flask, request

    from sanum.model import load

    model = load(Path(model_path))
    net, calibration = model.detector.net_, model.calibrated()
    limit = float(calibration.scores.mean() + 3 * calibration.scores.std())
    app = Flask("plain")

    @app.get("/healthz")
    def healthz() -> str:
        return "{}"

    @app.post("/v1/predict")
    def predict() -> dict:
        grey = Image.open(request.files["file"].stream).convert("L").resize((SIZE, SIZE))
        image = torch.from_numpy(np.asarray(grey, dtype=np.float32) / 255.0)[None, None]
        with torch.no_grad():
            error = (net(image) - image).square().mean().item()
        return {"decision": "abnormal" if error > limit else "normal", "score": error}

    app.run("127.0.0.1", port, threaded=True)


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server process, once it answers."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                break
            except OSError:
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(60)


def load(port: int, seconds: float, clients: int) -> list[float]:
    """Seconds of each answer."""
    edge = "e" * 16
    body = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'.encode()
    body += picture() + f"\r\n--{edge}\r\n".encode()
    body += f'Content-Disposition: form-data; name="heatmap"\r\n\r\nnever\r\n--{edge}--\r\n'.encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={edge}"}
    taken: list[float] = []
    end = time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < end:
            started = time.perf_counter()
            connection.request("POST", "/v1/predict", body, headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise SystemExit(f"{answer.status}: {content.decode()}")
            taken.append(time.perf_counter() - started)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def measure(name: str, command: list[str], port: int, seconds: float, clients: int) -> float:
    """Print what a server does under load; requests a second."""
    with running(command, port):
        load(port, 2.0, clients)
        taken = load(port, seconds, clients)
    rate = len(taken) / seconds
    p50, p99 = np.percentile(taken, (50, 99)) * 1000
    print(
        json.dumps(
            {"form": name, "requests_per_s": round(rate, 1), "p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}
        )
    )
    return rate


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main(model: str, seconds: float = 10.0, clients: int = 4) -> None:
    with tempfile.TemporaryDirectory() as data:
        port = free_port()
        plain_rate = measure(
            "plain Flask, eager PyTorch",
            [sys.executable, "-m", "benchmarks.service_load", "plain", model, str(port)],
            port,
            seconds,
            clients,
        )
        port = free_port()
        command = [sys.executable, "-m", "sanum", "serve", model, "--data", data, "--port", str(port)]
        command += ["--workers", "1", "--max-requests-per-minute", "1000000"]
        rate = measure("sanum serve", command, port, seconds, clients)
    print(json.dumps({"ratio": round(rate / plain_rate, 2)}))


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        plain(sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1], *(float(a) for a in sys.argv[2:3]), *(int(a) for a in sys.argv[3:4]))
