"""From the call of `sanum serve` to its URL and to ready, and the same after a kill (SIGKILL) of the whole service.

    python -m benchmarks.start_time [--model sanum-brain] [--rounds 2]

A line a start: seconds until the URL is printed and until the service is ready, and the processor seconds that all its
processes had taken by then, those that ended as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.load import free_port
from sanum.core.shipped import find_model

TICK = os.sysconf("SC_CLK_TCK")


def begin(model: Path, data: str, port: int) -> subprocess.Popen[str]:
    """A service in a session of its own, so that all of it can be killed."""
    command = [sys.executable, "-m", "sanum", "serve", str(model), "--data", data, "--port", str(port)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def spent(session: int) -> float:
    """Processor seconds of all processes of a session, with those of children that ended."""
    whole = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                whole += sum(int(ticks) for ticks in fields[11:15])
    return whole / TICK


def start(model: Path, data: str, port: int, name: str) -> subprocess.Popen[str]:
    """Start a service, wait for it, and print the line."""
    began = time.perf_counter()
    service = begin(model, data, port)
    assert service.stdout is not None
    line = service.stdout.readline()
    told = time.perf_counter() - began
    ready = service.stdout.readline()
    taken = time.perf_counter() - began
    found = {"start": name, "url_s": round(told, 2), "ready_s": round(taken, 2)}
    print(
        json.dumps({**found, "cpu_s": round(spent(service.pid), 1), "load": round(os.getloadavg()[0], 1)}),
        flush=True,
    )
    if "ready" not in ready:
        sys.exit(f"no service: {line}{ready}")
    return service


def main() -> None:
    """Start, kill, start again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="sanum-brain")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    model = find_model(Path(asked.model))
    with tempfile.TemporaryDirectory() as data:
        port = free_port()
        for number in range(asked.rounds + 1):
            service = start(model, data, port, "after a kill" if number else "first")
            os.killpg(service.pid, signal.SIGKILL)
            service.wait()


if __name__ == "__main__":
    main()
