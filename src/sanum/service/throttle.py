"""A request rate that each token may keep up: one leaky bucket a token, shared by all server processes of a host."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sanum.core.errors import StorageError
from sanum.service.mapped import allocate

_BUCKET = struct.Struct("<Qdd")
"""Hash of the name (0: never used), requests left, and when that was true, in seconds."""

_PLACES = 8
"""Where a name's bucket may lie. When all are taken the one that was used longest ago is forgotten, and so full."""

SLOTS = 16_384


class Throttle:
    """Allows `per_minute` requests a minute to each name, and as many at once after a rest.

    Args:
        path: file of the buckets (0.4 MB), made when missing; processes that name the same file count together.
        per_minute: requests that each name may keep up.
        clock: seconds, the same for all processes of the host.

    Raises:
        StorageError: the file can't be used.
    """

    def __init__(self, path: Path, per_minute: float, clock: Callable[[], float] = time.time) -> None:
        self._capacity = float(per_minute)
        self._per_second = per_minute / 60.0
        self._clock = clock
        self._threads = threading.Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with self._alone():
                allocate(self._file, SLOTS * _BUCKET.size)
            self._buckets = mmap.mmap(self._file, SLOTS * _BUCKET.size)
        except OSError as error:
            raise StorageError(f"{path}: can't be used ({error.strerror}); check the data folder") from error

    def wait_seconds(self, name: str) -> float:
        """Count one request; 0 lets it pass, more says after how many seconds it would."""
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little") or 1
        with self._alone():
            now = self._clock()
            place, left, then = self._find(key)
            left = min(self._capacity, left + max(0.0, now - then) * self._per_second)
            passes = left >= 1.0
            _BUCKET.pack_into(self._buckets, place, key, left - 1.0 if passes else left, now)
        return 0.0 if passes else (1.0 - left) / self._per_second

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other thread and no other process; the file's lock ends with a process that is killed."""
        with self._threads:
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _find(self, key: int) -> tuple[int, float, float]:
        """Where a name's bucket lies in the file, and what it holds; a new one is full."""
        places = [(key + step) % SLOTS * _BUCKET.size for step in range(_PLACES)]
        kept = [_BUCKET.unpack_from(self._buckets, place) for place in places]
        for place, (owner, left, then) in zip(places, kept, strict=True):
            if owner == key:
                return place, left, then
        oldest = min(range(_PLACES), key=lambda step: kept[step][2])
        return places[oldest], self._capacity, self._clock()
