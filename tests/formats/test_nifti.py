"""NIfTI in and out, checked against nibabel and against damaged, lying and unusual files."""

from __future__ import annotations

import contextlib
import gzip
import struct

import nibabel
import numpy as np
import pytest

from sanum.core.errors import GeometryError, SanumError, ScanError
from sanum.core.grid import Grid
from sanum.formats import inspect_scan, read_grid, read_scan, write_volume
from tests.phantoms import RAS_2MM, brain_scan

OBLIQUE = np.array([[0.0, -1.6, 0.9, 40], [-2.1, 0.0, 0.0, 70], [0.0, 1.2, 1.2, -30], [0, 0, 0, 1.0]])
LPS = np.diag([-1.0, -1.0, 2.5, 1.0])
AFFINES = {"RAS": RAS_2MM, "LPS": LPS, "oblique": OBLIQUE}


def random_voxels(shape=(6, 5, 4), seed=0) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 20, shape).astype(np.float32)


def save(path, image) -> None:
    nibabel.save(image, path)


def patch(path, offset, layout, value) -> None:
    """Overwrite a header field of an uncompressed file."""
    content = bytearray(path.read_bytes())
    struct.pack_into(layout, content, offset, value)
    path.write_bytes(content)


@pytest.fixture
def plain(tmp_path):
    """An uncompressed file whose header tests can damage."""
    path = tmp_path / "a.nii"
    write_volume(path, random_voxels(), Grid((6, 5, 4), RAS_2MM))
    return path


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
def test_what_is_written_is_read_back_in_place(tmp_path, affine, suffix):
    values, grid = random_voxels(), Grid((6, 5, 4), affine)
    write_volume(tmp_path / f"a{suffix}", values, grid, description="a map")
    scan = read_scan(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(scan.voxels, values)
    assert scan.voxels.dtype == np.float32
    np.testing.assert_allclose(scan.grid.affine, affine, atol=1e-5)
    assert scan.notes == ()
    assert not scan.is_image


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_reading_agrees_with_nibabel_in_any_orientation_and_type(tmp_path, affine, kind, dtype):
    path = tmp_path / "a.nii.gz"
    save(path, kind(random_voxels().astype(dtype), affine))
    scan, expected = read_scan(path), nibabel.load(path)
    np.testing.assert_array_equal(scan.voxels, expected.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(scan.grid.affine, expected.affine)


def test_axis_order_of_the_file_is_kept(tmp_path):
    """A bright voxel near the right front ear stays where the affine says, not where an axis swap puts it."""
    values = np.zeros((6, 5, 4), np.float32)
    values[5, 0, 2] = 9
    save(tmp_path / "a.nii.gz", nibabel.Nifti1Image(values, OBLIQUE))
    scan = read_scan(tmp_path / "a.nii.gz")
    at = np.argwhere(scan.voxels == 9)[0]
    np.testing.assert_allclose(scan.grid.to_world(at), OBLIQUE[:3] @ [5, 0, 2, 1], atol=1e-4)


def test_slope_and_intercept_are_applied(tmp_path):
    image = nibabel.Nifti1Image(np.arange(120, dtype=np.int16).reshape(6, 5, 4), RAS_2MM)
    image.header.set_slope_inter(2.5, -1024)
    path = tmp_path / "a.nii.gz"
    save(path, image)
    stored = nibabel.load(path)
    np.testing.assert_allclose(read_scan(path).voxels, stored.get_fdata(), rtol=1e-6)
    assert read_scan(path).voxels.min() == -1024


def test_big_endian_files_are_read(tmp_path):
    header = nibabel.Nifti1Header(endianness=">")
    values = random_voxels().astype(">i2")
    header.set_data_dtype(">i2")
    save(tmp_path / "a.nii", nibabel.Nifti1Image(values, RAS_2MM, header))
    np.testing.assert_array_equal(read_scan(tmp_path / "a.nii").voxels, values.astype(np.float32))


def test_content_decides_whether_a_file_is_compressed(tmp_path, plain):
    wrongly_named = tmp_path / "b.nii.gz"
    wrongly_named.write_bytes(plain.read_bytes())
    np.testing.assert_array_equal(read_scan(wrongly_named).voxels, read_scan(plain).voxels)


def test_a_single_frame_stored_as_4d_is_a_volume(tmp_path):
    save(tmp_path / "a.nii.gz", nibabel.Nifti1Image(random_voxels((6, 5, 4, 1)), RAS_2MM))
    assert read_scan(tmp_path / "a.nii.gz").voxels.shape == (6, 5, 4)


@pytest.mark.parametrize("shape", [(6, 5, 4, 3), (6, 5, 4, 1, 3), (6, 5)])
def test_several_frames_vectors_and_slices_are_refused_with_the_shape(tmp_path, shape):
    save(tmp_path / "a.nii.gz", nibabel.Nifti1Image(random_voxels(shape), RAS_2MM))
    with pytest.raises(
        ScanError, match=r"a\.nii\.gz: expected a 3D volume \(I, J, K\), got \(6, 5.*pick one frame"
    ):
        read_scan(tmp_path / "a.nii.gz")


def test_colour_and_complex_are_refused(tmp_path):
    rgb = np.zeros((3, 3, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    save(tmp_path / "rgb.nii", nibabel.Nifti1Image(rgb, RAS_2MM))
    with pytest.raises(ScanError, match=r"rgb\.nii: voxels are colours"):
        read_scan(tmp_path / "rgb.nii")
    save(tmp_path / "c.nii", nibabel.Nifti1Image(np.ones((3, 3, 3), np.complex64), RAS_2MM))
    with pytest.raises(ScanError, match=r"c\.nii: voxels are complex numbers"):
        read_scan(tmp_path / "c.nii")


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000.0), ("micron", 0.001)])
def test_other_units_become_mm_and_are_noted(tmp_path, unit, factor):
    image = nibabel.Nifti1Image(random_voxels(), np.diag([*RAS_2MM.diagonal()[:3] / factor, 1]))
    image.header.set_xyzt_units(unit)
    save(tmp_path / "a.nii.gz", image)
    scan = read_scan(tmp_path / "a.nii.gz")
    assert scan.grid.spacing == pytest.approx((2, 2, 2), rel=1e-5)
    assert any(f"units of {unit}; converted to mm" in note for note in scan.notes)


def test_disagreeing_forms_are_noted_and_the_sform_is_used(tmp_path):
    image = nibabel.Nifti1Image(random_voxels(), None)
    image.set_sform(RAS_2MM, 1)
    moved = RAS_2MM.copy()
    moved[0, 3] += 3.5
    image.set_qform(moved, 1)
    save(tmp_path / "a.nii.gz", image)
    scan = read_scan(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(scan.grid.affine, RAS_2MM)
    assert scan.notes == ("sform and qform disagree by up to 3.5 mm; the sform is used",)
    assert inspect_scan(tmp_path / "a.nii.gz")["notes"] == list(scan.notes)


def test_qform_alone_is_used(tmp_path):
    image = nibabel.Nifti1Image(random_voxels(), None)
    image.set_sform(np.eye(4), 0)
    image.set_qform(LPS, 1)
    save(tmp_path / "a.nii.gz", image)
    scan = read_scan(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(scan.grid.affine, LPS, atol=1e-6)
    assert scan.notes == ()


def test_no_form_at_all_is_noted(tmp_path):
    image = nibabel.Nifti1Image(random_voxels(), None)
    save(tmp_path / "a.nii", image)
    for form_code in (252, 254):
        patch(tmp_path / "a.nii", form_code, "<h", 0)
    for axis, size in enumerate((1, 2, 3)):
        patch(tmp_path / "a.nii", 80 + 4 * axis, "<f", size)
    scan = read_scan(tmp_path / "a.nii")
    assert scan.grid.axis_codes == "LAS"
    assert scan.grid.spacing == (1, 2, 3)
    assert scan.notes == ("neither sform nor qform is set; axes are taken as left, anterior, superior",)


def test_shear_is_kept_by_the_sform_alone(tmp_path):
    sheared = RAS_2MM.copy()
    sheared[1, 2] = 0.4
    write_volume(tmp_path / "a.nii.gz", random_voxels(), Grid((6, 5, 4), sheared))
    header = nibabel.load(tmp_path / "a.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    scan = read_scan(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(scan.grid.affine, sheared, atol=1e-6)
    assert scan.notes == ()


def test_masks_are_small_integers_and_maps_keep_nan(tmp_path):
    grid = Grid((6, 5, 4), RAS_2MM)
    write_volume(tmp_path / "m.nii.gz", random_voxels() > 100, grid)
    assert nibabel.load(tmp_path / "m.nii.gz").get_data_dtype() == np.uint8
    values = random_voxels().astype(np.float64)
    values[0] = np.nan
    write_volume(tmp_path / "f.nii.gz", values, grid)
    image = nibabel.load(tmp_path / "f.nii.gz")
    assert image.get_data_dtype() == np.float32
    assert image.header.get_xyzt_units()[0] == "mm"
    assert np.isnan(image.get_fdata()[0]).all()


def test_equal_input_gives_equal_bytes(tmp_path):
    grid = Grid((6, 5, 4), RAS_2MM)
    for name in ("a.nii.gz", "b.nii.gz"):
        write_volume(tmp_path / name, random_voxels(), grid)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_values_that_can_not_be_written_leave_no_file(tmp_path):
    grid = Grid((6, 5, 4), RAS_2MM)
    with pytest.raises(ScanError, match="expected bool, uint8 or float values to write, got int64"):
        write_volume(tmp_path / "a.nii.gz", np.ones((6, 5, 4), np.int64), grid)
    with pytest.raises(ScanError, match=r"a\.png: a volume is written as"):
        write_volume(tmp_path / "a.png", random_voxels(), grid)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keep", [100, 300, 360, 500, -20, -3])
def test_truncated_archives_are_refused(tmp_path, keep):
    path = tmp_path / "a.nii.gz"
    write_volume(path, random_voxels((20, 20, 20)), Grid((20, 20, 20), RAS_2MM))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ScanError, match=r"a\.nii\.gz: (damaged or cut short|cut short|not a NIfTI)"):
        read_scan(path)


def test_one_flipped_bit_of_the_archive_is_noticed(tmp_path):
    path = tmp_path / "a.nii.gz"
    write_volume(path, random_voxels((20, 20, 20)), Grid((20, 20, 20), RAS_2MM))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with pytest.raises(ScanError, match="damaged or cut short"):
        read_scan(path)


def test_truncated_plain_file_tells_how_much_is_there(plain):
    plain.write_bytes(plain.read_bytes()[:-80])
    with pytest.raises(ScanError, match=r"cut short, 400 of 480 bytes of voxels"):
        read_scan(plain)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8bnot gzip at all", b"x" * 1000, b"<html>" * 100])
def test_files_that_are_no_nifti_are_refused(tmp_path, content):
    path = tmp_path / "a.nii.gz"
    path.write_bytes(content)
    with pytest.raises(ScanError, match=r"a\.nii\.gz: (not a NIfTI file|damaged or cut short)"):
        read_scan(path)


def test_header_of_a_pair_is_refused(plain):
    patch(plain, 344, "4s", b"ni1\0")
    with pytest.raises(ScanError, match=r"header of a \.hdr/\.img pair"):
        read_scan(plain)


def test_huge_header_is_refused_before_any_voxel_is_read(plain):
    for axis in range(3):
        patch(plain, 42 + 2 * axis, "<h", 2000)
    with pytest.raises(ScanError, match=r"a\.nii: the header declares \(2000, 2000, 2000\), more than"):
        read_grid(plain)


def test_zero_and_negative_sizes_are_refused(plain):
    patch(plain, 42, "<h", 0)
    with pytest.raises(ScanError, match=r"expected sizes of 1 or more, got \(0, 5, 4\)"):
        read_scan(plain)
    patch(plain, 42, "<h", -6)
    with pytest.raises(ScanError, match="expected sizes of 1 or more"):
        read_scan(plain)


def test_archive_that_holds_more_than_guaranteed_is_not_read_in_full(tmp_path, plain, monkeypatch):
    """A bomb: 200 MB of zeros behind a volume of 480 bytes cost neither time nor memory."""
    import tracemalloc

    path = tmp_path / "bomb.nii.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(plain.read_bytes())
        for _ in range(20):
            stream.write(bytes(10_000_000))
    tracemalloc.start()
    scan = read_scan(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(scan.voxels, read_scan(plain).voxels)
    assert "longer than the volume that its header describes" in scan.notes[0]
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("offset", "value", "message"),
    [
        (280, float("nan"), "affine holds NaN"),
        (280, float("inf"), "affine holds NaN or infinity"),
        (280, 0.0, "voxel spacing 0 x 2 x 2 mm is outside"),
        (280, 900.0, "voxel spacing 900 x 2 x 2 mm is outside"),
    ],
)
def test_impossible_sform_is_refused_with_the_file(plain, offset, value, message):
    patch(plain, offset, "<f", value)
    with pytest.raises(GeometryError, match=rf"a\.nii: {message}"):
        read_scan(plain)


@pytest.mark.parametrize("value", [0.0, -2.0, float("nan")])
def test_impossible_voxel_sizes_are_refused_where_they_count(plain, value):
    patch(plain, 254, "<h", 0)
    patch(plain, 80, "<f", value)
    with pytest.raises(GeometryError, match=r"a\.nii: voxel sizes \(pixdim\) .* must be above 0"):
        read_scan(plain)


def test_invalid_qform_beside_a_valid_sform_is_noted(plain):
    patch(plain, 80, "<f", -2.0)
    assert "the qform is not valid" in read_scan(plain).notes[0]


@pytest.mark.parametrize(
    ("offset", "layout", "value"), [(108, "<f", 1e9), (108, "<f", -5.0), (108, "<f", float("nan"))]
)
def test_impossible_start_of_voxels_is_refused(plain, offset, layout, value):
    patch(plain, offset, layout, value)
    with pytest.raises(ScanError, match="header"):
        read_scan(plain)


def test_unknown_data_type_is_refused(plain):
    patch(plain, 70, "<h", 4000)
    with pytest.raises(ScanError, match="unknown data type code 4000"):
        read_scan(plain)


def test_random_damage_never_escapes_as_another_error(tmp_path, plain):
    """Whatever three header bytes become, the file is read or refused."""
    rng = np.random.default_rng(0)
    whole, path = plain.read_bytes(), tmp_path / "b.nii"
    for _ in range(300):
        content = bytearray(whole)
        for place in rng.integers(0, 352, 3):
            content[place] = rng.integers(0, 256)
        path.write_bytes(content)
        with contextlib.suppress(SanumError):
            read_scan(path)


def test_phantom_survives_the_trip(tmp_path):
    scan = brain_scan()
    write_volume(tmp_path / "a_T1w.nii.gz", scan.voxels, scan.grid)
    back = read_scan(tmp_path / "a_T1w.nii.gz")
    assert back.grid.same_as(scan.grid)
    np.testing.assert_array_equal(back.voxels, scan.voxels)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "modality", "axes"),
    [
        ("heads/IXI012-HH-1211_T1w.nii.gz", "T1w", "PSR"),
        ("heads/fernando_FLAIR.nii.gz", "FLAIR", "LAS"),
        ("nichart/Subj1_T1w.nii.gz", "T1w", "LPS"),
        ("mslub/patient07_FLAIR.nii.gz", "FLAIR", "LAS"),
        ("oasis/1000_T1w.nii.gz", "T1w", "LAS"),
    ],
)
def test_real_scans_agree_with_nibabel(real_data, name, modality, axes):
    scan, expected = read_scan(real_data / name), nibabel.load(real_data / name)
    np.testing.assert_array_equal(scan.voxels, expected.get_fdata(dtype=np.float32))
    np.testing.assert_allclose(scan.grid.affine, expected.affine)
    assert (scan.modality, scan.grid.axis_codes) == (modality, axes)
