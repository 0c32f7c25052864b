"""Where the time of one case goes, from file to written report, beside plain programs on the same file in the same run.

    python -m benchmarks.waterfall SCAN … [--model sanum-brain] [--rounds 3] [--picture waterfall.png] [--out lines.json]

SCAN is a volume or a DICOM folder. For each, in a fresh process each time: the cold command line (`python -m sanum
detect`), then warm cases in one process with the time of every stage, then the rivals. Seconds are medians; processor
seconds count all threads and tell what other work on the machine hides. A stage's time excludes the stages in it.
Run it with another checkout's `PYTHONPATH` for the state before.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.waterfall_picture import draw
from benchmarks.waterfall_rivals import RIVALS


def main() -> None:
    options = _options()
    lines = []
    for scan in options.scans:
        line: dict[str, Any] = {"scan": scan.name, "cold": _cold(scan, options.model)}
        line |= _child("benchmarks.waterfall_stages", scan, options.model, options.rounds)
        line["rivals"] = {name: _child("benchmarks.waterfall_rivals", scan, name, 1) for name in RIVALS}
        lines.append(line)
        _show(line)
    if options.out:
        options.out.write_text(json.dumps(lines, indent=1), encoding="utf-8")
    if options.picture:
        draw(lines, options.picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("scans", nargs="+", type=Path)
    parser.add_argument("--model", default="sanum-brain")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def _cold(scan: Path, model: str) -> dict[str, float]:
    """Wall and processor seconds of one command line."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sanum", "detect", model, str(scan), "--out", folder]
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), os.times().elapsed
        subprocess.run(command, check=True, capture_output=True)
        wall, after = os.times().elapsed - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": round(wall, 2), "processor_s": round(spent, 2)}


def _child(module: str, scan: Path, what: str, rounds: int) -> dict[str, Any]:
    """What a module prints about a scan, in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-m", module, str(scan), what, str(rounds)]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        return {"failed": ended.stderr.strip().splitlines()[-1]}
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def _show(line: dict[str, Any]) -> None:
    print(f"\n{line['scan']}: {line.get('failed') or line['status']}")
    print(f"{'':26}{'wall s':>8}{'processor s':>13}")
    rows = {
        "cold command line": line["cold"],
        **line.get("totals", {}),
        **line.get("stages", {}),
        **line["rivals"],
    }
    for name, one in rows.items():
        told = one.get("failed") or f"{one['wall_s']:8.2f}{one['processor_s']:13.2f}"
        print(f"{name:26}{told}" + (f"   {one['peak_mb']} MB" if "peak_mb" in one else ""))


if __name__ == "__main__":
    main()
