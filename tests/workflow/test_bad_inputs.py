"""The bad-input table: each kind of broken input is refused for its reason, and leaves no part of a case behind."""

from __future__ import annotations

import gzip
import shutil
import struct

import numpy as np
import pytest
from PIL import Image

from sanum.cohort.table import Cohort, Row
from sanum.core.grid import Grid
from sanum.formats import write_volume
from sanum.prepare.presets import Slices
from sanum.workflow.prepare import prepare_cohort
from tests.formats.dicom_files import slices, write_series
from tests.phantoms import RAS_2MM, brain_scan

STORED = np.random.default_rng(0).integers(0, 900, (12, 14, 8)).astype(np.uint16)


def volume(folder):
    path = folder / "scan.nii"
    write_volume(path, brain_scan().voxels, brain_scan().grid)
    return path


def patched(folder, offset, layout, value, form=2):
    """A volume with one header field overwritten; `form` 0 leaves the qform alone to tell the place."""
    path = volume(folder)
    content = bytearray(path.read_bytes())
    struct.pack_into("<h", content, 254, form)
    struct.pack_into(layout, content, offset, value)
    path.write_bytes(content)
    return path


def gzip_bomb(folder):
    path = folder / "bomb.nii.gz"
    tiny = folder / "tiny.nii"
    write_volume(
        tiny, np.ones((6, 5, 4), np.float32) * np.arange(4, dtype=np.float32), Grid((6, 5, 4), RAS_2MM)
    )
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(tiny.read_bytes())
        for _ in range(5):
            stream.write(bytes(10_000_000))
    return path


def cut_dicom(folder):
    write_series(folder / "cut", slices(STORED, RAS_2MM))
    for path in (folder / "cut").iterdir():
        path.write_bytes(path.read_bytes()[:-60])
    return folder / "cut"


def two_patients(folder):
    write_series(folder / "two", [*slices(STORED, RAS_2MM), *slices(STORED, RAS_2MM, PatientID="OTHER")])
    return folder / "two"


def phone_photo(folder):
    i, j = np.mgrid[0:480, 0:640]
    noise = np.random.default_rng(0).normal(0, 6, (480, 640, 3))
    pixels = np.stack([90 + j / 6, 120 + i / 8, 200 - i / 5], axis=-1) + noise
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "photo.jpg")
    return folder / "photo.jpg"


def grey_photo(folder):
    path = phone_photo(folder).with_name("grey.png")
    Image.open(folder / "photo.jpg").convert("L").save(path)
    return path


def empty_folder(folder):
    (folder / "empty").mkdir()
    return folder / "empty"


BAD = {
    "gzip bomb": (gzip_bomb, "not brain-extracted"),
    "huge dims": (lambda folder: patched(folder, 42, "<h", 32767), "larger|most|holds|more|bytes"),
    "negative pixdim": (lambda folder: patched(folder, 80, "<f", -2.0, form=0), "must be above 0"),
    "NaN affine": (lambda folder: patched(folder, 280, "<f", float("nan")), "affine holds NaN"),
    "truncated DICOM": (cut_dicom, "truncated|damaged|pixel"),
    "two patients": (two_patients, "files of 2 patients"),
    "phone photo": (phone_photo, "colour"),
    "grey photo": (grey_photo, "looks like none of T1w"),
    "empty folder": (empty_folder, "no DICOM|DICOM"),
}


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """All kinds in one cohort beside a sound case: the manifest by case, and the store's folder."""
    root = tmp_path_factory.mktemp("bad")
    rows = []
    for name, (make, _) in BAD.items():
        folder = root / name.replace(" ", "-")
        folder.mkdir()
        rows.append(row(folder.name, make(folder)))
    sound = root / "sound"
    sound.mkdir()
    rows.append(row("sound", volume(sound)))
    cohort = Cohort(root / "cohort.tsv", tuple(rows), ("T1w",))
    manifest = prepare_cohort(cohort, root / "store", Slices(brain="given-or-extracted"), workers=1)
    shutil.rmtree(sound)
    return {one.case: one for one in manifest}, root / "store"


def row(case, path) -> Row:
    return Row(case=case, subject=case, scans={"T1w": path}, label="unknown")


@pytest.mark.parametrize("name", BAD)
def test_it_is_refused_for_its_reason_and_leaves_no_part(outcome, name):
    manifest, store = outcome
    one = manifest[name.replace(" ", "-")]
    assert one.status == "failed"
    assert any(word in one.reason for word in BAD[name][1].split("|")), one.reason
    assert [path.name for path in (store / "cases" / one.case).iterdir()] == ["case.json"]


def test_the_sound_case_beside_them_is_ready(outcome):
    manifest, store = outcome
    assert manifest["sound"].status == "ready"
    assert sorted(path.name for path in (store / "cases").iterdir()) == sorted(manifest)
