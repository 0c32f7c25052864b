"""Hostile uploads: each is refused with the right words, and leaves nothing on the disk."""

from __future__ import annotations

import errno
import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sanum.service import cases, intake, streaming, unpack
from sanum.service.case_folder import CaseFolders
from sanum.service.case_judge import Judge, attempt
from tests.formats.dicom_files import slices, write_series
from tests.service.checks import check_problem
from tests.service.fakes import FakeModel, form, make, nifti


def header(shape=(4, 4, 4), spacing=(1.0, 1.0, 1.0), offset=352.0, code=16) -> bytearray:
    """A NIfTI-1 header with an sform."""
    block = bytearray(352)
    struct.pack_into("<i", block, 0, 348)
    struct.pack_into("<8h", block, 40, len(shape), *shape, *[1] * (7 - len(shape)))
    struct.pack_into("<2h", block, 70, code, 32)
    struct.pack_into("<8f", block, 76, 1.0, *spacing, 0, 0, 0, 0)
    struct.pack_into("<f", block, 108, offset)
    struct.pack_into("<h", block, 254, 1)
    for row in range(3):
        values = [0.0, 0.0, 0.0, 0.0]
        values[row] = spacing[row]
        struct.pack_into("<4f", block, 280 + 16 * row, *values)
    block[344:348] = b"n+1\0"
    return block


def png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return sink.getvalue()


def overlapping_archive() -> bytes:
    """The central directory lies about the size of what it holds."""
    content = bytearray(archive({"a.nii": bytes(5_000_000)}))
    place = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, place + 24, 10)
    return bytes(content)


def directory_only(entries: int) -> bytes:
    """An archive that is nothing but a directory, whose entries cost memory."""
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 65535, 65535, len(entry) * entries, 30, 0)
    return b"PK\x03\x04" + bytes(26) + entry * entries + end


def picture_of_many_parts(count: int) -> bytes:
    whole = png(8, 8, bytes(9 * 8))
    place = whole.index(b"IDAT") - 4
    part = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    return whole[:place] + part * count + whole[place:]


def encrypted_archive() -> bytes:
    content = bytearray(archive({"a.nii": bytes(header())}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(mark)
        content[place + offset] |= 1
    return bytes(content)


def linking_archive() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as opened:
        entry = zipfile.ZipInfo("scan.nii")
        entry.external_attr = 0o120777 << 16
        opened.writestr(entry, "/etc/passwd")
    return sink.getvalue()


def npy(kind: str, shape: tuple[int, int]) -> bytes:
    """The header of an array."""
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00v\x00" + text.ljust(117) + b"\n"


def promising(size: int) -> bytes:
    """The directory of an archive says that its only member has this size."""
    content = bytearray(archive({"a.nii": bytes(header())}))
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, size)
    return bytes(content)


BIG = 5_000_000
STORED = zipfile.ZIP_STORED
HOSTILE = {
    "empty": (b"", 400, "is empty"),
    "text": (b"hello", 415, "no NIfTI"),
    "program": (b"\x7fELF" + bytes(600), 415, "no NIfTI"),
    "page": (b"<svg onload=alert(1)>" + bytes(600), 415, "no NIfTI"),
    "pickle": (b"\x80\x04\x95" + bytes(600), 415, "no NIfTI"),
    "DICOM in name only": (bytes(128) + b"DICM" + bytes(400), 422, "T1w.dcm"),
    "NRRD that names another file": (b"NRRD0004\ndata file: /etc/passwd\n" + bytes(600), 415, "no NIfTI"),
    "gzip of text": (gzip.compress(b"hello" * 1000), 415, "no NIfTI"),
    "gzip bomb": (gzip.compress(bytes(50_000_000)), 415, "no NIfTI"),
    "damaged gzip": (b"\x1f\x8b" + bytes(600), 415, "no NIfTI"),
    "header promises terabytes": (bytes(header((30000, 30000, 30000))), 422, "header is damaged"),
    "header promises more than allowed": (bytes(header((400, 400, 400))), 413, "more than this service takes"),
    "bomb behind a true header": (gzip.compress(bytes(header((500, 500, 500))) + bytes(BIG)), 413, "voxels"),
    "negative size": (bytes(header((-4, 4, 4))), 422, "damaged"),
    "no spacing": (bytes(header(spacing=(0.0, 1.0, 1.0))), 422, "T1w.nii"),
    "spacing is no number": (bytes(header(spacing=(float("nan"), 1.0, 1.0))), 422, "T1w.nii"),
    "voxels start nowhere": (bytes(header(offset=1e30)), 422, "damaged|start at byte"),
    "unknown type": (bytes(header(code=999)), 422, "T1w.nii"),
    "colours": (bytes(header(code=128)), 422, "RGB"),
    "header only": (bytes(header())[:200], 415, "no NIfTI"),
    "image bomb": (png(60_000, 60_000, bytes(1000)), 422, "pixels|more than"),
    "large image": (png(6000, 6000, bytes(6001 * 6000)), 413, "more than this service takes"),
    "image without pixels": (b"\x89PNG\r\n\x1a\n" + bytes(600), 422, "T1w.png"),
    "npy of objects": (npy("|O", (2, 2)) + bytes(64), 422, "npy"),
    "npy that promises terabytes": (npy("<f8", (1_000_000, 1_000_000)), 422, "npy"),
    "zip bomb": (archive({"a.nii": bytes(header()) + bytes(60_000_000)}), 413, "more than 40 MB once unpacked"),
    "zip of many files": (archive({f"{n}": b"x" for n in range(20_001)}, STORED), 413, "more than 20,000 files"),
    "zip that lies about sizes": (overlapping_archive(), 422, "can't be unpacked|holds 0 scans"),
    "encrypted zip": (encrypted_archive(), 422, "without encryption"),
    "zip with a link": (linking_archive(), 422, "holds 0 scans"),
    "zip in zip": (archive({"b.zip": archive({"a.nii": bytes(header())})}), 422, "holds 0 scans"),
    "zip that is all directory": (directory_only(50_000), 413, "more than 20,000 files"),
    "image of many parts": (picture_of_many_parts(100_001), 422, "more than 100,000 chunks"),
    "zip of 3 GB": (promising(3 * 10**9), 413, "more than 40 MB once unpacked"),
    "zip of nothing": (archive({"a.nii": bytes(header()) + bytes(BIG)}), 422, "more than 100 times its size"),
    "empty zip": (archive({}), 415, "no NIfTI"),
    "zip cut short": (archive({"a.nii": bytes(header())})[:100], 422, "can't be unpacked"),
    "zip of two scans": (archive({"a.nii": bytes(header()), "b.nii": bytes(header())}), 422, "holds 2 scans"),
}  # fmt: skip


@pytest.mark.parametrize("address", ["/v1/cases", "/v1/predict"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files(kind, address, tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "SMALL_BYTES", 1e6)
    content, status, words = HOSTILE[kind]
    model = FakeModel()
    service = make(tmp_path, model, unpacked_mb=40, voxels=20_000_000)
    response = service.client().post(address, data=form(content))
    check_problem(response, status, words)
    assert str(tmp_path) not in response.text
    assert model.asked == []
    assert [path for folder in ("incoming", "cases") for path in (tmp_path / folder).iterdir()] == []


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.nii.gz",
        "/etc/cron.d/x.nii.gz",
        "a\\..\\b.nii.gz",
        "$(rm -rf).NII.GZ",
        "\u202e.nii.gz",
        "x.exe",
    ],
)
def test_client_names_never_reach_the_file_system(name, tmp_path):
    service = make(tmp_path)
    content = nifti(tmp_path, shape=(8, 8, 8))
    case = service.client().post("/v1/cases", data=form(content, name=name)).get_json()
    files = [path.relative_to(tmp_path) for path in (tmp_path / "cases").rglob("*") if path.is_file()]
    assert files == [Path("cases", case["id"], "inputs", "T1w.nii.gz")]


@pytest.mark.parametrize(
    "name", ["../../evil.nii", "/abs/evil.nii", "..\\evil.nii", "C:evil.nii", "a/b/c.nii"]
)
def test_zip_slip(name, tmp_path):
    data = tmp_path / "data"
    service = make(data)
    sent = service.client().post("/v1/cases", data=form(archive({name: bytes(header()) + bytes(4 * 64)})))
    assert sent.status_code == 202
    written = list(tmp_path.rglob("*.nii"))
    assert written == [data / "cases" / sent.get_json()["id"] / "inputs" / "T1w.nii"]


def test_a_zip_of_dicom_files_becomes_a_folder(tmp_path):
    one = bytes(128) + b"DICM" + bytes(100)
    service = make(tmp_path)
    members = {"DIR/IM1": one, "DIR/IM2": one + b"2", "DIR/README": b"text", "DICOMDIR.txt": b""}
    sent = service.client().post("/v1/cases", data=form(archive(members), name="study.zip"))
    inputs = tmp_path / "cases" / sent.get_json()["id"] / "inputs"
    assert sorted(path.name for path in (inputs / "T1w").iterdir()) == ["000000.dcm", "000001.dcm"]


def test_too_large_is_413_before_it_is_read(tmp_path):
    service = make(tmp_path, upload_mb=1)
    response = service.client().post("/v1/cases", data=form(b"x" * 1_000_001))
    check_problem(response, 413, r"\(1 MB\)")
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_flood_of_form_fields_is_refused(tmp_path):
    fields = {f"field-{number}": "x" for number in range(500)}
    client = make(tmp_path).client()
    assert client.post("/v1/predict", data=fields, content_type="multipart/form-data").status_code == 413
    huge = {"label": "x" * 600_000}
    assert client.post("/v1/cases", data=huge, content_type="multipart/form-data").status_code == 413


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path, monkeypatch):
    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    service = make(tmp_path)
    monkeypatch.setattr(streaming.Part, "_put", full)
    response = service.client().post("/v1/cases", data=form(bytes(header())))
    check_problem(response, 503, "no room left")
    assert response.headers["Retry-After"]
    assert list((tmp_path / "incoming").iterdir()) == []


def test_an_upload_that_takes_too_long_is_408(tmp_path):
    service = make(tmp_path, upload_seconds=1e-9)
    check_problem(service.client().post("/v1/cases", data=form(bytes(header()))), 408, "took longer")
    assert list((tmp_path / "incoming").iterdir()) == []


def test_every_format_that_is_read_gets_in(tmp_path):
    service = make(tmp_path)
    sink = io.BytesIO()
    np.save(sink, np.arange(64.0).reshape(8, 8))
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    encoded = []
    for kind in ("PNG", "JPEG", "TIFF"):
        held = io.BytesIO()
        image.save(held, kind)
        encoded.append(held.getvalue())
    volume = nifti(tmp_path, shape=(8, 8, 8))
    for content in (volume, gzip.decompress(volume), sink.getvalue(), *encoded, archive({"x": volume})):
        assert service.client().post("/v1/cases", data=form(content)).status_code == 202


def test_an_archive_whose_member_has_no_name_is_refused_not_a_fault(tmp_path):
    """zipfile itself trips over an empty name; found by random damage."""
    damaged = bytearray(archive({"a": b"nothing that is a scan"}))
    for signature, place in ((b"PK\x03\x04", 26), (b"PK\x01\x02", 28)):
        start = damaged.index(signature) + place
        damaged[start : start + 4] = struct.pack("<HH", 0, 1)
    with zipfile.ZipFile(io.BytesIO(damaged)) as opened:
        assert opened.namelist() == [""]
    answer = make(tmp_path, FakeModel()).client().post("/v1/cases", data=form(bytes(damaged)))
    assert answer.status_code == 422


def test_a_brain_mask_comes_by_its_own_field_and_reaches_the_model(tmp_path):
    model = FakeModel()
    service = make(tmp_path, model)
    client = service.client()
    volume = nifti(tmp_path, shape=(8, 8, 8))
    both = {"file": (io.BytesIO(volume), "a"), "brain": (io.BytesIO(volume), "sub-01_FLAIR_mask.nii.gz")}
    assert client.post("/v1/predict", data=both).status_code == 200
    assert (list(model.asked[0]), model.brains) == (["T1w"], ["brain.nii.gz"])
    both = {"file": (io.BytesIO(volume), "a"), "brain": (io.BytesIO(volume), "b")}
    case = client.post("/v1/cases", data=both).get_json()
    assert case["modalities"] == ["T1w"]
    judge = Judge({"demo": Path("demo")}, load=lambda path: model)
    attempt(service.engine, CaseFolders(tmp_path), judge, cases.begin(service.engine, case["id"]))
    assert model.brains == ["brain.nii.gz", "brain.nii.gz"]
    text = {"file": (io.BytesIO(volume), "a"), "brain": (io.BytesIO(b"hello"), "b")}
    check_problem(client.post("/v1/cases", data=text), 415, "file for brain is no NIfTI")
    alone = client.post("/v1/cases", data={"brain": (io.BytesIO(volume), "b")})
    check_problem(alone, 400, "T1w is missing")


def test_pictures_beside_the_dicom_files_of_a_study_are_left_out(tmp_path):
    """A preview used to be taken for the scan, and the study thrown away."""
    held = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(held, "PNG")
    write_series(tmp_path / "s", slices(np.ones((4, 4, 9), np.uint16), np.eye(4)))
    members = {path.name: path.read_bytes() for path in (tmp_path / "s").iterdir()}
    sent = (
        make(tmp_path).client().post("/v1/cases", data=form(archive({"a.png": held.getvalue(), **members})))
    )
    assert sent.status_code == 202, sent.text
    (folder,) = (tmp_path / "cases" / sent.get_json()["id"] / "inputs").iterdir()
    assert {path.suffix for path in folder.iterdir()} == {".dcm"}
    assert len(list(folder.iterdir())) == 9


def test_a_multi_frame_dicom_file_is_taken_and_its_series_can_be_named(tmp_path, real_data):
    with gzip.open(real_data / "dicom" / "mr-enhanced-multiframe.dcm.gz") as stream:
        content = stream.read()
    client = make(tmp_path).client()
    check_problem(
        client.post("/v1/cases", data=form(content)), 422, r"(?s)no series fits .* field series:.*perfusion"
    )
    sent = client.post("/v1/cases", data=form(content, series="1903.2"))
    assert sent.status_code == 202, sent.text
    assert [p.name for p in (tmp_path / "cases" / sent.get_json()["id"] / "inputs").iterdir()] == ["T1w.dcm"]
    check_problem(client.post("/v1/cases", data=form(content, series="7")), 422, "7")
    check_problem(
        client.post("/v1/cases", data=form(content, series="../x")), 422, "series: String should match"
    )


def test_what_is_judged_at_once_is_smaller_than_what_waits_for_a_worker(tmp_path):
    """By its header, before a voxel is read: a web process has no memory for a volume that a worker takes."""
    client = make(tmp_path, predict_voxels=500, voxels=1000).client()
    volume, larger = bytes(header((8, 8, 8))) + bytes(2048), bytes(header((11, 11, 11))) + bytes(6000)
    check_problem(
        client.post("/v1/predict", data=form(volume)), 413, "are judged at once; send it to /v1/cases"
    )
    assert client.post("/v1/cases", data=form(volume)).status_code == 202
    for address in ("/v1/predict", "/v1/cases"):
        check_problem(
            client.post(address, data=form(larger)), 413, "11 x 11 x 11 voxels are more than this service"
        )


def test_a_series_is_measured_before_it_is_decoded(tmp_path, monkeypatch):
    client = make(tmp_path, voxels=1000).client()
    series = archive({str(number): dicom_slice(number, 64) for number in range(8)})
    check_problem(client.post("/v1/cases", data=form(series)), 413, "64 x 64 x 8 voxels are more than")
    monkeypatch.setattr(intake, "MOST_HEADERS", 3)
    check_problem(
        client.post("/v1/predict", data=form(series)),
        413,
        "more than 3 DICOM files are more than are judged at",
    )
    assert client.post("/v1/cases", data=form(series)).status_code == 202
    assert list((tmp_path / "incoming").iterdir()) == []


def dicom_slice(number: int, size: int, name: str = "A") -> bytes:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"1.2.3.{number + 1}"
    made.SeriesInstanceUID, made.PatientName, made.PatientID = "1.2.4", name, "1"
    made.Modality, made.InstanceNumber, made.SeriesNumber = "MR", number + 1, 1
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2 * number]
    made.PixelSpacing, made.SliceThickness = [1, 1], 2
    made.Rows = made.Columns = size
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 16, 15, 0
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.PixelData = np.arange(size * size, dtype="<u2").tobytes()
    made["PixelData"].VR = "OW"
    sink = io.BytesIO()
    made.save_as(sink, enforce_file_format=True)
    return sink.getvalue()
