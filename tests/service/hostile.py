"""Files that a service must survive, made by rule: every field of every format bent, cut short, inflated or lying.

Names of patients are planted wherever a file may hold one.
"""

from __future__ import annotations

import gzip
import io
import itertools
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from tests.service.test_fuzz import damaged, seeds
from tests.service.test_intake import HOSTILE, archive, dicom_slice, header, npy, png

PATIENT = "Mustermann^Erika"
LABEL = "Etikett-Musterfrau"
PLANTED = ("Mustermann", "Musterfrau")

Hostile = Iterator[tuple[str, bytes]]
_INTEGERS = (0, -1, 1, 2, 255, 32767, -32768)
_REALS = (0.0, -1.0, 1e-30, 1e30, float("nan"), float("inf"), -float("inf"))


def hostile_files(folder, seed: int = 0) -> Hostile:
    """All of them, named."""
    yield from ((f"intake: {kind}", content) for kind, (content, *_) in HOSTILE.items())
    for make in (_nifti, _mgh, _pictures, _arrays, _archives, _streams, _dicom, _mixtures):
        yield from make()
    rng = random.Random(seed)
    good = seeds(folder)
    for number in range(100):
        yield f"damaged {number}", damaged(rng.choice(good), rng)


def _volume(block: bytearray, voxels: int = 64) -> bytes:
    block[148 : 148 + len(PATIENT)] = PATIENT.encode()
    return bytes(block) + np.arange(voxels, dtype="<f4").tobytes()


def _nifti() -> Hostile:
    integers = {"dim": (40, 8), "datatype": (70, 1), "bitpix": (72, 1), "qform": (252, 1), "sform": (254, 1)}
    for name, (place, count) in integers.items():
        for index, value in itertools.product(range(count), _INTEGERS):
            block = header()
            struct.pack_into("<h", block, place + 2 * index, value)
            yield f"nifti {name}[{index}] = {value}", _volume(block)
    reals = {"pixdim": 80, "offset": 108, "slope": 112, "intercept": 116, "quatern": 256, "srow": 280}
    for (name, place), value in itertools.product(reals.items(), _REALS):
        block = header()
        struct.pack_into("<f", block, place, value)
        yield f"nifti {name} = {value}", _volume(block)
    for shape in ((4, 4, 1), (1, 4, 4), (1, 1, 1), (4, 4), (4, 4, 4, 1, 1), (4, 4, 4, 2), (64,)):
        yield f"nifti of {shape}", _volume(header(shape), 128)
    for value in (float("nan"), float("inf"), 0.0):
        yield f"nifti full of {value}", bytes(header()) + np.full(64, value, "<f4").tobytes()
    yield "nifti cut short", _volume(header())[:-20]
    yield "nifti big-endian mark", bytes(header())[:0] + struct.pack(">i", 348) + _volume(header())[4:]
    yield "nifti gzip of zeros", gzip.compress(bytes(header((300, 300, 300), code=2)) + bytes(27_000_000))


def _mgh() -> Hostile:
    for place, value in itertools.product(range(7), (0, -1, 2**31 - 1)):
        fields = [1, 4, 4, 4, 1, 3, 0]
        fields[place] = value
        yield f"mgh [{place}] = {value}", np.array(fields, ">i4").tobytes().ljust(284, b"\0") + bytes(4 * 64)


def _pictures() -> Hostile:
    for width, height in itertools.product((0, 1, 8, 65_535, 2**31 - 1), repeat=2):
        yield f"png {width} x {height}", png(width, height, bytes(72))
    for depth, colours, interlace in itertools.product((0, 1, 16, 200), (0, 3, 7), (0, 9)):
        content = bytearray(png(8, 8, bytes(72)))
        content[24:29] = bytes((depth, colours, 0, 0, interlace))
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        yield f"png of depth {depth}, colours {colours}, interlace {interlace}", bytes(content)
    picture = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    for kind, places in (("JPEG", range(2, 160, 11)), ("TIFF", range(4, 200, 13))):
        sink = io.BytesIO()
        picture.save(sink, kind)
        for place in places:
            content = bytearray(sink.getvalue())
            content[place : place + 4] = b"\xff\xff\xff\x7f"
            yield f"{kind} bent at {place}", bytes(content)
    yield (
        "tiff that points to itself",
        b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", 0) + struct.pack("<I", 8),
    )
    text = f"tEXtName\0{PATIENT}".encode()
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    whole = png(8, 8, bytes(72))
    yield "png that names a patient", whole[:33] + chunk + whole[33:]


def _arrays() -> Hostile:
    for kind in ("|O", "<U9", "|S9", "<c16", "<M8[s]", "|V8", "<f2", "<f16", ">i8", "|b1", "<f4, <f4", "x"):
        yield f"npy of {kind}", npy(kind, (8, 8)) + bytes(2048)
    for shape in ((0, 8), (-1, 8), (1, 1), (10**9, 10**9), (8, 8, 8), (8,)):
        yield f"npy of {shape}", npy("<f4", shape) + bytes(2048)  # type: ignore[arg-type]


def _archives() -> Hostile:
    volume = _volume(header())
    for name in (
        f"{PATIENT}.nii",
        f"../{PATIENT}.nii",
        "/etc/passwd",
        "a\0b.nii",
        "x" * 60_000,
        "nul",
        "ü.nii",
    ):
        yield f"zip of {name[:20]!r}", archive({name: volume})
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        yield f"zip by method {method}", archive({"a.nii": volume}, method)
    for place, value in itertools.product((8, 10, 20, 24, 28, 42), (0, 0xFFFFFFFF)):
        content = bytearray(archive({f"{PATIENT}.nii": volume}))
        struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + place, value)
        yield f"zip directory [{place}] = {value}", bytes(content)
    yield "zip of 200 volumes", archive({f"{number}.nii": volume for number in range(200)})
    yield "zip bomb of a volume", archive({"a.nii": bytes(header((300, 300, 300))) + bytes(120_000_000)})
    yield "zip with a comment", archive({"a.nii": volume})[:-2] + b"\xff\xff" + PATIENT.encode() * 4000
    inner = volume
    for _ in range(8):
        inner = archive({"z.zip": inner})
    yield "zip eight times", inner


def _streams() -> Hostile:
    volume = _volume(header())
    yield "gzip of two members", gzip.compress(volume[:100]) + gzip.compress(volume[100:])
    yield "gzip and more", gzip.compress(volume) + b"junk" * 100
    yield "gzip cut short", gzip.compress(volume)[:-9]
    yield "gzip of another length", gzip.compress(volume)[:-4] + b"\1\2\3\4"
    yield (
        "gzip that names a patient",
        b"\x1f\x8b\x08\x08" + bytes(6) + PATIENT.encode() + b"\0" + gzip.compress(volume)[10:],
    )
    yield "gzip thrice", gzip.compress(gzip.compress(gzip.compress(volume)))


_BENT = {
    "Rows": (b"\x28\x00\x10\x00US", (0, 1, 65535)),
    "Columns": (b"\x28\x00\x11\x00US", (0, 1, 65535)),
    "BitsAllocated": (b"\x28\x00\x00\x01US", (0, 1, 7, 64)),
    "SamplesPerPixel": (b"\x28\x00\x02\x00US", (0, 3, 9)),
}


def _dicom() -> Hostile:
    good = dicom_slice(0, 16, PATIENT)
    for name, (tag, values) in _BENT.items():
        for value in values:
            content = bytearray(good)
            struct.pack_into("<H", content, content.index(tag) + 8, value)
            yield f"dicom {name} = {value}", bytes(content)
    for text in (b"nonsense", b"1\\2", b"-", b"9" * 16, PATIENT.encode()):
        content = good.replace(b"1\\0\\0\\0\\1\\0", text.ljust(11)[:11])
        yield f"dicom orientation {text!r}", content
        yield f"dicom series of orientation {text!r}", archive({"1": content, "2": good})
    for place in range(132, len(good) - 520, max(1, (len(good) - 660) // 25)):
        yield f"dicom cut at {place}", good[:place]
        yield f"dicom bent at {place}", good[:place] + b"\xff\xff" + good[place + 2 :]
    yield "dicom of one slice twice", archive({PATIENT: good, "2": good})
    yield "dicom series with a hole", archive({str(n): dicom_slice(n, 16, PATIENT) for n in (0, 1, 5, 90)})
    other = dicom_slice(3, 16, "Musterfrau^Max")
    yield "dicom of two patients", archive({"1": good, "2": other})


def _mixtures() -> Hostile:
    volume = _volume(header())
    yield "picture, then archive", png(8, 8, bytes(72)) + archive({"a.nii": volume})
    yield "volume, then archive", volume + archive({"a.nii": volume})
    yield "dicom that is a picture", png(8, 8, bytes(72)).ljust(128, b"\0")[:128] + b"DICM" + volume
    yield "page with a name", f"<script>{PATIENT}</script>".encode() * 50
    yield "nothing but zeros", bytes(1_000_000)
