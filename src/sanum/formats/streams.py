"""Files that may be gzip inside, read without trust in what they declare."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ScanError

_GZIP_MAGIC = b"\x1f\x8b"


@contextlib.contextmanager
def opened(path: Path) -> Iterator[io.BufferedIOBase]:
    """Open by content, not by suffix: a .nii that is gzip inside and the reverse are both seen.

    Raises:
        ScanError: damaged, cut short, or not to be read; also for what happens inside the block.
    """
    from isal import igzip
    from isal.igzip_lib import IsalError

    damage = cast("type[Exception]", IsalError)  # its stub declares a value where a class is
    try:
        with path.open("rb") as plain:
            zipped = plain.read(2) == _GZIP_MAGIC
            plain.seek(0)
            with igzip.open(plain, "rb") if zipped else plain as stream:
                yield stream
    except (damage, EOFError, igzip.BadGzipFile) as error:
        raise ScanError(f"{path}: damaged or cut short ({error}); copy or download it again") from error
    except OSError as error:
        raise ScanError(f"{path}: can't be read ({error.strerror or error})") from error


def read_exactly(
    path: Path, stream: io.BufferedIOBase, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Read as many bytes as the shape needs and no more; the first axis runs fastest in the file.

    Raises:
        ScanError: fewer bytes are there.
    """
    content = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    view, filled = content.data, 0
    while filled < len(view):
        count = stream.readinto(view[filled:])
        if count == 0:
            raise ScanError(
                f"{path}: cut short, {filled:,} of {len(view):,} bytes of voxels are there; "
                "copy or download it again"
            )
        filled += count
    return content.view(dtype).reshape(shape, order="F")
