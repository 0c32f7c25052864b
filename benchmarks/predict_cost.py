"""Processor time of one answer of `/v1/predict` and of the plain form, in one process and thread; and where it goes.

    python -m benchmarks.predict_cost [model.safetensors]

The two take turns, and the median of the rounds counts, so that other work on the machine disturbs little.
The table is of cProfile, which slows Python's calls more than native code: read it for proportions.
"""

from __future__ import annotations

import cProfile
import io
import json
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask

from benchmarks.load import form_request
from benchmarks.made_model import made_model, picture
from benchmarks.plain_server import create_app
from sanum.service.launch import ServeConfig, load_app
from sanum.service.limits import Limits

ROUNDS, REPEATS = 12, 15

STAGES = {
    "form and files off the wire": ("formparser.py", "parse"),
    "who asks, and how often": ("access.py", "_verify"),
    "upload: name, kind, header": ("intake.py", "take_in"),
    "read the picture": ("prepare.py", "read_row"),
    "prepare": ("pipeline.py", "prepare"),
    "of that the look at the picture": ("contrast.py", "look_at"),
    "network and error map": ("slicewise.py", "score"),
    "of that in ONNX Runtime": ("onnxruntime_inference_collection.py", "run"),
    "map to the picture's grid": ("way_back.py", "to_native"),
    "findings": ("findings.py", "findings"),
    "slices' p-values": ("judge.py", "judge_slices"),
    "all of detect": ("detect.py", "detect"),
    "all": ("app.py", "wsgi_app"),
}
"""What is printed, by the end of the file's name and the function's."""


def request_environment() -> Callable[[], dict[str, Any]]:
    """Makes what a server hands to an application for one upload."""
    head, body = form_request(picture(), {}).split(b"\r\n\r\n", 1)
    kind = next(line for line in head.decode().split("\r\n") if line.startswith("Content-Type")).split(": ")[
        1
    ]
    same = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/v1/predict",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "HTTP_HOST": "127.0.0.1",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "CONTENT_TYPE": kind,
        "CONTENT_LENGTH": str(len(body)),
    }
    return lambda: {**same, "wsgi.input": io.BytesIO(body)}


def answer(app: Flask, environment: dict[str, Any]) -> None:
    """One request through an application."""
    told: list[str] = []
    b"".join(app.wsgi_app(environment, lambda status, *_: told.append(status)))
    if told != ["200 OK"]:
        sys.exit(f"an answer was {told}")


def main(model: Path) -> None:
    """Print both times and the table."""
    with tempfile.TemporaryDirectory() as data:
        config = ServeConfig((str(model),), data, limits=Limits(requests_per_minute=1e9))
        sanum_app = load_app(config, config.open())
        apps: dict[str, Flask] = {"sanum": sanum_app, "plain": create_app(str(model), 1)}
        environment = request_environment()
        spent: dict[str, list[float]] = {name: [] for name in apps}
        for _ in range(ROUNDS):
            for name, app in apps.items():
                answer(app, environment())
                before = time.process_time()
                for _ in range(REPEATS):
                    answer(app, environment())
                spent[name].append((time.process_time() - before) / REPEATS * 1000)
        cost = {name: round(statistics.median(found), 2) for name, found in spent.items()}
        load_average = round(os.getloadavg()[0], 1)
        least = {name: round(min(found), 2) for name, found in spent.items()}
        print(json.dumps({"cpu_ms_a_request": cost, "quietest_round": least, "load_average": load_average}))
        profile = cProfile.Profile(time.thread_time)
        profile.enable()
        for _ in range(100):
            answer(sanum_app, environment())
        profile.disable()
        print_table(pstats.Stats(profile))


def print_table(stats: pstats.Stats) -> None:
    """Share of each stage in the whole."""
    whole = _seconds(stats, *STAGES["all"])
    for stage, place in STAGES.items():
        print(f"| {stage} | {_seconds(stats, *place) / whole:.0%} |")


def _seconds(stats: pstats.Stats, file: str, function: str) -> float:
    rows: dict[Any, Any] = stats.stats  # type: ignore[attr-defined]
    found = [
        row[3] for (path, _, name), row in rows.items() if path.endswith(f"/{file}") and name == function
    ]
    return max(found, default=0.0)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(made_model(Path(folder), letter=True))
