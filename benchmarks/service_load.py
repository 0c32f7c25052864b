"""How fast `/v1/predict` answers on loopback, against the plain form of the same recipe in the same run.

    python -m benchmarks.service_load [--model model.safetensors] [--seconds 5] [--rounds 3] [--clients 8]

All servers judge one 128 x 128 picture with the same weights and take turns under load, so that other work on the
machine slows all alike; the median round of each counts. Without a model two are made: one of the classic rule to
the letter, which is what the plain form does, and one of the default preparation, which does more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.load import cpu_seconds, form_request, free_port, load, running
from benchmarks.made_model import made_model, picture

CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Form:
    """One server under load: its name, its command line with PORT in it, and what is sent to it."""

    name: str
    command: tuple[str, ...]
    request: bytes


def plain_forms(model: Path) -> list[Form]:
    """The plain form as first scripts run it, and as a careful person would: a process a core, one thread each."""
    request = form_request(picture(), {})
    app = f'benchmarks.plain_server:create_app("{model}", 1)'
    gunicorn = ("-m", "gunicorn", "-w", str(CORES), "-b", "127.0.0.1:PORT", app)
    return [
        Form(
            "plain, app.run", (sys.executable, "-m", "benchmarks.plain_server", str(model), "PORT"), request
        ),
        Form(f"plain, gunicorn -w {CORES}", (sys.executable, *gunicorn), request),
    ]


def sanum_forms(model: Path, data: str) -> list[Form]:
    """`sanum serve` as it comes; the picture is normal, so a heatmap is drawn where it is asked for only."""
    serve = ("-m", "sanum", "serve", str(model), "--data", data, "--port", "PORT")
    command = (sys.executable, *serve, "--max-requests-per-minute", "10000000")
    return [
        Form(f"sanum serve, {model.stem}", command, form_request(picture(), {})),
        Form(f"sanum serve, {model.stem}, heatmap", command, form_request(picture(), {"heatmap": "always"})),
    ]


def measure(forms: list[Form], seconds: float, rounds: int, clients: int) -> dict[str, float]:
    """Print what each server does under load; median requests a second by name."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    rates: dict[str, list[float]] = {form.name: [] for form in forms}
    taken: dict[str, list[float]] = {form.name: [] for form in forms}
    spent: dict[str, list[float]] = {form.name: [] for form in forms}
    servers: dict[tuple[str, ...], tuple[int, int]] = {}
    with contextlib.ExitStack() as stack:
        for form in forms:
            if form.command not in servers:
                port = free_port()
                command = [part.replace("PORT", str(port)) for part in form.command]
                servers[form.command] = port, stack.enter_context(running(command, port, environment))
            load(servers[form.command][0], form.request, 1.0, clients)
        for _ in range(rounds):
            for form in forms:
                port, process = servers[form.command]
                before = cpu_seconds(process)
                took = load(port, form.request, seconds, clients)
                spent[form.name].append((cpu_seconds(process) - before) / len(took))
                rates[form.name].append(len(took) / seconds)
                taken[form.name] += took
    for name, all_taken in taken.items():
        p50, p99 = np.percentile(all_taken, (50, 99)) * 1000
        line = {"form": name, "requests_per_s": round(statistics.median(rates[name]), 1)}
        line |= {"p50_ms": round(p50, 1), "p99_ms": round(p99, 1)}
        print(json.dumps({**line, "cpu_ms_a_request": round(1000 * statistics.median(spent[name]), 2)}))
    return {name: statistics.median(found) for name, found in rates.items()}


def main() -> None:
    """Measure and print the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = (
            [asked.model] if asked.model else [made_model(Path(folder), letter=yes) for yes in (True, False)]
        )
        forms = plain_forms(models[0])
        for number, model in enumerate(models):
            forms += sanum_forms(model, f"{folder}/service-{number}")
        rates = measure(forms, asked.seconds, asked.rounds, asked.clients)
    load_average = [round(value, 1) for value in os.getloadavg()]
    print(json.dumps({"cores": CORES, "clients": asked.clients, "load_average": load_average}))
    for plain in list(rates)[:2]:
        over = {
            name: round(rate / rates[plain], 2) for name, rate in rates.items() if name.startswith("sanum")
        }
        print(json.dumps({"times as fast as": plain, **over}))


if __name__ == "__main__":
    main()
