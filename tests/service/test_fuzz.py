"""Random damage to good files: any answer but a server error, and nothing left behind."""

from __future__ import annotations

import gzip
import io
import os
import random
import time

import numpy as np
import pytest
from PIL import Image

from tests.service.fakes import FakeModel, form, make, nifti
from tests.service.test_intake import archive


def seeds(tmp_path) -> list[bytes]:
    volume = nifti(tmp_path, shape=(8, 8, 8))
    image = Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16))
    found = [volume, gzip.decompress(volume), archive({"a": volume})]
    for kind in ("PNG", "JPEG", "TIFF"):
        sink = io.BytesIO()
        image.save(sink, kind)
        found.append(sink.getvalue())
    sink = io.BytesIO()
    np.save(sink, np.arange(64.0).reshape(8, 8))
    mgh = np.array([1, 8, 8, 8, 1, 3, 0], ">i4").tobytes().ljust(284, b"\0") + bytes(4 * 512)
    dicom = bytes(128) + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00\x00\x00\x00\x00" + bytes(300)
    return [*found, sink.getvalue(), mgh, archive({"1": dicom, "2": dicom})]


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Flipped bytes, a piece cut out, a piece doubled, or the end missing."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        place, length = rng.randrange(max(1, min(len(changed), 600))), rng.randint(1, 16)
        kind = rng.randrange(4)
        if kind == 0:
            changed[place : place + length] = rng.randbytes(len(changed[place : place + length]))
        elif kind == 1:
            del changed[place : place + length]
        elif kind == 2:
            changed[place:place] = changed[place : place + length]
        else:
            del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)


def fuzz(tmp_path, seconds: float, seed: int) -> int:
    rng = random.Random(seed)
    model = FakeModel()
    service = make(tmp_path, model, requests_per_minute=1e9, queue=10**9, voxels=1_000_000)
    client, good, count = service.client(), seeds(tmp_path), 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or count < 50:
        content = damaged(rng.choice(good), rng)
        answer = client.post("/v1/cases", data=form(content))
        assert answer.status_code in (202, 400, 413, 415, 422), (
            answer.status_code,
            answer.text,
            content[:600].hex(),
        )
        if answer.status_code == 202:
            assert client.delete(answer.headers["Location"]).status_code == 204
        count += 1
    assert [path for folder in ("incoming", "cases") for path in (tmp_path / folder).iterdir()] == []
    return count


def test_damaged_files_for_a_moment(tmp_path):
    fuzz(tmp_path, seconds=3.0, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_damaged_files_for_two_minutes(tmp_path):
    seed = int(os.environ.get("SANUM_FUZZ_SEED", "1"))
    count = fuzz(tmp_path, seconds=120.0, seed=seed)
    print(f"{count} damaged uploads, seed {seed}")
