"""Pictures: the upright convention, grey in all its spellings, and files that lie."""

from __future__ import annotations

import contextlib
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from sanum.core.errors import GeometryError, SanumError, ScanError
from sanum.formats import inspect_scan, read_grid, read_scan, write_image, write_map_image

PIXELS = np.random.default_rng(0).integers(0, 256, (7, 9)).astype(np.uint8)
"""7 rows of 9 columns, row 0 on top."""

UPRIGHT = PIXELS[::-1].T[..., None].astype(np.float32)


def save(path, pixels=PIXELS, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.npy"])
def test_picture_is_read_upright(tmp_path, name):
    """The top left pixel is I = 0, J = last; the bottom right one is I = last, J = 0."""
    path = tmp_path / name
    np.save(path, PIXELS) if path.suffix == ".npy" else save(path)
    scan = read_scan(path)
    assert scan.voxels.shape == scan.grid.shape == (9, 7, 1)
    assert scan.voxels[0, 6, 0] == PIXELS[0, 0]
    assert scan.voxels[8, 0, 0] == PIXELS[6, 8]
    np.testing.assert_array_equal(scan.voxels, UPRIGHT)
    np.testing.assert_array_equal(scan.grid.affine, np.eye(4))
    assert scan.is_image
    assert scan.voxels.dtype == np.float32


def test_jpeg_is_read_upright(tmp_path):
    pixels = np.zeros((32, 48), np.uint8)
    pixels[:8, :8] = 250
    scan = read_scan(save(tmp_path / "a.jpg", pixels, quality=95))
    assert scan.voxels[:6, -6:].min() > 200
    assert scan.voxels[:, :16].max() < 50


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_orientation_tag_turns_the_picture(tmp_path, orientation, suffix):
    """Header and voxels agree on the turned shape, and the bright corner comes where a viewer shows it."""
    pixels = np.zeros((32, 48), np.uint8)
    pixels[:8, :8] = 250
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a{suffix}"
    save(path, pixels, exif=exif)
    scan = read_scan(path)
    sideways = orientation >= 5
    assert scan.grid.shape == ((32, 48, 1) if sideways else (48, 32, 1))
    assert read_grid(path).shape == scan.grid.shape
    right = orientation in (2, 3, 6, 7)
    bottom = orientation in (3, 4, 7, 8)
    corner = scan.voxels[-4:] if right else scan.voxels[:4]
    assert (corner[:, :4] if bottom else corner[:, -4:]).min() > 200


def test_orientation_behind_the_pixels_of_a_png_counts_too(tmp_path):
    """PNG lets EXIF stand behind the pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save(tmp_path / "a.png", exif=exif)
    whole = path.read_bytes()
    start = whole.index(b"eXIf") - 4
    length = 12 + int.from_bytes(whole[start : start + 4])
    chunk, end = whole[start : start + length], whole.index(b"IEND") - 4
    path.write_bytes(whole[:start] + whole[start + length : end] + chunk + whole[end:])
    assert read_grid(path).shape == read_scan(path).grid.shape == (7, 9, 1)


def test_the_header_of_a_png_is_read_without_its_pixels(tmp_path):
    """An upload's size is looked at before anything is unpacked."""
    path = save(tmp_path / "a.png")
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(whole)
    assert read_grid(path).shape == (9, 7, 1)
    with pytest.raises(ScanError, match="damaged"):
        read_scan(path)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16", "I", "F"])
def test_grey_in_other_spellings_gives_the_same_values(tmp_path, mode):
    grey = np.where(PIXELS > 127, 255, 0).astype(np.uint8) if mode == "1" else PIXELS
    path = tmp_path / ("a.tif" if mode in "IF" else "a.png")
    image = Image.fromarray(grey)
    image.quantize(256).save(path) if mode == "P" else image.convert(mode).save(path)
    expected = grey[::-1].T[..., None].astype(np.float32)
    voxels = read_scan(path).voxels
    np.testing.assert_array_equal(voxels, expected / 255 if mode == "1" else expected)


def test_sixteen_bits_are_kept(tmp_path):
    pixels = PIXELS.astype(np.uint16) * 257
    pixels[0, 0] = 12345
    for name in ("a.png", "a.tif"):
        assert read_scan(save(tmp_path / name, pixels)).voxels[0, 6, 0] == 12345


def test_colour_is_refused(tmp_path):
    pixels = np.repeat(PIXELS[..., None], 3, axis=2)
    pixels[2, 3, 1] ^= 1
    with pytest.raises(ScanError, match=r"a\.png: a colour picture with 3 different channels.*one grey"):
        read_scan(save(tmp_path / "a.png", pixels))
    Image.new("CMYK", (5, 5)).save(tmp_path / "b.jpg")
    with pytest.raises(ScanError, match=r"b\.jpg: colour mode CMYK"):
        read_scan(tmp_path / "b.jpg")


def test_transparency_is_refused(tmp_path):
    """What lies under transparent pixels is not what a person saw."""
    pixels = np.dstack([PIXELS, PIXELS, PIXELS, np.full_like(PIXELS, 255)])
    pixels[0, 0, 3] = 0
    with pytest.raises(ScanError, match=r"a\.png: partly transparent"):
        read_scan(save(tmp_path / "a.png", pixels))


def test_several_frames_are_refused(tmp_path):
    frames = [Image.fromarray(PIXELS), Image.fromarray(PIXELS)]
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ScanError, match=r"a\.tif: holds several pictures"):
        read_scan(tmp_path / "a.tif")


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds nearly nothing."""
    chunks = b"\x89PNG\r\n\x1a\n"
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return chunks


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8193, 8193), (60000, 60000)])
def test_picture_bombs_are_refused_before_decoding(tmp_path, size):
    path = tmp_path / "a.png"
    path.write_bytes(png_header(*size))
    for read in (read_scan, inspect_scan):
        with pytest.raises(ScanError, match=r"a\.png: .*more than"):
            read(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_truncated_and_foreign_pictures_are_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    big = np.random.default_rng(0).integers(0, 256, (200, 200)).astype(np.uint8)
    content = save(path, big).read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(ScanError, match=r"damaged or cut short|not a picture"):
        read_scan(path)
    path.write_bytes(b"not a picture at all")
    with pytest.raises(ScanError, match="not a picture, whatever its name says"):
        read_scan(path)


def test_array_with_objects_is_refused_and_never_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.save(tmp_path / "a.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    with pytest.raises(ScanError, match=r"a\.npy: not a plain \.npy array"):
        read_scan(tmp_path / "a.npy")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4, 4)), r"expected a 2D array \(rows, columns\), got shape \(4, 4, 4\)"),
        (np.zeros((4, 4), complex), "expected real numbers, got data type complex128"),
        (np.array([["a", "b"]]), "expected real numbers"),
    ],
)
def test_other_arrays_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(ScanError, match=rf"a\.npy: {message}"):
        read_scan(tmp_path / "a.npy")


def test_array_shorter_than_its_header_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, PIXELS)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ScanError, match="not a plain"):
        read_scan(path)
    path.write_bytes(b"")
    with pytest.raises(ScanError, match="not a plain"):
        read_scan(path)


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_of_an_array_does_not_matter(tmp_path, order):
    np.save(tmp_path / "a.npy", np.asarray(PIXELS, order=order))
    np.testing.assert_array_equal(read_scan(tmp_path / "a.npy").voxels, UPRIGHT)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
def test_random_damage_never_escapes_as_another_error(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a.png", "a.jpg", "a.tif", "a.npy"):
        path = tmp_path / name
        np.save(path, PIXELS) if path.suffix == ".npy" else save(path)
        whole = path.read_bytes()
        for _ in range(150):
            content = bytearray(whole)
            for place in rng.integers(0, len(content), 3):
                content[place] = rng.integers(0, 256)
            path.write_bytes(content)
            with contextlib.suppress(SanumError):
                read_scan(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_writing_is_the_inverse_of_reading(tmp_path, dtype):
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (9, 7)).astype(dtype)
    write_image(tmp_path / "a.png", values)
    np.testing.assert_array_equal(read_scan(tmp_path / "a.png").voxels[..., 0], values)


def test_colour_is_written_upright(tmp_path):
    values = np.zeros((9, 7, 3), np.uint8)
    values[0, 6] = (255, 0, 0)
    write_image(tmp_path / "a.png", values)
    assert Image.open(tmp_path / "a.png").getpixel((0, 0)) == (255, 0, 0)


def test_other_shapes_and_types_are_not_written(tmp_path):
    for values in (np.zeros((3, 3)), np.zeros((3, 3, 2), np.uint8), np.zeros((3, 3, 3), np.uint16)):
        with pytest.raises(GeometryError, match=r"a\.png: expected \(I, J\) uint8 or uint16"):
            write_image(tmp_path / "a.png", values)
    with pytest.raises(ScanError, match=r"a\.jpg: pictures are written as \.png"):
        write_image(tmp_path / "a.jpg", PIXELS)
    assert list(tmp_path.iterdir()) == []


def test_map_levels_are_linear_clipped_and_zero_outside(tmp_path):
    values = np.array([[[np.nan], [2.0], [3.0]], [[4.0], [9.0], [-1.0]]], np.float32)
    write_map_image(tmp_path / "a.png", values, (2.0, 4.0))
    grey = read_scan(tmp_path / "a.png").voxels[..., 0]
    np.testing.assert_array_equal(grey, [[0, 1, 32768], [65535, 65535, 1]])


def test_map_without_extent_or_of_a_volume_is_refused(tmp_path):
    with pytest.raises(GeometryError, match="expected an ascending scale"):
        write_map_image(tmp_path / "a.png", np.zeros((3, 3, 1), np.float32), (1.0, 1.0))
    with pytest.raises(GeometryError, match=r"expected the map of a picture \(I, J, 1\)"):
        write_map_image(tmp_path / "a.png", np.zeros((3, 3, 2), np.float32), (0.0, 1.0))


@pytest.mark.real
def test_real_slices_are_read_and_colour_composites_refused(real_data):
    scan = read_scan(real_data / "soop-flair" / "image" / "sub-0001.png", "FLAIR")
    assert scan.grid.shape == (157, 189, 1)
    assert scan.voxels.max() == 254
    composite = next((real_data / "lgg-mri").glob("*/*_10.tif"))
    with pytest.raises(ScanError, match="3 different channels"):
        read_scan(composite)


@pytest.mark.parametrize("channel", [1, 2, 3])
def test_channel_of_a_colour_picture_is_one_modality(tmp_path, channel):
    pixels = np.random.default_rng(1).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    path = save(tmp_path / "a.tif", pixels)
    scan = read_scan(tmp_path / f"a.tif#{channel}", "FLAIR")
    np.testing.assert_array_equal(scan.voxels, pixels[::-1, :, channel - 1].T[..., None])
    assert scan.source.path == f"{path}#{channel}"
    assert inspect_scan(tmp_path / f"a.tif#{channel}")["channel"] == str(channel)


@pytest.mark.parametrize("part", ["0", "4", "red"])
def test_channel_that_is_not_there_is_refused(tmp_path, part):
    save(tmp_path / "a.tif", np.random.default_rng(1).integers(0, 256, (7, 9, 3)).astype(np.uint8))
    with pytest.raises(ScanError, match=rf"a\.tif: no channel '{part}'; expected 1 to 3"):
        read_scan(tmp_path / f"a.tif#{part}")
