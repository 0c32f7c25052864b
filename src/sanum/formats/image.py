"""Grey pictures: PNG, JPEG, TIFF, and 2D .npy arrays whose row 0 is the top.

A picture of (rows, columns) becomes voxels (I, J, K) = (columns, rows, 1) as `Grid` tells: I runs left to
right as displayed, J bottom to top, and the affine is the identity.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import GeometryError, SanumError, ScanError
from sanum.core.files import atomic_path
from sanum.core.grid import Grid
from sanum.core.units import Volume
from sanum.formats.checks import check_size
from sanum.formats.reader import Header, Selection

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 8192 * 8192
"""Largest picture that is decoded; scanned films stop near 5000 x 6000."""

GREY_MODES = ("1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
"""Pillow's modes with one number a pixel."""

COLOUR_MODES = {
    "LA": "LA",
    "La": "LA",
    "P": "RGBA",
    "PA": "RGBA",
    "RGB": "RGBA",
    "RGBX": "RGBA",
    "RGBA": "RGBA",
}
"""Modes that may hold a grey picture all the same, and what they are converted to: alpha comes last."""

ORIENTATION_TAG = 0x0112
SIDEWAYS = (5, 6, 7, 8)
"""Values of the EXIF orientation tag that swap width and height."""

MAX_CHUNKS = 100_000
"""Most parts of a PNG; writers put at least some thousand bytes of pixels into one."""

PNG_MARK = b"\x89PNG\r\n\x1a\n"

TOP_GREY = 65535


def read_header(path: Path, selection: Selection) -> Header:
    """Read size and kind; no pixel.

    Raises:
        ScanError: not a picture, damaged, or larger than `MAX_PIXELS`.
    """
    if path.suffix.lower() == ".npy":
        array = _mapped(path)
        return _header(
            array.shape[1], array.shape[0], {"dtype": str(array.dtype.newbyteorder("=")), **_told(selection)}
        )
    with _opened(path) as image:
        return _image_header(image, selection)


def read(path: Path, selection: Selection) -> tuple[Volume, Header]:
    """Read a grey picture, or one channel of a colour picture whose channels are modalities.

    Returns:
        Voxels (columns, rows, 1) float32, stored grey values as they are, and the header.

    Raises:
        ScanError: as `read_header`; or cut short, in colour where no channel is asked for, without the channel
            asked for, partly transparent, or of several frames.
    """
    if path.suffix.lower() == ".npy":
        header, pixels = (
            read_header(path, selection),
            _only_channel(path, np.asarray(_mapped(path)), selection),
        )
    else:
        with _opened(path) as image:
            header, pixels = _image_header(image, selection), _grey(path, image, selection)
    with np.errstate(over="ignore"):
        voxels = pixels.astype(np.float32)[::-1].T[..., None]
    return np.ascontiguousarray(voxels), header


def write_image(path: Path, values: NDArray[Any]) -> None:
    """Write a PNG, atomically; the inverse of reading.

    Args:
        path: ends in .png.
        values: (I, J) uint8 or uint16 grey, or (I, J, 3) uint8 red, green, blue.

    Raises:
        GeometryError: another shape.
        ScanError: another suffix or data type.
        StorageError: the file can't be written.
    """
    from PIL import Image

    grey = values.ndim == 2 and values.dtype in (np.uint8, np.uint16)
    colour = values.ndim == 3 and values.shape[2] == 3 and values.dtype == np.uint8
    if not grey and not colour:
        raise GeometryError(
            f"{path}: expected (I, J) uint8 or uint16, or (I, J, 3) uint8; got {values.shape} {values.dtype}"
        )
    if path.suffix.lower() != ".png":
        raise ScanError(f"{path}: pictures are written as .png; choose such a name")
    pixels = np.ascontiguousarray(values.swapaxes(0, 1)[::-1])
    with atomic_path(path) as partial:
        Image.fromarray(pixels).save(partial, format="PNG")


def write_map_image(path: Path, values: Volume, scale: tuple[float, float]) -> None:
    """Write an anomaly map of a picture as a 16-bit grey PNG, atomically.

    Grey 0 is outside the mask (NaN). Grey 1 to 65535 runs linearly from `scale[0]` to `scale[1]`, and map
    values beyond are clipped: value = scale[0] + (grey - 1) / 65534 * (scale[1] - scale[0]).

    Args:
        path: ends in .png.
        values: (I, J, 1) float32, NaN outside the mask.
        scale: map values of grey 1 and 65535, ascending.

    Raises:
        GeometryError: not the map of a picture, or a scale without extent.
        ScanError: another suffix.
        StorageError: the file can't be written.
    """
    if values.ndim != 3 or values.shape[2] != 1:
        raise GeometryError(f"{path}: expected the map of a picture (I, J, 1), got {values.shape}")
    start, end = scale
    if not end > start:
        raise GeometryError(f"{path}: expected an ascending scale, got {scale}")
    share = np.clip((values[..., 0].astype(np.float64) - start) / (end - start), 0.0, 1.0)
    grey = np.where(np.isnan(share), 0.0, 1.0 + np.rint(share * (TOP_GREY - 1)))
    write_image(path, grey.astype(np.uint16))


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[ImageFile]:
    """Open without decoding; every fault of the file becomes a ScanError."""
    from PIL import Image, UnidentifiedImageError

    try:
        # from a stream, because by name Pillow maps plain TIFFs and lays out those turned sideways wrongly
        with path.open("rb") as stream:
            _check_chunks(path, stream)
            stream.seek(0)
            with Image.open(stream) as image:
                if _holds_several(image):
                    raise ScanError(f"{path}: holds several pictures; save the one to judge as its own file")
                check_size(path, (image.height, image.width), MAX_PIXELS)
                yield image
    except SanumError:
        raise
    except UnidentifiedImageError as error:
        raise ScanError(f"{path}: not a picture, whatever its name says; export it again") from error
    except Image.DecompressionBombError as error:
        raise ScanError(f"{path}: more than {MAX_PIXELS:,} pixels; reduce the picture") from error
    except Exception as error:  # on damaged files Pillow's decoders raise errors of any type
        raise ScanError(f"{path}: damaged or cut short ({error}); copy or export it again") from error


def _image_header(image: ImageFile, selection: Selection) -> Header:
    """Size as displayed: Pillow turns a TIFF by itself, other formats are turned when they are read."""
    width, height = (image.height, image.width) if _is_sideways(image) else (image.width, image.height)
    return _header(width, height, {"encoding": image.format, "mode": image.mode, **_told(selection)})


def _is_sideways(image: ImageFile) -> bool:
    """Whether the picture is shown with width and height swapped."""
    if image.format == "TIFF" or (image.format == "PNG" and not _png_may_have_exif(image)):
        return False
    return image.getexif().get(ORIENTATION_TAG, 1) in SIDEWAYS


def _png_may_have_exif(image: ImageFile) -> bool:
    """Whether a PNG tells more than its pixels, before or behind them.

    Pillow decodes the whole picture to look behind its pixels, so it is asked only where something stands there.
    """
    if "exif" in image.info or "Raw profile type exif" in image.info:
        return True
    stream = image.fp
    assert stream is not None
    here = stream.tell()
    kinds = list(_chunks(stream))
    stream.seek(here)
    behind = kinds[len(kinds) - kinds[::-1].index(b"IDAT") :] if b"IDAT" in kinds else []
    return bool(set(behind) - {b"IEND"})


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """Kinds of a PNG's chunks, without reading what they hold; none of a file that is no PNG."""
    stream.seek(0)
    if stream.read(len(PNG_MARK)) != PNG_MARK:
        return
    while len(head := stream.read(8)) == 8:
        yield head[4:]
        if head[4:] == b"IEND":
            return
        stream.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)


def _check_chunks(path: Path, stream: IO[bytes]) -> None:
    """Refuse a PNG of very many parts, which Pillow would go through one by one before it knows the size."""
    if sum(1 for _ in itertools.islice(_chunks(stream), MAX_CHUNKS + 1)) > MAX_CHUNKS:
        raise ScanError(f"{path}: more than {MAX_CHUNKS:,} chunks; export the picture again")


def _holds_several(image: ImageFile) -> bool:
    """Whether there is a second picture; counting all of them may take minutes in a file made for that."""
    try:
        image.seek(1)
    except EOFError:
        return False
    image.seek(0)
    return True


def _told(selection: Selection) -> dict[str, Any]:
    return {} if selection.part is None else {"channel": selection.part}


def _header(width: int, height: int, facts: dict[str, Any]) -> Header:
    return Header(_grid(width, height), facts, is_image=True)


@functools.lru_cache(maxsize=32)
def _grid(width: int, height: int) -> Grid:
    return Grid((width, height, 1), np.eye(4))


def _grey(path: Path, image: ImageFile, selection: Selection) -> NDArray[Any]:
    """Decoded grey values (rows, columns), turned upright, of the wanted channel."""
    from PIL import ImageOps

    mode = image.mode
    ImageOps.exif_transpose(image, in_place=True)
    if mode in GREY_MODES:
        return _only_channel(path, np.asarray(image), selection)
    if mode not in COLOUR_MODES:
        raise ScanError(f"{path}: colour mode {mode} is not read; save one grey channel a modality")
    pixels = np.asarray(image.convert(COLOUR_MODES[mode]))
    if (pixels[..., -1] != 255).any():
        raise ScanError(f"{path}: partly transparent; save the picture without transparency")
    if selection.part is not None:
        return _channel(path, pixels[..., :-1], selection.part)
    if (pixels[..., :1] != pixels[..., :-1]).any():
        raise ScanError(
            f"{path}: a colour picture with 3 different channels; save one grey picture a modality, or "
            f"name the channel of each modality: {path.name}#1"
        )
    return pixels[..., 0]


def _channel(path: Path, pixels: NDArray[Any], part: str) -> NDArray[Any]:
    """One channel, counted from 1 on, of (rows, columns, channels)."""
    count = pixels.shape[2]
    if part not in [str(number) for number in range(1, count + 1)]:
        raise ScanError(f"{path}: no channel {part!r}; expected 1 to {count}")
    return pixels[..., int(part) - 1]


def _only_channel(path: Path, pixels: NDArray[Any], selection: Selection) -> NDArray[Any]:
    return pixels if selection.part is None else _channel(path, pixels[..., None], selection.part)


def _mapped(path: Path) -> NDArray[Any]:
    """A 2D array of real numbers, mapped but not read; the header is checked first and nothing unpickled."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except Exception as error:  # a damaged header passes through the tokenizer, with errors of any type
        raise ScanError(f"{path}: not a plain .npy array ({error}); save a 2D array of numbers") from error
    if array.ndim != 2:
        raise ScanError(
            f"{path}: expected a 2D array (rows, columns), got shape {array.shape}; save a volume as NIfTI"
        )
    if array.dtype.kind not in "biuf":
        raise ScanError(f"{path}: expected real numbers, got data type {array.dtype}")
    check_size(path, array.shape, MAX_PIXELS)
    return array
