"""Cases of a store as one sequence, of which only some are open at a time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import overload

from sanum.core.records import Prepared
from sanum.prepare.case_files import open_at_once


class StoredCases(Sequence[Prepared]):
    """Cases of a store in an order, for training on more of them than a process may have open at once.

    Those used last stay open, up to what the system allows.

    Args:
        load: opens a case by name.
        names: of the cases, in their order.
    """

    def __init__(self, load: Callable[[str], Prepared], names: Sequence[str]) -> None:
        self._load, self._names = load, tuple(names)
        self._open = functools.lru_cache(open_at_once(len(self._names)))(load)

    def __len__(self) -> int:
        return len(self._names)

    @overload
    def __getitem__(self, index: int) -> Prepared: ...
    @overload
    def __getitem__(self, index: slice) -> StoredCases: ...
    def __getitem__(self, index: int | slice) -> Prepared | StoredCases:
        if isinstance(index, slice):
            return StoredCases(self._load, self._names[index])
        return self._open(self._names[index])
