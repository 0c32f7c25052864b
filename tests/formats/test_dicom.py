"""DICOM: order by position, choice of a series, repair or refusal, values, and no patient's name anywhere."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, RLELossless

from sanum.core.errors import ScanError
from sanum.formats import inspect_scan, read_grid, read_scan
from sanum.formats.dicom.contrast import contrast_of
from tests.formats.dicom_files import NAME, enhanced, picture, save, slices, write_series

OBLIQUE = np.array(
    [[-0.9, 0.1, 0.2, 80.0], [0.08, -0.98, 0.25, 90.0], [0.02, 0.12, 2.4, -70.0], [0, 0, 0, 1.0]]
)


def orthogonal(affine: np.ndarray) -> np.ndarray:
    """The nearest affine without shear, as scanners have."""
    left, _, right = np.linalg.svd(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
    made = affine.copy()
    made[:3, :3] = (left @ right) * np.linalg.norm(affine[:3, :3], axis=0)
    return made


AFFINE = orthogonal(OBLIQUE)
STORED = np.random.default_rng(0).integers(0, 4000, (7, 6, 12)).astype(np.uint16)


def test_slices_are_sorted_by_position_whatever_their_names(tmp_path):
    scan = read_scan(write_series(tmp_path / "a", slices(STORED, AFFINE)))
    np.testing.assert_array_equal(scan.voxels, STORED)
    np.testing.assert_allclose(scan.grid.affine, AFFINE, atol=1e-6)
    assert scan.notes == ()
    assert scan.voxels.dtype == np.float32
    other = read_scan(write_series(tmp_path / "b", slices(STORED, AFFINE), seed=7))
    np.testing.assert_array_equal(other.voxels, scan.voxels)


def test_slices_written_downwards_give_the_same_volume(tmp_path):
    """K follows the slice normal, which row and column directions fix, not the order of acquisition."""
    scan = read_scan(write_series(tmp_path / "a", slices(STORED, AFFINE)[::-1]))
    np.testing.assert_array_equal(scan.voxels, STORED)


@pytest.mark.parametrize("packing", ["zip", "zip of a folder", "folder in a folder"])
def test_archives_and_nested_folders_are_read_alike(tmp_path, packing):
    write_series(tmp_path / "a" / "deep", slices(STORED, AFFINE))
    (tmp_path / "a" / "README").write_text("no scan")
    path = tmp_path / "a"
    if packing != "folder in a folder":
        path = tmp_path / "a.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, file in enumerate(sorted((tmp_path / "a").rglob("*"))):
                if file.is_file():
                    archive.write(file, f"../../{number}" if packing == "zip" else f"x/y/{number}")
    before = sorted(tmp_path.rglob("*"))
    np.testing.assert_array_equal(read_scan(path).voxels, STORED)
    assert sorted(tmp_path.rglob("*")) == before  # nothing is unpacked, wherever members say they belong
    assert read_grid(path).shape == STORED.shape


def test_hash_of_a_folder_does_not_depend_on_file_names(tmp_path):
    datasets = slices(STORED, AFFINE)
    one, two = (
        read_scan(write_series(tmp_path / name, datasets, seed)) for name, seed in (("a", 0), ("b", 3))
    )
    assert one.source.sha256 == two.source.sha256


def test_ct_becomes_hounsfield_units_slice_by_slice(tmp_path):
    stored = (STORED.astype(np.int32) - 1000).astype(np.int16)
    datasets = slices(stored, AFFINE, "CT", RescaleType="HU")
    for number, one in enumerate(datasets):
        one.RescaleSlope, one.RescaleIntercept = 1 + number % 2, -10 * number
    scan = read_scan(write_series(tmp_path / "a", datasets))
    number = np.arange(12)
    np.testing.assert_array_equal(scan.voxels, stored * (1.0 + number % 2) - 10.0 * number)
    assert scan.modality == "CT"
    with pytest.raises(ScanError, match=r"(?s)no series fits T1w.*5: CT"):
        read_scan(tmp_path / "a", "T1w")


def test_ct_without_rescale_is_refused(tmp_path):
    write_series(tmp_path / "a", slices(STORED, AFFINE, "CT"))
    with pytest.raises(ScanError, match="Hounsfield units are not known"):
        read_scan(tmp_path / "a", "CT")


def test_bits_that_are_not_in_use_are_left_out(tmp_path):
    """Old scanners keep overlays above the 12 bits of the picture; signed values need their sign."""
    overlay = (STORED & 0xFFF) | 0xA000
    datasets = slices(overlay, AFFINE, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_scan(write_series(tmp_path / "a", datasets)).voxels, STORED & 0xFFF)
    signed = slices((STORED & 0xFFF).astype(np.int16), AFFINE, BitsStored=12, HighBit=11)
    values = (STORED & 0xFFF).astype(np.float32)
    expected = np.where(values >= 2048, values - 4096, values)
    np.testing.assert_array_equal(read_scan(write_series(tmp_path / "b", signed)).voxels, expected)


def test_monochrome1_is_turned_to_bright_is_high(tmp_path):
    datasets = slices(STORED, AFFINE, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(
        read_scan(write_series(tmp_path / "a", datasets)).voxels, 4095 - (STORED & 0xFFF).astype(float)
    )


@pytest.mark.parametrize("syntax", ["RLE", "JPEG 2000"])
def test_compressed_pixels_are_decoded_without_loss(tmp_path, syntax):
    """RLE is written by pydicom; the JPEG 2000 stream by Pillow, so that decoder and encoder are not one."""
    datasets = slices(STORED, AFFINE)
    for number, one in enumerate(datasets):
        if syntax == "RLE":
            one.file_meta = FileMetaDataset()
            one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            one.compress(RLELossless, generate_instance_uid=False)
            save(one, tmp_path / "a" / str(number), RLELossless)
        else:
            import io

            from PIL import Image

            stream = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(STORED[:, :, number].T)).save(
                stream, "JPEG2000", no_jp2=True
            )
            one.PixelData = encapsulate([stream.getvalue()])
            one["PixelData"].VR = "OB"
            save(one, tmp_path / "a" / str(number), JPEG2000Lossless)
    np.testing.assert_array_equal(read_scan(tmp_path / "a").voxels, STORED)


def test_one_missing_slice_is_filled_with_a_note(tmp_path):
    datasets = slices(STORED, AFFINE)
    del datasets[4]
    scan = read_scan(write_series(tmp_path / "a", datasets))
    assert scan.notes == ("slices missing: 1 of 12; interpolated from both neighbours",)
    np.testing.assert_allclose(scan.grid.affine, AFFINE, atol=1e-6)
    expected = STORED.astype(np.float32)
    expected[..., 4] = (expected[..., 3] + expected[..., 5]) / 2
    np.testing.assert_allclose(scan.voxels, expected, atol=1e-2)


@pytest.mark.parametrize("gone", [[4, 5], [3, 7]])
def test_more_missing_slices_are_refused(tmp_path, gone):
    datasets = [one for number, one in enumerate(slices(STORED, AFFINE)) if number not in gone]
    with pytest.raises(ScanError, match=r"slices are missing: \d gaps, the widest"):
        read_scan(write_series(tmp_path / "a", datasets))


def test_uneven_spacing_is_interpolated_to_even_with_a_note(tmp_path):
    """Thin slices through the skull base and thick ones above, without gaps; a ramp stays a ramp."""
    heights = np.array([0.0, 4, 8, 12, 16, 20, 26, 32, 38, 44])
    straight = np.diag([-1.0, -1.0, 1.0, 1.0])
    stored = np.repeat((heights * 10).astype(np.uint16)[None, None], 6, axis=0).repeat(5, axis=1)
    datasets = slices(stored, straight)
    for height, one in zip(heights, datasets, strict=True):
        one.ImagePositionPatient = [0, 0, height]
        one.SliceThickness = 4 if height < 20 else 6
    scan = read_scan(write_series(tmp_path / "a", datasets))
    assert "uneven slice spacing, 4.00 to 6.00 mm; interpolated linearly to even 4.00 mm" in scan.notes[0]
    world = scan.grid.to_world(np.stack([np.zeros(12), np.zeros(12), np.arange(12)], axis=-1))
    np.testing.assert_allclose(scan.voxels[2, 2], 10 * world[:, 2], atol=1e-3)


def test_gantry_tilt_is_kept_in_the_affine_with_a_note(tmp_path):
    tilted = np.diag([-1.0, -1.0, 4.0, 1.0])
    tilted[1, 2] = 4 * np.tan(np.radians(18.5))
    datasets = slices(STORED, tilted)
    scan = read_scan(write_series(tmp_path / "a", datasets))
    assert scan.notes == ("gantry tilt of 18.5 degrees, kept exactly in a sheared affine",)
    np.testing.assert_allclose(scan.grid.affine, tilted, atol=1e-6)
    np.testing.assert_array_equal(scan.voxels, STORED)


def move(one, by: list[float]) -> None:
    one.ImagePositionPatient = [
        float(old) + new for old, new in zip(one.ImagePositionPatient, by, strict=True)
    ]


FAULTS = {
    "different orientations": (lambda d: setattr(d[3], "ImageOrientationPatient", [1, 0, 0, 0, 1, 0])),
    "different pixel spacings": (lambda d: setattr(d[3], "PixelSpacing", [1.5, 1.5])),
    "stray by up to": (lambda d: move(d[3], [3, 0, 0])),
    "at the place of another": (lambda d: setattr(d[3], "ImagePositionPatient", d[4].ImagePositionPatient)),
    "no position, orientation": (lambda d: delattr(d[3], "ImagePositionPatient")),
    "spacing or size not above 0": (lambda d: [setattr(one, "PixelSpacing", [-1, 1]) for one in d]),
    "not at right angles": (
        lambda d: [setattr(one, "ImageOrientationPatient", [1, 0, 0, 1, 0, 0]) for one in d]
    ),
    "neither MR nor CT": (lambda d: [setattr(one, "Modality", "PT") for one in d]),
    "colour": (lambda d: [setattr(one, "SamplesPerPixel", 3) for one in d]),
    "mosaic": (lambda d: [setattr(one, "ImageType", ["ORIGINAL", "PRIMARY", "MOSAIC"]) for one in d]),
}


@pytest.mark.parametrize("message", FAULTS)
def test_what_makes_no_volume_is_refused_with_the_reason(tmp_path, message):
    datasets = slices(STORED, AFFINE)
    FAULTS[message](datasets)
    write_series(tmp_path / "a", datasets)
    for read in (read_scan, read_grid):
        with pytest.raises(ScanError, match=message):
            read(tmp_path / "a")


def test_files_that_are_there_twice_count_once(tmp_path):
    write_series(tmp_path / "a", slices(STORED, AFFINE))
    shutil.copytree(tmp_path / "a", tmp_path / "a" / "copy")
    scan = read_scan(tmp_path / "a")
    np.testing.assert_array_equal(scan.voxels, STORED)
    assert scan.notes == ("12 files are there twice and count once",)


def several(folder: Path) -> Path:
    """Three series: 5 says T1, 6 says T2, 7 is a map."""
    for number, text in ((5, "t1_mprage_sag"), (6, "T2 TSE axial"), (7, "T2 map")):
        tags = {"SeriesNumber": number, "SeriesInstanceUID": f"1.2.3.{number}77", "SeriesDescription": text}
        write_series(folder / str(number), slices(STORED + number, AFFINE, **tags))
    return folder


def test_series_is_chosen_by_modality_number_or_uid_ending(tmp_path):
    folder = several(tmp_path / "a")
    np.testing.assert_array_equal(read_scan(folder, "T1w").voxels, STORED + 5)
    np.testing.assert_array_equal(read_scan(folder, "T2w").voxels, STORED + 6)
    np.testing.assert_array_equal(read_scan(folder, series="7").voxels, STORED + 7)
    np.testing.assert_array_equal(read_scan(folder, series="677").voxels, STORED + 6)
    by_path = read_scan(tmp_path / "a#6")
    np.testing.assert_array_equal(by_path.voxels, STORED + 6)
    assert by_path.source.path == str(tmp_path / "a#6")
    assert by_path.modality == "T2w"


def test_of_several_that_say_so_the_one_with_most_slices_is_taken(tmp_path):
    for number, count in ((5, 12), (6, 8)):
        tags = {"SeriesNumber": number, "SeriesInstanceUID": f"1.2.{number}", "SeriesDescription": "T1 ax"}
        write_series(tmp_path / "a" / str(number), slices(STORED[..., :count], AFFINE, **tags))
    assert read_scan(tmp_path / "a", "T1w").voxels.shape == (7, 6, 12)


def test_where_nothing_decides_the_list_is_shown(tmp_path):
    folder = several(tmp_path / "a")
    with pytest.raises(ScanError, match=r"(?s)several series fit a 3D series.*--series NUMBER") as caught:
        read_scan(folder)
    for line in ("5: T1w t1_mprage_sag; 12 frames, 7 x 6 x 12", "6: T2w T2 TSE axial", "7: MR T2 map"):
        assert line in str(caught.value)
    with pytest.raises(ScanError, match=r"no series fits series 9"):
        read_scan(folder, series="9")


def test_modality_as_told_wins_for_a_single_mr_series_with_a_note(tmp_path):
    write_series(tmp_path / "a", slices(STORED, AFFINE, SeriesDescription="t1 ax"))
    scan = read_scan(tmp_path / "a", "T1ce")
    assert scan.modality == "T1ce"
    assert scan.notes == ("the series' headers read like T1w; taken as T1ce as told",)


@pytest.mark.parametrize(
    ("description", "agent", "expected"),
    [
        ("mocoMEMPRAGE_220FOV RMS", False, "T1w"),
        ("Sag T1 FLAIR", False, None),
        ("AX T2 FLAIR", False, "FLAIR"),
        ("t2_tirm_tra_dark-fluid", False, "FLAIR"),
        ("T1 ax post gad", False, "T1ce"),
        ("T1 tra", True, "T1ce"),
        ("T1 pre contrast", False, None),
        ("T2* ax", False, None),
        ("T2_star", False, None),
        ("ADC map", False, None),
        ("3D brain", False, None),
        ("PD tse", False, "PDw"),
        ("", False, None),
    ],
)
def test_contrast_is_guessed_only_from_plain_descriptions(description, agent, expected):
    assert contrast_of(description, agent) == expected


def test_enhanced_file_with_one_volume_is_read_frame_by_frame(tmp_path):
    """Frames lie shuffled in the file and have slopes of their own."""
    save(enhanced([STORED], AFFINE), tmp_path / "a.dcm")
    scan = read_scan(tmp_path / "a.dcm")
    slopes = np.where(np.arange(1, 13) % 2, 2.0, 1.0)
    np.testing.assert_array_equal(scan.voxels, STORED * slopes)
    np.testing.assert_allclose(scan.grid.affine, AFFINE, atol=1e-6)
    (tmp_path / "b.dcm.gz").write_bytes(gzip.compress((tmp_path / "a.dcm").read_bytes()))
    np.testing.assert_array_equal(read_scan(tmp_path / "b.dcm.gz").voxels, scan.voxels)


def test_enhanced_file_with_several_volumes_needs_a_choice(tmp_path):
    save(enhanced([STORED, STORED + 1], AFFINE), tmp_path / "a.dcm")
    with pytest.raises(
        ScanError, match=r"(?s)several series fit.*5\.1: MR; 12 frames, 7 x 6 x 12; time 1\n.*5\.2"
    ):
        read_scan(tmp_path / "a.dcm")
    slopes = np.where(np.arange(1, 13) % 2, 2.0, 1.0)
    np.testing.assert_array_equal(read_scan(tmp_path / "a.dcm", series="5.2").voxels, (STORED + 1) * slopes)


def test_echoes_of_a_classic_series_are_told_apart(tmp_path):
    first = slices(STORED, AFFINE, EchoTime=10)
    second = slices(STORED + 1, AFFINE, EchoTime=90)
    write_series(tmp_path / "a", first + second)
    with pytest.raises(ScanError, match=r"5\.2: MR; 12 frames.*classic echo time 90"):
        read_scan(tmp_path / "a")
    assert read_scan(tmp_path / "a", series="5.2").voxels[0, 0, 0] == STORED[0, 0, 0] + 1


def test_two_patients_in_one_folder_are_refused_without_naming_them(tmp_path):
    write_series(tmp_path / "a", [*slices(STORED, AFFINE), *slices(STORED, AFFINE, PatientID="OTHER1")])
    with pytest.raises(ScanError, match="files of 2 patients") as caught:
        read_scan(tmp_path / "a", series="5")
    assert "GEHEIM" not in str(caught.value).upper()
    assert "OTHER" not in str(caught.value)


def test_no_identifier_is_carried_along(tmp_path):
    write_series(tmp_path / "a", slices(STORED, AFFINE))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in (tmp_path / "a").iterdir():
            archive.write(file, f"{NAME}/{file.name}")
    scan = read_scan(tmp_path / "a.zip")
    told = json.dumps([scan.source.path, scan.notes, scan.modality, inspect_scan(tmp_path / "a.zip")])
    assert "geheim" not in told.lower()


def test_other_dicom_files_beside_a_series_are_passed_over(tmp_path):
    write_series(tmp_path / "a", slices(STORED, AFFINE))
    report = picture("SR")
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"
    save(report, tmp_path / "a" / "report")
    (tmp_path / "a" / "notes.txt").write_text("text")
    np.testing.assert_array_equal(read_scan(tmp_path / "a").voxels, STORED)


def test_importing_the_room_does_not_import_the_libraries():
    code = "import sys, sanum.formats; print({'pydicom', 'SimpleITK', 'isal'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


def test_random_damage_never_escapes_as_another_error(tmp_path):
    """Whatever bytes are wrong, the answer is a scan or a ScanError; enhanced and classic files alike."""
    rng = np.random.default_rng(0)
    write_series(tmp_path / "a", slices(STORED[..., :3], AFFINE))
    save(enhanced([STORED[..., :3]], AFFINE), tmp_path / "b" / "c.dcm")
    for folder in (tmp_path / "a", tmp_path / "b"):
        file = sorted(folder.iterdir())[0]
        content = file.read_bytes()
        for _ in range(150):
            damaged = bytearray(content)
            for place in rng.integers(132, len(content), rng.integers(1, 5)):
                damaged[place] = rng.integers(0, 256)
            file.write_bytes(damaged[: rng.integers(100, len(damaged))] if rng.random() < 0.3 else damaged)
            with contextlib.suppress(ScanError):
                read_scan(folder)
