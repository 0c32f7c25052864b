"""Seconds from the click on "Judge this scan" to the drawn overlay: `sanum serve`, the viewer, headless Chromium.

    python -m benchmarks.upload_to_overlay model.safetensors scan_T1w.nii.gz [scan …]

Each scan is sent once, to a warm service with one worker. The stages are those that the service itself tells, as the
wall time between them (looked at every 50 ms); what is left is the upload before and the drawing after. Drawing ends when
the page says so, which waits for what stands in for a graphics card: WebGL runs on the processor here. 3D and the
picture beside it come later and are told as `twin`. Processor seconds tell what other work on the machine hides.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.load import cpu_seconds, free_port, running
from sanum.formats import modality_of

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
"""WebGL 2 without a graphics card."""

PATIENCE_SECONDS = 300


def main(model: Path, scans: list[Path]) -> None:
    """Print one line a scan."""
    from playwright.sync_api import sync_playwright

    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OMP_")}
    with tempfile.TemporaryDirectory() as data, sync_playwright() as playwright:
        command = [sys.executable, "-m", "sanum", "serve", str(model), "--data", data, "--port", str(port)]
        with running(command, port, environment) as service:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.set_default_timeout(PATIENCE_SECONDS * 1000)
            _wait_until_ready(page, address)
            for scan in scans:
                print(json.dumps({"scan": scan.name, **one(page, address, scan, service)}), flush=True)
            browser.close()


def one(page: Any, address: str, scan: Path, service: int) -> dict[str, Any]:
    """Send a scan through the page and wait until its overlay is drawn; `service` is its process."""
    page.goto(address)
    before = cpu_seconds(service)
    page.locator(f"#file-{modality_of(scan) or 'T1w'}").set_input_files(scan)
    send = page.get_by_role("button", name="Judge this scan")
    if send.is_disabled():
        sys.exit(f"the page waits for more than {scan.name}: the model needs several scans of a case")
    started = time.perf_counter()
    send.click()
    page.wait_for_url("**/#/cases/*")
    sent = time.perf_counter()
    case = page.url.rpartition("/")[2]
    stages = _follow(page, f"{address}/v1/cases/{case}")
    judged, others = cpu_seconds(service), _browser_seconds(service)
    page.locator("canvas[aria-label^=Scan][data-drawn=true]").wait_for()
    drawn, drawing = time.perf_counter(), _browser_seconds(service) - others
    load_average = os.getloadavg()[0]
    page.locator("canvas[aria-label^=Healthy][data-drawn=true]").wait_for()
    twin = time.perf_counter()
    by_stage = {stage: round(after - begun, 2) for (stage, begun), (_, after) in itertools.pairwise(stages)}
    return {
        "seconds": round(drawn - started, 1),
        "upload": round(sent - started, 2),
        "worker": by_stage,
        "drawing": round(drawn - stages[-1][1], 2),
        "twin": round(twin - drawn, 2),
        "cpu_s": {"service": round(judged - before, 1), "first overlay": round(drawing, 1)},
        "load_average": round(load_average, 1),
    }


def _browser_seconds(service: int) -> float:
    return cpu_seconds(os.getpid()) - cpu_seconds(service)


def _follow(page: Any, address: str) -> list[tuple[str, float]]:
    """Stages of a case and when each began; the last is the end."""
    seen: list[tuple[str, float]] = []
    while True:
        found = page.request.get(address).json()
        stage = found["stage"] or found["status"]
        if not seen or seen[-1][0] != stage:
            seen.append((stage, time.perf_counter()))
        if found["status"] == "failed" or found["decision"] == "refused":
            sys.exit(f"{found['status']}: {found['error'] or found['reason']}")
        if found["status"] == "done":
            return seen
        time.sleep(0.05)


def _wait_until_ready(page: Any, address: str) -> None:
    """Until a worker has loaded the model."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while page.request.get(f"{address}/readyz").status != 200:
        if time.monotonic() > deadline:
            sys.exit("the service is not ready")
        time.sleep(0.5)


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
