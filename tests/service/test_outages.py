"""Database and disk fail under load and come back: nothing accepted is lost or doubled, and no process ends."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.conftest import Live, Postgres
from tests.service.fakes import nifti
from tests.service.load import Load

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1200)]

DISK_MB = 800
"""More than the 500 MB that the service wants to be free before it calls itself ready."""

FULL_SECONDS = 20.0
LOCKED_SECONDS = 60.0


@pytest.fixture
def load(model_path: Path, tmp_path: Path) -> Iterator[Callable[..., Load]]:
    """Starts a service with twenty cases in flight and more to come; named last, so that it ends before its disk."""
    scan = nifti(tmp_path, seed=11, lesion=True)
    services = []

    def begin(data: Path, *options: str) -> Load:
        services.append(Live(model_path, data, "--servers", "1", *options, log=tmp_path / "log"))
        made = Load(services[0], scan)
        made.begin()
        return made

    yield begin
    for service in services:
        code = service.stop()
        print((tmp_path / "log").read_text()[-20_000:])
        assert code == 0


def check(load: Load) -> None:
    """To be called when the fault has ended."""
    load.check_ready()
    load.end()
    load.check()


@pytest.mark.parametrize("seconds", [10, 180])
def test_postgresql_is_away_for_a_while(postgres: Postgres, load, tmp_path, seconds):
    sent = load(tmp_path / "data", "--database", postgres.url)
    postgres.stop()
    time.sleep(seconds / 2)
    assert sent.status("/readyz") == 503
    time.sleep(seconds / 2)
    postgres.start()
    check(sent)


def test_an_ext4_disk_is_full_with_its_sqlite_file(ext4: Path, load):
    sent = load(ext4 / "data")
    fill_for_a_while(sent, ext4 / "filler")
    check(sent)


def test_a_tmpfs_is_full_while_postgresql_answers(tmpfs: Path, postgres: Postgres, load):
    sent = load(tmpfs / "data", "--database", postgres.url)
    fill_for_a_while(sent, tmpfs / "filler")
    check(sent)


def test_the_sqlite_file_is_locked_for_a_minute(load, tmp_path):
    sent = load(tmp_path / "data")
    path = tmp_path / "data" / "service.sqlite"
    with contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        time.sleep(LOCKED_SECONDS)
        other.execute("ROLLBACK")
    check(sent)


@pytest.fixture
def ext4(tmp_path: Path) -> Iterator[Path]:
    image = tmp_path / "image"
    image.touch()
    os.truncate(image, DISK_MB << 20)
    made = subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], capture_output=True, check=False)
    if made.returncode != 0:
        pytest.skip("no mkfs.ext4 here")
    yield from mounted(tmp_path / "disk", "-o", "loop", str(image))
    image.unlink()


@pytest.fixture
def tmpfs(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "disk", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs")


def mounted(folder: Path, *options: str) -> Iterator[Path]:
    folder.mkdir()
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"file systems can't be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take the disk until not one more byte fits."""
    with path.open("ab", buffering=0) as stream:
        end = stream.tell()
        with contextlib.suppress(OSError):
            os.posix_fallocate(stream.fileno(), end, os.statvfs(path).f_bavail * os.statvfs(path).f_frsize)
        for size in (1 << 12, 1):
            with contextlib.suppress(OSError):
                while True:
                    stream.write(bytes(size))


def fill_for_a_while(load: Load, filler: Path) -> None:
    """What the service itself frees meanwhile is taken again."""
    end = time.monotonic() + FULL_SECONDS
    while time.monotonic() < end:
        fill(filler)
        assert load.status("/readyz") == 503
        time.sleep(0.5)
    filler.unlink()
