"""Files appear whole or not at all, whatever happens while they are written."""

import errno
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from sanum.core import files
from sanum.core.errors import StorageError
from sanum.core.files import atomic_folder, atomic_path, json_sha256, remove_partials, write_json


def test_a_failed_write_keeps_the_old_file_and_leaves_no_rest(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_a_storage_error_and_leaves_no_rest(tmp_path):
    target = tmp_path / "a.txt"
    with pytest.raises(StorageError, match="No space left"), atomic_path(target) as partial:
        partial.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_really_full_device_is_a_storage_error(tmp_path):
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    with pytest.raises(StorageError, match="No space left"), atomic_path(tmp_path / "a.bin"):
        full.write_bytes(b"x" * 100_000)


def test_a_folder_is_replaced_whole(tmp_path):
    target = tmp_path / "case"
    for text in ("first", "second"):
        with atomic_folder(target) as partial:
            (partial / f"{text}.txt").write_text(text)
    assert [path.name for path in target.iterdir()] == ["second.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_folder_keeps_the_old_one(tmp_path):
    target = tmp_path / "case"
    with atomic_folder(target) as partial:
        (partial / "old.txt").write_text("old")
    with pytest.raises(RuntimeError), atomic_folder(target) as partial:
        (partial / "new.txt").write_text("new")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["old.txt"]
    assert list(tmp_path.iterdir()) == [target]


def test_the_temporary_name_keeps_the_suffix_that_writers_go_by(tmp_path):
    with atomic_path(tmp_path / "map.nii.gz") as partial:
        assert partial.name.endswith(".nii.gz")


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"score": float("nan")})


def test_the_hash_of_json_ignores_the_order_of_keys():
    assert json_sha256({"a": 1, "b": 2}) == json_sha256({"b": 2, "a": 1})


def test_two_writers_of_one_folder_leave_one_whole_folder(tmp_path):
    """As when a case runs twice because its first worker was thought dead."""
    target = tmp_path / "case"

    def write(number):
        for _ in range(30):
            with atomic_folder(target) as partial:
                for name in "ab":
                    (partial / name).write_text(str(number))

    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(write, number) for number in range(3)]:
            done.result()
    assert (target / "a").read_text() == (target / "b").read_text()
    assert list(tmp_path.iterdir()) == [target]


def test_what_a_killed_process_left_goes_when_it_is_old_enough(tmp_path):
    for name in (".partial-old-case", ".partial-new-case", "case"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("half")
    for name in (".partial-old-case", "case"):
        os.utime(tmp_path / name, (0, 0))
    remove_partials(tmp_path, 60.0)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".partial-new-case", "case"]
    remove_partials(tmp_path / "never", 60.0)


def test_threads_that_write_at_once_leave_the_umask_as_it_was():
    """The service's own keeps others from reading what names a patient."""
    before, interval = os.umask(0o027), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            many = threads.map(lambda _: {files._umask() for _ in range(5_000)}, range(4))
            seen = set().union(*many)
        assert seen == {0o027}
        assert files._umask() == 0o027
    finally:
        sys.setswitchinterval(interval)
        os.umask(before)
