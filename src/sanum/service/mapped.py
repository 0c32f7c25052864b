"""Files that are mapped into memory. Writing to a hole of such a file on a full disk kills the process (SIGBUS), so
they get all of their blocks before they are mapped."""

from __future__ import annotations

import os


def allocate(descriptor: int, size: int) -> None:
    """Give a file this size with no hole in it; what it holds stays.

    Args:
        descriptor: of a file open for reading and writing, which nobody else changes meanwhile.
        size: bytes.

    Raises:
        OSError: the disk has no room for it.
    """
    content = os.pread(descriptor, size, 0).ljust(size, b"\0")
    written = 0
    while written < size:
        written += os.pwrite(descriptor, content[written:], written)
    os.fsync(descriptor)
