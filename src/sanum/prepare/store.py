"""Prepared cases on disk: memory-mapped arrays beside a manifest that opens at once however many there are."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from sanum.core.errors import CohortError, ConfigError
from sanum.core.files import atomic_folder, move_folder, remove_partials, write_json
from sanum.core.records import Prepared
from sanum.prepare.case_files import facts_of, open_case, save_arrays
from sanum.prepare.manifest import COLUMNS, ManifestRow, read_manifest, write_manifest
from sanum.prepare.presets import (
    Preparation,
    preparation_from_dict,
    preparation_sha256,
    preparation_to_dict,
)
from sanum.prepare.stored_cases import StoredCases

__all__ = ["COLUMNS", "ManifestRow", "Store"]


DAY = 86_400.0


class _Record(msgspec.Struct):
    """What `case.json` says of a case; without `prepared`, which is read with the case only."""

    status: Literal["ready", "failed"]
    reason: str
    slices: int
    seconds: float
    row: dict[str, str]


class _FullRecord(_Record):
    prepared: dict[str, Any] = {}


AnyRecord = TypeVar("AnyRecord", bound=_Record)


@dataclass(frozen=True)
class Store:
    """A folder of prepared cases, all made by one preparation.

    `preparation.json` holds the config and its hash; `cases/<case>/` holds `slices.npy` (K, C, I, J) float32,
    so that a slice is contiguous, `mask.npy` (K, I, J), `lesion.npy` where one was given, and `case.json`;
    `manifest.tsv` has one row a case and is made anew from the `case.json` files by `write_manifest`; `steps/` keeps
    brain masks and registrations for later runs; `set-aside/` keeps cases that fell out of the table.

    Attributes:
        folder: where it lies.
        preparation: what every case in it was made by.

    >>> store = sanum.Store.open(prepared)
    >>> store.load("c00").voxels.ndim, store.preparation.modalities
    (4, ('T1w',))
    """

    folder: Path
    preparation: Preparation

    @staticmethod
    def create(folder: Path, preparation: Preparation) -> Store:
        """Make a store, or go on with one that was made by the same preparation.

        Raises:
            CohortError: the folder holds a store of another preparation; names the fields that differ.
            StorageError: the folder can't be written.
        """
        if (folder / "preparation.json").exists():
            store = Store.open(folder)
            _refuse_other(folder, store.preparation, preparation)
            return store
        described = {
            "preparation": preparation_to_dict(preparation),
            "sha256": preparation_sha256(preparation),
        }
        write_json(folder / "preparation.json", described)
        return Store(folder, preparation)

    @staticmethod
    def open(folder: Path) -> Store:
        """Open an existing store.

        Raises:
            CohortError: there is none, or its `preparation.json` is damaged.
        """
        path = folder / "preparation.json"
        if not path.is_file():
            raise CohortError(
                f"{folder}: no prepared store here (no preparation.json); run `sanum prepare` first"
            )
        try:
            described = json.loads(path.read_text(encoding="utf-8"))
            preparation = preparation_from_dict(described["preparation"], str(path))
            expected = described["sha256"]
        except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
            raise CohortError(f"{path}: damaged ({error}); prepare the cohort again") from error
        if preparation_sha256(preparation) != expected:
            raise CohortError(
                f"{path}: settings and hash disagree; it was edited by hand, or an other version of sanum has other "
                "settings; prepare the cohort again"
            )
        return Store(folder, preparation)

    def write(self, prepared: Prepared, row_fields: Mapping[str, str]) -> None:
        """Keep a case, in place of what was there under its name, all or nothing.

        Args:
            prepared: the case.
            row_fields: cohort columns by name; "key" for `keeps`, and "seconds".

        Raises:
            CohortError: prepared otherwise, or the name can't be a folder name.
            StorageError: the folder can't be written.
        """
        if prepared.preparation != preparation_sha256(self.preparation):
            raise CohortError(f"{prepared.case}: was not prepared by the preparation of {self.folder}")
        slices = int(prepared.mask.any(axis=(0, 1)).sum())
        row = {**row_fields, "case": prepared.case, "subject": prepared.subject}
        described = {
            **_described(prepared.case, row, "ready", "", slices),
            "prepared": facts_of(prepared),
        }
        with atomic_folder(self._folder_of(prepared.case)) as partial:
            save_arrays(partial, prepared)
            write_json(partial / "case.json", described)

    def write_failure(self, case: str, row_fields: Mapping[str, str], reason: str) -> None:
        """Keep that a case could not be prepared, and why; `keeps` stays False, so the next run tries again.

        Raises:
            CohortError: the name can't be a folder name.
            StorageError: the folder can't be written.
        """
        with atomic_folder(self._folder_of(case)) as partial:
            write_json(partial / "case.json", _described(case, row_fields, "failed", reason, 0))

    def keeps(self, case: str, key: str, row_fields: Mapping[str, str]) -> bool:
        """Whether the case is ready and was made under the same key; its cohort columns are brought up to date.

        Args:
            case: its name.
            key: identity of everything that went into its arrays; the "key" given to `write`.
            row_fields: cohort columns by name, as for `write`.

        Raises:
            StorageError: the folder can't be written.
        """
        try:
            found = self._read(case, _Record)
        except CohortError:
            return False
        if found.status != "ready" or found.row.get("key") != key:
            return False
        if any(found.row.get(name) != value for name, value in row_fields.items()):
            self._relabel(case, {**found.row, **row_fields})
        return True

    def load(self, case: str) -> Prepared:
        """One ready case; arrays are memory-mapped and read-only, so nothing is read before it is used.

        Raises:
            CohortError: the case is not there, failed, or its files are damaged; names the case.
        """
        found = self._read(case, _FullRecord)
        if found.status != "ready":
            raise CohortError(f"{case}: was not prepared: {found.reason}")
        try:
            return open_case(self._folder_of(case), case, found.prepared)
        except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
            raise self._damaged(case, error) from error

    def cases(self, names: Sequence[str]) -> StoredCases:
        """Ready cases by name, each opened when it is asked for."""
        return StoredCases(self.load, names)

    @property
    def steps(self) -> Path:
        """Folder of the results of slow steps, see `kept_steps`; it may be deleted."""
        return self.folder / "steps"

    def follow(self, names: Collection[str]) -> list[str]:
        """Set aside every case that is not named, and take back those that were set aside and are named again.

        A case set aside is in no manifest and can't be loaded, but is not lost: `set-aside/` may be deleted.

        Args:
            names: the cases of the table.

        Returns:
            The cases that were set aside now, by name.

        Raises:
            StorageError: the folder can't be changed.
        """
        aside, wanted = self.folder / "set-aside", set(names)
        back = {path.name for path in aside.glob("*")} & wanted if aside.is_dir() else set()
        for case in sorted(back - set(self._cases())):
            move_folder(aside / case, self._folder_of(case))
        leaving = sorted(set(self._cases()) - wanted)
        for case in leaving:
            move_folder(self._folder_of(case), aside / case)
        return leaving

    def remove_partials(self) -> None:
        """Remove what processes that were killed more than a day ago left half-written; no case is touched."""
        remove_partials(self.folder / "cases", DAY)

    def write_manifest(self) -> None:
        """Make `manifest.tsv` anew from every case's `case.json`, ordered by case name.

        Raises:
            CohortError: a case's file is damaged; names the case.
            StorageError: the folder can't be written.
        """
        write_manifest(self.folder / "manifest.tsv", (self._cells(case) for case in sorted(self._cases())))

    def manifest(self) -> list[ManifestRow]:
        """The rows of `manifest.tsv`, without a look at the cases.

        Raises:
            CohortError: the manifest is missing or damaged.
        """
        return read_manifest(self.folder / "manifest.tsv")

    def _cells(self, case: str) -> list[object]:
        found = self._read(case, _Record)
        values = {**found.row, **msgspec.structs.asdict(found), "case": case}
        return [values.get(name, "") for name in COLUMNS]

    def _relabel(self, case: str, row: dict[str, str]) -> None:
        path = self._folder_of(case) / "case.json"
        described = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        described["row"] = row
        described["prepared"]["subject"] = row["subject"]
        write_json(path, described)

    def _cases(self) -> Iterator[str]:
        folder = self.folder / "cases"
        if folder.is_dir():
            yield from (entry.name for entry in folder.iterdir() if not entry.name.startswith("."))

    def _folder_of(self, case: str) -> Path:
        if not case or case.startswith(".") or any(sign in case for sign in "/\\\0\t\n\r"):
            raise CohortError(f"case {case!r}: can't name a folder; use letters, digits, '-', '_' and '.'")
        return self.folder / "cases" / case

    def _read(self, case: str, kind: type[AnyRecord]) -> AnyRecord:
        path = self._folder_of(case) / "case.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError as error:
            raise CohortError(f"{case}: not in {self.folder}; prepare the cohort again") from error
        except (OSError, ValueError) as error:
            raise self._damaged(case, error) from error

    def _damaged(self, case: str, error: Exception) -> CohortError:
        where = self._folder_of(case)
        return CohortError(
            f"{case}: {where} is damaged ({error}); delete this folder and prepare the cohort again"
        )


def _described(case: str, row: Mapping[str, str], status: str, reason: str, slices: int) -> dict[str, Any]:
    seconds = float(row.get("seconds") or 0.0)
    return {
        "case": case,
        "status": status,
        "reason": reason,
        "slices": slices,
        "seconds": seconds,
        "row": dict(row),
    }


def _refuse_other(folder: Path, there: Preparation, wanted: Preparation) -> None:
    old, new = preparation_to_dict(there), preparation_to_dict(wanted)
    differing = [
        f"{name} {old.get(name)} there, {new.get(name)} wanted"
        for name in dict.fromkeys([*old, *new])
        if old.get(name) != new.get(name)
    ]
    if differing:
        raise CohortError(
            f"{folder}: holds cases of another preparation ({'; '.join(differing)}); choose another folder"
        )
