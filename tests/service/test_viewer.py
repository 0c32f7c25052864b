"""The viewer in Debian's Chromium: from a dropped scan to an overlay that a person can turn and threshold."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from sanum.service import cases, database
from tests.service.browser import DRAWN, PATIENCE_MS, browser_test, coloured, pixels, send, shoot
from tests.service.conftest import Live
from tests.service.fakes import nifti

ROOT = Path(__file__).resolve().parents[2]


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
@pytest.mark.parametrize("any_of", [True, False])
def test_one_scan_is_enough_where_the_model_judges_each_by_itself(page, live, any_of):
    """A model of any of several sequences could not be sent a single scan: the button waited for all of them."""

    def two_modalities(route):
        told = route.fetch().json()
        told["models"][0]["modalities"] = ["T1w", "FLAIR"]
        told["models"][0]["card"]["any_of"] = any_of
        route.fulfill(json=told)

    page.route("**/v1/models", two_modalities)
    page.goto(live.address)
    scan = {"name": "a.nii.gz", "mimeType": "application/x", "buffer": b"-"}
    button = page.get_by_role("button", name="Judge this scan")
    assert button.is_disabled()
    page.locator("#file-FLAIR").set_input_files(scan)
    assert button.is_enabled() == any_of
    page.locator("#file-T1w").set_input_files(scan)
    assert button.is_enabled()


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
