"""Results of slow steps on disk, named by all that went into them, so that a later run need not do them again."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from sanum.core.files import atomic_path
from sanum.core.records import Step


@dataclass(frozen=True, eq=False)
class KeptStep:
    """What a step gave: one array, and the facts that it logged."""

    array: NDArray[Any]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class KeptSteps:
    """Folders of results, a file each.

    A changed setting leads to another name, so nothing is ever out of date; a folder may be deleted at any time.

    Attributes:
        folder: where new ones go.
        others: further folders to look in, of other stores.
        version: of sanum; another one's results are not taken, for its steps may do otherwise.
    """

    folder: Path
    others: tuple[Path, ...]
    version: str

    def find(self, key: str) -> KeptStep | None:
        """The result of that name, or None where there is none that can be read.

        One of another store is copied, so that this store can be reused in its turn and the other one deleted.

        Raises:
            StorageError: the folder can't be written.
        """
        for folder in (self.folder, *self.others):
            found = _read(_path(folder, key))
            if found is not None:
                if folder != self.folder:
                    self.keep(key, found)
                return found
        return None

    def keep(self, key: str, found: KeptStep) -> None:
        """Write a result.

        Raises:
            StorageError: the folder can't be written.
        """
        steps = np.frombuffer(msgspec.json.encode(found.steps), np.uint8)
        array = found.array
        packed = np.packbits(array) if array.dtype == np.bool_ else array
        with atomic_path(_path(self.folder, key)) as partial:
            np.savez_compressed(partial, steps=steps, shape=np.array(array.shape), array=packed)


def _path(folder: Path, key: str) -> Path:
    return folder / key[:2] / f"{key}.npz"


def _read(path: Path) -> KeptStep | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return _unpacked(arrays)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _unpacked(arrays: Any) -> KeptStep:
    shape, array = tuple(arrays["shape"].tolist()), arrays["array"]
    if array.dtype == np.uint8:
        array = np.unpackbits(array, count=int(np.prod(shape))).astype(np.bool_)
    return KeptStep(
        array.reshape(shape), msgspec.json.decode(arrays["steps"].tobytes(), type=tuple[Step, ...])
    )
