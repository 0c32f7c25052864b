"""From files as people have them to prepared cases; and bad ones, which must leave no partial case."""

from __future__ import annotations

import gzip
import io
import json
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sanum.cohort.discover import discover
from sanum.cohort.table import Cohort, Row
from sanum.core.errors import ScanError
from sanum.core.grid import Grid
from sanum.formats import read_scan, write_image, write_volume
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.workflow.inputs import gather
from sanum.workflow.inspect import inspect
from sanum.workflow.label import label_by_mask
from sanum.workflow.prepare import prepare_cohort
from tests.formats.dicom_files import NAME, slices, write_series
from tests.phantoms import RAS_2MM, brain_voxels

GRID = Grid((64, 84, 64), RAS_2MM)


def phantom(path: Path) -> Path:
    write_volume(path, np.rint(brain_voxels(GRID)[0]), GRID)
    return path


def dicom(folder: Path, **tags) -> Path:
    return write_series(folder, slices(np.rint(brain_voxels(GRID)[0]).astype(np.uint16), RAS_2MM, **tags))


def prepared(path: Path, folder: Path, modality: str = "T1w"):
    """The manifest row of one file, and its store."""
    row = Row("case", "subject", {modality: path})
    rows = prepare_cohort(Cohort(path, (row,), (modality,)), folder, Slices((modality,)), workers=1)
    return rows[0], Store.open(folder)


def test_dicom_series_gives_the_same_prepared_array_as_the_nifti(tmp_path):
    _, first = prepared(phantom(tmp_path / "a.nii.gz"), tmp_path / "one")
    row, second = prepared(dicom(tmp_path / "d"), tmp_path / "two")
    assert row.status == "ready"
    np.testing.assert_allclose(second.load("case").voxels, first.load("case").voxels, atol=1e-5)
    np.testing.assert_array_equal(second.load("case").mask, first.load("case").mask)


@pytest.mark.real
def test_real_nifti_written_as_dicom_gives_the_same_scan_and_prepared_array(real_data, tmp_path):
    """Voxels are integers up to the scan's own rounding; the way through DICOM adds nothing."""
    volume = next((real_data / "ds002748").rglob("*T1w.nii.gz"))
    scan = read_scan(volume)
    scale = 30000 / scan.voxels.max()
    stored = np.rint(scan.voxels * scale).astype(np.uint16)
    write_volume(tmp_path / "a.nii.gz", stored.astype(np.float32), scan.grid)
    write_series(tmp_path / "d", slices(stored, scan.grid.affine))
    again = read_scan(tmp_path / "d")
    flipped = again.grid.affine[:3, 2] @ scan.grid.affine[:3, 2] < 0
    voxels = again.voxels[..., ::-1] if flipped else again.voxels
    np.testing.assert_array_equal(voxels, stored)
    corners = again.grid.corners().mean(axis=0), scan.grid.corners().mean(axis=0)
    np.testing.assert_allclose(*corners, atol=1e-4)
    _, first = prepared(tmp_path / "a.nii.gz", tmp_path / "one")
    _, second = prepared(tmp_path / "d", tmp_path / "two")
    np.testing.assert_allclose(second.load("case").voxels, first.load("case").voxels, atol=1e-4)


def test_no_patient_name_reaches_the_store(tmp_path):
    dicom(tmp_path / "d", SeriesDescription="t1 ax")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        for file in sorted((tmp_path / "d").iterdir()):
            archive.write(file, f"{NAME}/{file.name}")
    assert prepared(tmp_path / "d.zip", tmp_path / "store")[0].status == "ready"
    content = b"".join(file.read_bytes() for file in (tmp_path / "store").rglob("*") if file.is_file())
    assert b"geheim" not in content.lower()


def test_another_series_of_the_same_files_is_prepared_again(tmp_path):
    for number in (5, 6):
        tags = {"SeriesNumber": number, "SeriesInstanceUID": f"1.2.{number}", "PatientID": "p"}
        dicom(tmp_path / "d" / str(number), **tags)
    prepared(tmp_path / "d#5", tmp_path / "store")
    before = (tmp_path / "store" / "cases" / "case" / "case.json").read_text()
    prepared(tmp_path / "d#5", tmp_path / "store")
    assert (tmp_path / "store" / "cases" / "case" / "case.json").read_text() == before
    prepared(tmp_path / "d#6", tmp_path / "store")
    assert (tmp_path / "store" / "cases" / "case" / "case.json").read_text() != before


def test_gather_takes_dicom_folders_and_series(tmp_path):
    dicom(tmp_path / "d")
    (row,) = gather([tmp_path / "d"], ("T1w",), series="5")
    assert (row.case, dict(row.scans)) == ("d", {"T1w": tmp_path / "d#5"})
    assert inspect(tmp_path / "d")["chosen"] == "5"
    (tmp_path / "plain").mkdir()
    with pytest.raises(ScanError, match="a series can be chosen in DICOM files only"):
        gather([tmp_path / "plain"], ("T1w",), series="5")


def test_cases_are_labelled_by_their_masks(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    mask = np.zeros((9, 9), np.uint8)
    for number in (1, 2):
        (tmp_path / "p").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "p" / f"a_{number}.tif")
        mask[3, 3] = 255 * (number - 1)
        write_image(tmp_path / "p" / f"a_{number}_mask.png", mask)
    labelled = label_by_mask(discover(tmp_path, channels=("T1w", "FLAIR", "T1ce")))
    assert [row.label for row in labelled] == ["healthy", "lesion"]


def nifti_bytes(path: Path) -> bytes:
    return gzip.decompress(phantom(path).read_bytes())


def patch(content: bytes, offset: int, layout: str, *values: float) -> bytes:
    made = bytearray(content)
    struct.pack_into(layout, made, offset, *values)
    return bytes(made)


def gzip_bomb(path: Path) -> Path:
    """A header of an honest size with 200 MB of zeros behind it, all in 0.2 MB."""
    header = nifti_bytes(path.parent / "n_T1w.nii.gz")[:352]
    path.write_bytes(gzip.compress(header + bytes(200_000_000), compresslevel=1))
    return path


def huge_dims(path: Path) -> Path:
    content = nifti_bytes(path.parent / "n_T1w.nii.gz")
    path.write_bytes(gzip.compress(patch(content, 42, "<3h", 32000, 32000, 32000)))
    return path


def negative_spacing(path: Path) -> Path:
    content = patch(nifti_bytes(path.parent / "n_T1w.nii.gz"), 80, "<3f", -2, -2, -2)
    path.write_bytes(gzip.compress(patch(content, 252, "<2h", 1, 0)))
    return path


def nan_affine(path: Path) -> Path:
    content = nifti_bytes(path.parent / "n_T1w.nii.gz")
    path.write_bytes(gzip.compress(patch(content, 280, "<4f", *[float("nan")] * 4)))
    return path


def truncated_pixels(path: Path) -> Path:
    files = sorted(dicom(path).iterdir())
    files[20].write_bytes(files[20].read_bytes()[:-3000])
    return path


def truncated_header(path: Path) -> Path:
    files = sorted(dicom(path).iterdir())
    files[20].write_bytes(files[20].read_bytes()[:500])
    return path


def two_patients(path: Path) -> Path:
    dicom(path / "one")
    dicom(path / "two", PatientID="OTHER")
    return path


def empty_folder(path: Path) -> Path:
    path.mkdir()
    return path


def phone_photo(path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def zip_bomb(path: Path) -> Path:
    """Ten members that declare and hold more than is read, 1000 times what they take on disk."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(1000))
    content = bytearray(path.read_bytes())
    place = content.rfind(b"PK\x01\x02")
    struct.pack_into("<L", content, place + 24, 0xFFFFFFF0)
    path.write_bytes(content)
    return _repeat_members(path, bytes(content))


def _repeat_members(path: Path, content: bytes) -> Path:
    """List the one member three times, so that 12 GiB are declared."""
    start = content.rfind(b"PK\x01\x02")
    end = content.rfind(b"PK\x05\x06")
    tail = bytearray(content[end:])
    struct.pack_into("<HHL", tail, 8, 3, 3, 3 * (end - start))
    path.write_bytes(content[:start] + content[start:end] * 3 + bytes(tail))
    return path


def dicom_bomb(path: Path) -> Path:
    """A file of one slice in a gzip with 200 MB of zeros behind it."""
    file = sorted(dicom(path.parent / "d").iterdir())[0]
    path.write_bytes(gzip.compress(file.read_bytes() + bytes(200_000_000), compresslevel=1))
    return path


def deflated_dicom(path: Path) -> Path:
    """The transfer syntax whose header inflates without bound."""
    file = sorted(dicom(path).iterdir())[0]
    content = file.read_bytes()
    end = content.index(struct.pack("<HH", 8, 0x16))
    meta = content[:end].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99\0\0")
    uid = meta.index(b"1.2.840.10008.1.2.1.99")
    meta = meta[: uid - 2] + struct.pack("<H", 22) + meta[uid:].replace(b".99\0\0", b".99")
    meta = patch(meta, 140, "<L", len(meta) - 144)
    deflate = zlib.compressobj(wbits=-15)
    file.write_bytes(meta + deflate.compress(bytes(50_000_000)) + deflate.flush())
    return path


def not_a_zip(path: Path) -> Path:
    path.write_bytes(b"PK\x03\x04 no archive")
    return path


def encrypted_zip(path: Path) -> Path:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a", b"x" * 500)
    content = bytearray(stream.getvalue())
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


BAD = {
    "gzip bomb": (gzip_bomb, "bomb_T1w.nii.gz", r"no contrast"),
    "huge dims": (huge_dims, "a_T1w.nii.gz", r"declares \(32000, 32000, 32000\)"),
    "negative pixdim": (negative_spacing, "a_T1w.nii.gz", r"must be above 0"),
    "NaN affine": (nan_affine, "a_T1w.nii.gz", r"NaN or infinity"),
    "DICOM pixels cut short": (truncated_pixels, "a", r"pixels of a DICOM file are cut short"),
    "DICOM header cut short": (truncated_header, "a", r"DICOM file in it is damaged or cut short"),
    "two patients": (two_patients, "a", r"files of 2 patients"),
    "empty folder": (empty_folder, "a", r"no DICOM picture among 0 files"),
    "phone photo": (phone_photo, "a.jpg", r"a colour picture with 3 different channels"),
    "zip that declares 12 GiB": (zip_bomb, "a.zip", r"would unpack to 12\.0 GiB"),
    "one slice and a gzip bomb": (dicom_bomb, "a.dcm.gz", r"one slice, no volume"),
    "deflated DICOM": (deflated_dicom, "a", r"deflated DICOM is not read"),
    "no zip": (not_a_zip, "a.zip", r"damaged or cut short"),
    "encrypted zip": (encrypted_zip, "a.zip", r"encrypted"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_with_a_reason_and_leaves_no_partial_case(tmp_path, name):
    make, file, message = BAD[name]
    path = make(tmp_path / file)
    with pytest.raises(ScanError, match=message) as caught:
        read_scan(path, "T1w")
    assert str(path) in str(caught.value)
    row, store = prepared(path, tmp_path / "store")
    assert row.status == "failed"
    assert str(path) in row.reason
    assert [file.name for file in (store.folder / "cases" / "case").iterdir()] == ["case.json"]
    assert [folder.name for folder in (store.folder / "cases").iterdir()] == ["case"]
    assert json.loads((store.folder / "cases" / "case" / "case.json").read_text())["status"] == "failed"


@pytest.mark.real
def test_real_tif_stacks_become_a_cohort_of_three_modalities(real_data):
    found = label_by_mask(discover(real_data / "lgg-mri", channels=("T1w", "FLAIR", "T1ce")))
    assert set(found.modalities) == {"T1w", "FLAIR", "T1ce"}
    assert len({row.subject for row in found}) == 3
    assert sum(row.label == "lesion" for row in found) == 45
    first = found.rows[0]
    channels = [read_scan(path, name).voxels for name, path in first.scans.items()]
    assert not np.array_equal(channels[0], channels[1])
