"""MGH, NRRD and MetaImage: affine and voxels as their own libraries write them, and headers that lie."""

from __future__ import annotations

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK

from sanum.core.errors import GeometryError, ScanError
from sanum.core.units import MAX_VOXELS
from sanum.formats import inspect_scan, read_grid, read_scan

AFFINE = nibabel.affines.from_matvec(
    np.array([[-0.9, 0.1, 0.42], [0.1, -0.99, 0.26], [0.22, 0.14, 2.35]]), [80.0, 90.0, -70.0]
)
VALUES = np.random.default_rng(0).integers(0, 1000, (7, 6, 5)).astype(np.int16)

ITK_NAMES = ["a.nrrd", "a.nhdr", "a.mha", "a.mhd"]


def right_angled(affine: np.ndarray) -> np.ndarray:
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    left, _, right = np.linalg.svd(affine[:3, :3] / sizes)
    return nibabel.affines.from_matvec((left @ right) * sizes, affine[:3, 3])


RIGID = right_angled(AFFINE)


def write_mgh(path, affine=RIGID, values=VALUES):
    nibabel.save(nibabel.MGHImage(values, affine), path)
    return path


def write_itk(path, compressed=False, values=VALUES):
    """The affine RIGID by ITK's own convention: LPS, direction times spacing."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ RIGID
    sizes = np.linalg.norm(lps[:3, :3], axis=0)
    image = SimpleITK.GetImageFromArray(values.transpose(2, 1, 0))
    image.SetSpacing(sizes.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / sizes).ravel().tolist())
    SimpleITK.WriteImage(image, str(path), compressed)
    return path


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_mgh_is_read_in_its_own_axis_order(tmp_path, name, dtype):
    scan = read_scan(write_mgh(tmp_path / name, values=VALUES.astype(dtype)))
    np.testing.assert_array_equal(scan.voxels, VALUES.astype(dtype))
    np.testing.assert_allclose(scan.grid.affine, RIGID, atol=1e-4)
    assert scan.voxels.dtype == np.float32


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ITK_NAMES)
def test_itk_affine_is_turned_from_lps_to_ras(tmp_path, name, compressed):
    path = write_itk(tmp_path / name, compressed)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.voxels, VALUES)
    np.testing.assert_allclose(scan.grid.affine, RIGID, atol=1e-5)
    assert read_grid(path).same_as(scan.grid)
    assert inspect_scan(path)["format"] == "NRRD or MetaImage"


def test_itk_and_nibabel_agree_on_one_scan(tmp_path):
    """A NIfTI that SimpleITK writes again as NRRD keeps every voxel at its place."""
    nibabel.save(nibabel.Nifti1Image(VALUES, RIGID), tmp_path / "a.nii")
    SimpleITK.WriteImage(SimpleITK.ReadImage(str(tmp_path / "a.nii")), str(tmp_path / "a.nrrd"))
    nifti, nrrd = read_scan(tmp_path / "a.nii"), read_scan(tmp_path / "a.nrrd")
    np.testing.assert_array_equal(nrrd.voxels, nifti.voxels)
    np.testing.assert_allclose(nrrd.grid.affine, nifti.grid.affine, atol=1e-4)


@pytest.mark.parametrize("space", ["right-anterior-superior", "left-anterior-superior"])
def test_nrrd_in_another_space_keeps_its_place(tmp_path, space):
    path = write_itk(tmp_path / "a.nrrd")
    content = path.read_bytes().replace(b"left-posterior-superior", space.encode())
    path.write_bytes(content)
    signs = [-1.0 if space.startswith("right") else 1.0, -1.0, 1.0, 1.0]
    np.testing.assert_allclose(read_grid(path).affine, np.diag(signs) @ RIGID, atol=1e-5)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", [*ITK_NAMES, "a.mgh", "a.mgz"])
def test_truncated_voxels_are_refused(tmp_path, name, compressed, capfd):
    path = tmp_path / name
    write_mgh(path) if ".mg" in name else write_itk(path, compressed)
    holder = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size if file != path else 0)
    data = path if name in ("a.nrrd", "a.mha", "a.mgh", "a.mgz") else holder
    data.write_bytes(data.read_bytes()[:-120])
    with pytest.raises(ScanError, match=r"a\.\w+: (damaged or )?cut short"):
        read_scan(path)


def test_detached_voxels_must_lie_beside_the_header_and_count_in_the_hash(tmp_path):
    path = write_itk(tmp_path / "a.nhdr")
    before = read_scan(path).source.sha256
    data = tmp_path / "a.raw"
    data.write_bytes(bytes(reversed(data.read_bytes())))
    assert read_scan(path).source.sha256 != before
    data.unlink()
    with pytest.raises(ScanError, match=r"its voxels a\.raw are not beside it"):
        read_scan(path)
    text = path.read_text()
    for elsewhere in ("/etc/passwd", "../a.raw"):
        path.write_text(text.replace("data file: a.raw", f"data file: {elsewhere}"))
        with pytest.raises(ScanError, match="names voxels outside its own folder"):
            read_scan(path)


def edited(path, old: bytes, new: bytes):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("a.nrrd", b"sizes: 7 6 5", b"sizes: 70000 60000 5", f"more than the {MAX_VOXELS:,}"),
        ("a.mha", b"DimSize = 7 6 5", b"DimSize = 70000 60000 5", f"more than the {MAX_VOXELS:,}"),
        ("a.nrrd", b"sizes: 7 6 5", b"sizes: 7 -6 5", "damaged header|sizes of 1 or more"),
        ("a.nrrd", b"space directions: (", b"space directions: (nan", "damaged header|NaN"),
        ("a.nrrd", b"NRRD000", b"NOTHING", "damaged header"),
    ],
)
def test_itk_headers_that_lie_are_refused_before_voxels(tmp_path, name, old, new, message):
    path = edited(write_itk(tmp_path / name), old, new)
    for read in (read_grid, read_scan):
        with pytest.raises(ScanError, match=message):
            read(path)


def test_itk_spacing_below_zero_is_refused(tmp_path):
    path = write_itk(tmp_path / "a.mha")
    text = path.read_bytes()
    start = text.index(b"ElementSpacing = ")
    path.write_bytes(text[:start] + b"ElementSpacing = -1 1 1\n" + text[text.index(b"DimSize") :])
    with pytest.raises(ScanError, match=r"above 0|damaged header"):
        read_grid(path)


def test_itk_colour_and_time_series_are_refused(tmp_path):
    colour = SimpleITK.Compose([SimpleITK.GetImageFromArray(VALUES)] * 3)
    SimpleITK.WriteImage(colour, str(tmp_path / "a.nrrd"))
    with pytest.raises(ScanError, match="3 values a voxel"):
        read_scan(tmp_path / "a.nrrd")
    series = SimpleITK.JoinSeries([SimpleITK.GetImageFromArray(VALUES)] * 2)
    SimpleITK.WriteImage(series, str(tmp_path / "b.mha"))
    with pytest.raises(ScanError, match=r"expected a 3D volume \(I, J, K\), got \(5, 6, 7, 2\)"):
        read_scan(tmp_path / "b.mha")


def patched(path, offset: int, value: bytes):
    content = bytearray(path.read_bytes())
    content[offset : offset + len(value)] = value
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("offset", "value", "error", "message"),
    [
        (0, struct.pack(">i", 7), ScanError, "not an MGH file"),
        (4, struct.pack(">3i", 60000, 60000, 60000), ScanError, "more than the"),
        (4, struct.pack(">i", -5), ScanError, "sizes of 1 or more"),
        (16, struct.pack(">i", 3), ScanError, r"expected a 3D volume .* 3\)"),
        (20, struct.pack(">i", 99), ScanError, "damaged header"),
        (30, struct.pack(">f", -1.0), GeometryError, "must be above 0"),
        (30, struct.pack(">f", float("nan")), GeometryError, "must be above 0"),
        (42, struct.pack(">f", float("nan")), GeometryError, "NaN or infinity"),
    ],
)
def test_mgh_headers_that_lie_are_refused_before_voxels(tmp_path, offset, value, error, message):
    path = patched(write_mgh(tmp_path / "a.mgh"), offset, value)
    for read in (read_grid, read_scan):
        with pytest.raises(error, match=message):
            read(path)


def test_mgz_bomb_is_read_no_further_than_its_header_says(tmp_path):
    write_mgh(tmp_path / "a.mgh")
    bomb = gzip.compress((tmp_path / "a.mgh").read_bytes() + bytes(50_000_000))
    (tmp_path / "b.mgz").write_bytes(bomb)
    np.testing.assert_array_equal(read_scan(tmp_path / "b.mgz").voxels, VALUES)
