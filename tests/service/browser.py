"""The viewer in Debian's Chromium: what tests of it share."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
"""WebGL 2 without a graphics card."""

PATIENCE_MS = 150_000
"""WebGL on the processor of a busy machine takes its time."""

browser_test = pytest.mark.browser
DRAWN = "canvas[aria-label^=Scan][data-drawn=true]"
TWIN = "canvas[aria-label^=Healthy][data-drawn=true]"
OTHER = "canvas[aria-label^=Beside][data-drawn=true]"


def open_page(chromium):
    """A new page of the usual size, patient; colours change at once."""
    page = chromium.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
    page.set_default_timeout(PATIENCE_MS)
    return page


def shoot(page, name: str) -> None:
    """Keep a screenshot for the docs where SANUM_SCREENSHOTS names a folder."""
    folder = os.environ.get("SANUM_SCREENSHOTS")
    if folder is not None:
        page.wait_for_timeout(700)
        page.screenshot(path=Path(folder) / f"viewer-{name}.png")


def send(page, name: str, content: bytes) -> None:
    """Judge a T1w scan by the upload page."""
    page.locator("#file-T1w").set_input_files({"name": name, "mimeType": "application/x", "buffer": content})
    page.get_by_label("the file's name").check()
    page.get_by_role("button", name="Judge this scan").click()


def pixels(page, canvas: str = DRAWN) -> np.ndarray:
    """What a canvas shows, (rows, columns, 3)."""
    page.wait_for_timeout(500)
    return np.asarray(Image.open(io.BytesIO(page.locator(canvas).screenshot())).convert("RGB")).astype(int)


def coloured(picture: np.ndarray) -> int:
    """Pixels of the anomaly map: yellow to red, where red and blue lie far apart."""
    return int((picture[..., 0] - picture[..., 2] > 60).sum())
