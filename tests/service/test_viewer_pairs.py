"""Several pictures of one case in the viewer: a reconstruction beside the scan, and the scans of a pair."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sanum.cohort.table import read_cohort
from sanum.core.grid import Grid
from sanum.formats import write_volume
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.fit import fit_and_calibrate
from sanum.workflow.prepare import prepare_cohort
from tests.phantoms import RAS_2MM, brain_voxels
from tests.service.accessibility import barriers, out_of_reach
from tests.service.browser import DRAWN, OTHER, TWIN, browser_test, coloured, open_page, pixels, send, shoot
from tests.service.conftest import Live
from tests.service.fakes import nifti


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
    page = open_page(chromium)
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


GRID = Grid((64, 84, 64), RAS_2MM)


def write_pair(folder: Path, seed: int, lesion: bool = False) -> dict[str, Path]:
    """A CT in Hounsfield units, dark where the T1w is bright, and a T1w of one made brain."""
    voxels, _ = brain_voxels(GRID, seed, lesion)
    brain = voxels > 0
    images = {
        "CT": np.where(brain, 60.0 - voxels / voxels.max() * 40.0, 0.0).astype(np.float32),
        "T1w": voxels,
    }
    for name, image in images.items():
        write_volume(folder / f"p{seed}_{name}.nii.gz", image, GRID)
    return {name: folder / f"p{seed}_{name}.nii.gz" for name in images}


@pytest.fixture(scope="module")
def pairing(tmp_path_factory) -> Iterator[Live]:
    """A service whose model takes a CT and an MRI of each case."""
    folder = tmp_path_factory.mktemp("pairing")
    lines = ["case\tsubject\tCT\tT1w\tlabel\tsplit"]
    for seed in range(8):
        files = write_pair(folder, seed)
        split = "train" if seed < 4 else "calibration"
        lines.append(f"p{seed}\ts{seed}\t{files['CT'].name}\t{files['T1w'].name}\thealthy\t{split}")
    (folder / "pairs.tsv").write_text("\n".join(lines) + "\n")
    plan = Slices(("CT", "T1w"), ct_windows=("brain",), size=64, coregister=False)
    prepare_cohort(read_cohort(folder / "pairs.tsv"), folder / "pairs", plan, workers=1)
    fit_and_calibrate(Store.open(folder / "pairs"), "intensity", {}, out=folder / "pair.safetensors")
    service = Live(folder / "pair.safetensors", folder / "data")
    yield service
    service.stop()


def send_pair(page, address: str, folder: Path) -> None:
    """Fill the form for a pair, which can't be sent before both files are there."""
    page.goto(address)
    judge = page.get_by_role("button", name="Judge this scan")
    for name, path in write_pair(folder, seed=11, lesion=True).items():
        page.locator(f"#file-{name}").wait_for(state="attached")
        assert judge.is_disabled(), "not before both are there"
        page.locator(f"#file-{name}").set_input_files(path)
    shoot(page, "pair-form")
    page.get_by_text("Refused because it looks").click()
    page.get_by_label("It shows what it is called").check()
    judge.click()
    page.locator(DRAWN).wait_for()
    page.locator(OTHER).wait_for()


@pytest.fixture(scope="module")
def pair_page(chromium, pairing, tmp_path_factory):
    """The result of a pair."""
    page = open_page(chromium)
    send_pair(page, pairing.address, tmp_path_factory.mktemp("pair"))
    yield page
    page.close()


def changed(one: np.ndarray, other: np.ndarray) -> int:
    """Pixels that look different."""
    return int((np.abs(one - other).max(axis=2) > 20).sum())


@browser_test
def test_both_scans_of_a_pair_move_together(pair_page):
    page = pair_page
    assert page.locator("figcaption").all_inner_texts() == ["CT and anomaly map", "T1w"]
    shoot(page, "pair")
    assert coloured(pixels(page)) > 100, "the map lies over the one"
    assert coloured(pixels(page, OTHER)) == 0, "and not over the other"
    page.keyboard.press("a")
    main, other = pixels(page), pixels(page, OTHER)
    page.keyboard.press("PageUp")
    page.keyboard.press("PageUp")
    assert changed(pixels(page), main) > 100
    assert changed(pixels(page, OTHER), other) > 100, "slices go along, wherever the focus is"
    main, other = pixels(page), pixels(page, OTHER)
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert changed(pixels(page), main) > 1000
    assert changed(pixels(page, OTHER), other) > 1000, "zoom goes along"
    place = page.locator(".place").inner_text()
    page.locator(OTHER).click(position={"x": 100, "y": 150})
    assert page.locator(".place").inner_text() != place, "the crosshair follows from either side"
    for _ in range(3):
        page.keyboard.press("-")
    page.keyboard.press("0")


@browser_test
def test_a_click_swaps_the_scans_of_a_pair_and_each_keeps_its_window(pair_page):
    page = pair_page
    menu = page.get_by_label("Window", exact=True)
    assert menu.input_value() == "Brain"
    menu.select_option("Stroke")
    main, other = pixels(page), pixels(page, OTHER)
    page.get_by_role("button", name="Swap").click()
    assert page.locator("figcaption").all_inner_texts() == ["T1w and anomaly map", "CT"]
    assert changed(pixels(page), main) > 1000
    assert changed(pixels(page, OTHER), other) > 1000
    assert coloured(pixels(page)) > 100, "the map lies over the other scan now"
    assert menu.input_value() == "Automatic"
    assert menu.locator("option:not([hidden])").all_inner_texts() == [
        "Automatic",
        "Brain",
        "Grey and white matter",
        "All values",
    ]
    shoot(page, "pair-swapped")
    page.keyboard.press("x")
    assert page.locator("figcaption").all_inner_texts() == ["CT and anomaly map", "T1w"]
    assert menu.input_value() == "Stroke"
    assert changed(pixels(page), main) < 100, "as before"


@browser_test
def test_windows_of_ct_by_menu_and_key(pair_page):
    """Width and level in Hounsfield units, as head CT is read."""
    page = pair_page
    menu, level = page.get_by_label("Window", exact=True), page.locator("#level-told")
    page.get_by_text("Window and level of the scan").click()
    for key, name, black, white in [
        ("5", "Brain", 0, 80),
        ("6", "Subdural", -20, 180),
        ("7", "Stroke", 20, 60),
        ("8", "Bone", -800, 2000),
    ]:
        page.keyboard.press(key)
        assert menu.input_value() == name
        told = level.inner_text().replace("black at ", "").split(", white at ")
        assert [round(float(value)) for value in told] == [black, white]
    shoot(page, "bone")
    bone = pixels(page, OTHER)
    menu.select_option("Brain")
    assert changed(pixels(page, OTHER), bone) == 0, "the T1w has a window of its own"
    page.get_by_label("Level", exact=True).fill("10")
    assert menu.input_value() == "By hand"


@browser_test
def test_the_page_of_a_pair_has_no_barrier(pair_page):
    assert barriers(pair_page) == []
    assert out_of_reach(pair_page) == []
