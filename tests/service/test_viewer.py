"""The viewer in Debian's Chromium: from a dropped scan to an overlay that a person can turn and threshold."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sanum.cohort.table import read_cohort
from sanum.core.grid import Grid
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.service import cases, database
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.prepare import prepare_cohort
from tests.phantoms import RAS_2MM, brain_voxels
from tests.service.conftest import Live
from tests.service.fakes import nifti

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
OPTIONS = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist", "--no-sandbox"]
"""WebGL 2 without a graphics card."""

PATIENCE_MS = 150_000
"""WebGL on the processor of a busy machine takes its time."""

browser_test = pytest.mark.browser
DRAWN = "canvas[aria-label^=Scan][data-drawn=true]"
TWIN = "canvas[aria-label^=Healthy][data-drawn=true]"


def test_the_built_page_belongs_to_its_source():
    """Change viewer/ and forget `npm run build`, and this fails; it needs no Node."""
    source = ROOT / "viewer"
    digest = hashlib.sha256()
    own = ("index.html", "package-lock.json", "build-plugins.ts", "vite.config.ts")
    for part in [*(source / name for name in own), *sorted((source / "src").iterdir())]:
        digest.update(part.read_bytes())
    built = (ROOT / "src/sanum/service/viewer/source.sha256").read_text().strip()
    assert built == digest.hexdigest(), "run `npm install && npm run build` in viewer/"


def test_the_page_asks_no_other_host():
    page = (ROOT / "src/sanum/service/viewer/index.html").read_text()
    assert "http:" not in page
    assert "https:" not in page


@pytest.fixture(scope="module")
def chromium():
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed; apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, live: Live):
    context = chromium.new_context(viewport={"width": 1280, "height": 860})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    troubles: list[str] = []
    page.on("console", lambda message: message.type == "error" and troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request", lambda request: _own(request.url, live) or troubles.append(f"asked {request.url[:80]}")
    )
    page.goto(live.address)
    page.get_by_role("heading", name="Judge a scan").wait_for()
    yield page
    context.close()
    assert [trouble for trouble in troubles if "status of 4" not in trouble] == []


def _own(url: str, live: Live) -> bool:
    return url.startswith((live.address, "data:", "blob:"))


def shoot(page, name: str) -> None:
    """Keep a screenshot for the docs where SANUM_SCREENSHOTS names a folder."""
    folder = os.environ.get("SANUM_SCREENSHOTS")
    if folder is not None:
        page.wait_for_timeout(700)
        page.screenshot(path=Path(folder) / f"viewer-{name}.png")


def send(page, name: str, content: bytes) -> None:
    page.locator("#file-T1w").set_input_files({"name": name, "mimeType": "application/x", "buffer": content})
    page.get_by_label("the file's name").check()
    page.get_by_role("button", name="Judge this scan").click()


def pixels(page) -> np.ndarray:
    """What the canvas shows, (rows, columns, 3)."""
    page.wait_for_timeout(500)
    return np.asarray(Image.open(io.BytesIO(page.locator(DRAWN).screenshot())).convert("RGB")).astype(int)


def coloured(picture: np.ndarray) -> int:
    """Pixels of the anomaly map: yellow to red, where red and blue lie far apart."""
    return int((picture[..., 0] - picture[..., 2] > 60).sum())


@browser_test
def test_from_upload_to_overlay(page, tmp_path):
    shoot(page, "home")
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    assert page.get_by_role("heading", level=1).inner_text().startswith("c11_T1w.nii.gz")
    assert "abnormal" in page.get_by_label("Decision", exact=True).inner_text()
    shoot(page, "result")
    assert coloured(pixels(page)) > 300
    page.get_by_label("Opacity").fill("0")
    assert coloured(pixels(page)) == 0
    page.get_by_label("Opacity").fill("0.9")
    loose, strict = page.get_by_label("Show voxels from"), page.locator("#threshold-told")
    loose.fill("0.1")
    many = coloured(pixels(page))
    loose.fill("1")
    assert strict.inner_text().startswith("p ≤ 0.00010: 1 in 10,000")
    assert coloured(pixels(page)) < many


@pytest.fixture(scope="module")
def restoring(tmp_path_factory, store) -> Iterator[Live]:
    """A service with two autoencoders, which restore a twin: one of volumes, one of pictures."""
    folder = tmp_path_factory.mktemp("restoring")
    settings = {"learning_rate": 0.005, "batch": 4}
    fit_and_calibrate(store, "cae", {"epochs": 10, **settings}, out=folder / "volumes.safetensors")
    lines = ["case\tsubject\tT1w\tlabel\tsplit"]
    for seed in range(8):
        (folder / f"p{seed}.png").write_bytes(picture(seed))
        lines.append(f"p{seed}\ts{seed}\tp{seed}.png\thealthy\t{'train' if seed < 4 else 'calibration'}")
    (folder / "pictures.tsv").write_text("\n".join(lines) + "\n")
    prepare_cohort(read_cohort(folder / "pictures.tsv"), folder / "pictures", Slices(("T1w",)), workers=1)
    pictures = Store.open(folder / "pictures")
    fit_and_calibrate(pictures, "cae", {"epochs": 150, **settings}, out=folder / "pictures.safetensors")
    service = Live(folder / "volumes.safetensors", folder / "data", folder / "pictures.safetensors")
    yield service
    service.stop()


def picture(seed: int, lesion: bool = False) -> bytes:
    """An axial slice of a phantom as PNG."""
    voxels, _ = brain_voxels(Grid((64, 84, 64), RAS_2MM), seed, lesion)
    sink = io.BytesIO()
    Image.fromarray((voxels[:, ::-1, 35].T / 1400 * 255).clip(0, 255).astype(np.uint8)).save(sink, "PNG")
    return sink.getvalue()


@browser_test
def test_the_restored_twin_stands_beside_the_scan_and_a_picture_gets_the_same_page(
    chromium, restoring, tmp_path
):
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(PATIENCE_MS)
    for model, name, content in [
        ("volumes", "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True)),
        ("pictures", "slice.png", picture(11, lesion=True)),
    ]:
        page.goto(restoring.address)
        page.get_by_label("Model").select_option(model)
        send(page, name, content)
        page.locator(DRAWN).wait_for()
        twin = page.locator(TWIN)
        twin.wait_for()
        shown = np.asarray(Image.open(io.BytesIO(twin.screenshot())).convert("RGB")).astype(int)
        assert shown.max() > 80, "the twin is drawn"
        assert coloured(shown) == 0, "no map lies over the twin"
        assert page.evaluate("document.querySelectorAll('canvas').length") == 2
        shoot(page, {"volumes": "twin", "pictures": "image"}[model])
        page.keyboard.press("b")
        assert twin.is_visible()
        assert not page.locator(DRAWN).is_visible(), "blinking shows one at a time"
        page.keyboard.press("b")
        assert page.locator(DRAWN).is_visible()
        page.get_by_role("button", name="Side by side").click()
        page.get_by_label("Show voxels from").fill("0")
        page.get_by_label("Opacity").fill("0.9")
        with_map = pixels(page)
        page.get_by_label("Opacity").fill("0")
        assert (np.abs(pixels(page) - with_map).max(axis=2) > 20).sum() > 300, "the map lies over the scan"
        assert (
            page.get_by_role("group", name="Planes").locator("button").count() == (5, 0)[model == "pictures"]
        )
    page.close()


@pytest.fixture(scope="module")
def pairing(tmp_path_factory) -> Iterator[Live]:
    """A service whose model takes a CT and an MRI of each case."""
    folder = tmp_path_factory.mktemp("pairing")
    lines = ["case\tsubject\tCT\tT1w\tlabel\tsplit"]
    for seed in range(8):
        for name in ("CT", "T1w"):
            (folder / f"p{seed}_{name}.png").write_bytes(picture(seed))
        split = "train" if seed < 4 else "calibration"
        lines.append(f"p{seed}\ts{seed}\tp{seed}_CT.png\tp{seed}_T1w.png\thealthy\t{split}")
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    plan = Slices(("CT", "T1w"), ct_windows=())
    prepare_cohort(read_cohort(folder / "pairs.tsv"), folder / "pairs", plan, workers=1)
    fit_and_calibrate(Store.open(folder / "pairs"), "intensity", {}, out=folder / "pair.safetensors")
    service = Live(folder / "pair.safetensors", folder / "data")
    yield service
    service.stop()


@browser_test
def test_a_pair_has_a_place_for_each_file(chromium, pairing):
    page = chromium.new_page(viewport={"width": 1280, "height": 860})
    page.set_default_timeout(PATIENCE_MS)
    page.goto(pairing.address)
    judge = page.get_by_role("button", name="Judge this scan")
    for name in ("CT", "T1w"):
        page.locator(f"#file-{name}").wait_for(state="attached")
        assert judge.is_disabled(), "not before both are there"
        content = picture(11, lesion=name == "T1w")
        page.locator(f"#file-{name}").set_input_files(
            {"name": f"x_{name}.png", "mimeType": "image/png", "buffer": content}
        )
    shoot(page, "pair-form")
    judge.click()
    page.locator(DRAWN).wait_for()
    assert coloured(pixels(page)) > 100
    shoot(page, "pair")
    page.close()


@browser_test
def test_findings_and_keys_move_the_crosshair(page, tmp_path):
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    findings = page.locator("button.finding")
    assert findings.first.get_attribute("aria-pressed") == "true"
    assert "28 left, 40 back, 20 up" in findings.first.inner_text()
    first = page.locator(".place").inner_text()
    assert first.startswith("28 left, 40 back, 20 up mm")
    if findings.count() > 1:
        page.keyboard.press("j")
        assert findings.nth(1).get_attribute("aria-pressed") == "true"
        assert page.locator(".place").inner_text() != first
        page.keyboard.press("k")
    page.locator(DRAWN).focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator(".place").inner_text() != first
    page.keyboard.press("a")
    assert page.get_by_role("button", name="Axial").get_attribute("aria-pressed") == "true"
    page.keyboard.press("?")
    assert page.get_by_role("heading", name="Keyboard").is_visible()


@browser_test
def test_a_reader_says_what_a_finding_is_worth_and_finds_it_again_by_the_study(page, live, tmp_path):
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    own = page.get_by_role("group", name="Your verdict on finding 1")
    own.get_by_role("button", name="Disagree").click()
    pressed = own.locator("button[aria-pressed=true]")
    pressed.wait_for()
    assert pressed.inner_text() == "Disagree"
    page.keyboard.press("y")
    own.locator("button[data-verdict=agree][aria-pressed=true]").wait_for()
    assert pressed.count() == 1
    shoot(page, "verdict")
    case = page.url.rpartition("/")[2]
    engine = database.database_engine(database.default_url(live.data))
    with engine.begin() as connection:
        connection.execute(
            database.cases.update()
            .where(database.cases.c.id == case)
            .values(study=cases.study_key("1.2.3.4"))
        )
    page.goto(f"{live.address}/study/1.2.3.4")
    own.locator("button[data-verdict=agree][aria-pressed=true]").wait_for()
    assert page.url == f"{live.address}/#/cases/{case}"
    page.goto(f"{live.address}/study/9.9")
    page.get_by_role("heading", name="No case of this study").wait_for()


@browser_test
def test_what_a_radiologist_works_with(page, tmp_path):
    """Slice numbers, keys through the slices, window and level, ruler; and no face in 3D unless asked for."""
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    assert "p-value of the whole scan" in page.get_by_label("Decision", exact=True).inner_text()
    place = page.locator(".place")
    page.keyboard.press("a")
    page.locator("text=/axial \\d+ of 64/").wait_for()
    first = place.inner_text()
    page.keyboard.press("PageUp")
    assert place.inner_text() != first
    page.keyboard.press("PageDown")
    assert place.inner_text() == first
    page.get_by_text("Window and level of the scan").click()
    before = pixels(page)
    page.get_by_label("Level", exact=True).fill("1400")
    assert np.abs(pixels(page) - before).max() > 20, "the scan is darker"
    page.get_by_role("button", name="As at first").click()
    page.keyboard.press("r")
    assert page.get_by_role("button", name="Ruler").get_attribute("aria-pressed") == "true"
    page.keyboard.press("3")
    brain = (pixels(page).max(axis=2) > 40).sum()
    page.get_by_role("button", name="Whole head in 3D").click()
    assert (pixels(page).max(axis=2) > 40).sum() >= brain
    shoot(page, "tools")


@browser_test
def test_a_file_name_is_no_label_unless_asked_for(page, tmp_path):
    """It may name a patient."""
    content = nifti(tmp_path, seed=3)
    page.locator("#file-T1w").set_input_files({"name": "Doe.nii.gz", "mimeType": "x/y", "buffer": content})
    page.get_by_role("button", name="Judge this scan").click()
    page.locator(DRAWN).wait_for()
    assert page.get_by_role("heading", level=1).inner_text().startswith("Case ")


@browser_test
def test_phone_width_and_darkness(page, tmp_path):
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Change between light and dark").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    shoot(page, "phone-dark")


@browser_test
def test_refusals_and_errors_say_why(page, tmp_path):
    send(page, "notes.txt", b"hello")
    page.locator("form .problem").get_by_text("no NIfTI").wait_for()
    shoot(page, "error")
    send(page, "tiny_T1w.nii.gz", nifti(tmp_path, shape=(16, 16, 8)))
    page.get_by_role("heading", name="Refused: this scan").wait_for()
    assert "neither normal nor abnormal" in page.locator(".refused-card").inner_text()
    assert "Not judged" in page.locator(".findings").inner_text()
    shoot(page, "refused")
    page.goto(page.url.split("#")[0] + "#/cases/" + "0" * 32)
    page.get_by_text("No case has this id").wait_for()


@browser_test
def test_earlier_cases_are_listed_and_open(page, tmp_path):
    send(page, "c03_T1w.nii.gz", nifti(tmp_path, seed=3))
    page.locator(DRAWN).wait_for()
    page.get_by_role("link", name="Cases").click()
    shoot(page, "history")
    page.get_by_role("link", name="c03_T1w.nii.gz").first.click()
    page.locator(DRAWN).wait_for()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete this case").click()
    page.get_by_role("heading", name="Judge a scan").wait_for()


@browser_test
def test_everything_that_acts_has_a_name(page, tmp_path):
    send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
    page.locator(DRAWN).wait_for()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, a, input, select, canvas, progress")]
        .filter((e) => e.offsetParent !== null && !(e.getAttribute("aria-label") || e.textContent.trim()
          || (e.labels && e.labels.length)))
        .map((e) => e.outerHTML)"""
    )
    assert nameless == []


@browser_test
def test_a_locked_service_asks_for_the_token(chromium, model_path, tmp_path):
    from sanum.service.database import default_url, open_database
    from sanum.service.tokens import make_token

    data = tmp_path / "data"
    data.mkdir()
    secret = make_token(open_database(default_url(data)), "doctor", ["submit", "read"])
    service = Live(model_path, data)
    try:
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(service.address)
        page.get_by_role("heading", name="API token").wait_for()
        page.get_by_label("Token", exact=True).fill(secret)
        page.get_by_role("button", name="Use token").click()
        send(page, "c11_T1w.nii.gz", nifti(tmp_path, seed=11, lesion=True))
        page.locator(DRAWN).wait_for()
        assert coloured(pixels(page)) > 300
        assert secret not in (data / "audit.log").read_text() + (tmp_path / "data.log").read_text()
        page.close()
    finally:
        service.stop()
