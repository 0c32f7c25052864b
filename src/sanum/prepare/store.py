"""Prepared cases on disk: memory-mapped arrays beside a manifest that opens at once however many there are."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from sanum.core.errors import CohortError, ConfigError
from sanum.core.files import atomic_folder, write_json, write_text
from sanum.core.records import Label, Prepared, Split
from sanum.prepare.case_files import facts_of, open_case, save_arrays
from sanum.prepare.presets import (
    Preparation,
    preparation_from_dict,
    preparation_sha256,
    preparation_to_dict,
)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One case of a store: its cohort fields, and how preparation went.

    Attributes:
        status: "ready" or "failed".
        reason: why it failed, else empty.
        slices: slices with any mask; 0 when failed.
        seconds: what preparation took.
    """

    case: str
    subject: str
    label: Label
    split: Split | None
    site: str
    age: str
    sex: str
    status: str
    reason: str
    slices: int
    seconds: float


COLUMNS = tuple(column.name for column in dataclasses.fields(ManifestRow))


@dataclass(frozen=True)
class Store:
    """A folder of prepared cases, all made by one preparation.

    `preparation.json` holds the config and its hash; `cases/<case>/` holds `slices.npy` (K, C, I, J) float32,
    so that a slice is contiguous, `mask.npy` (K, I, J), `lesion.npy` where one was given, and `case.json`;
    `manifest.tsv` has one row a case and is made anew from the `case.json` files by `write_manifest`.

    Attributes:
        folder: where it lies.
        preparation: what every case in it was made by.
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
            row_fields: cohort columns by name; "key" for `is_done`, and "seconds".

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
        """Keep that a case could not be prepared, and why; `is_done` stays False, so the next run tries again.

        Raises:
            CohortError: the name can't be a folder name.
            StorageError: the folder can't be written.
        """
        with atomic_folder(self._folder_of(case)) as partial:
            write_json(partial / "case.json", _described(case, row_fields, "failed", reason, 0))

    def is_done(self, case: str, key: str) -> bool:
        """Whether the case is ready and was made under the same key.

        Args:
            case: its name.
            key: identity of everything that went in; the "key" given to `write`.
        """
        try:
            described = self._read(case)
        except CohortError:
            return False
        return bool(described["status"] == "ready" and described["row"].get("key") == key)

    def load(self, case: str) -> Prepared:
        """One ready case; arrays are memory-mapped and read-only, so nothing is read before it is used.

        Raises:
            CohortError: the case is not there, failed, or its files are damaged; names the case.
        """
        described = self._read(case)
        if described["status"] != "ready":
            raise CohortError(f"{case}: was not prepared: {described['reason']}")
        try:
            return open_case(self._folder_of(case), case, described["prepared"])
        except (KeyError, TypeError, ValueError, OSError, EOFError) as error:
            raise self._damaged(case, error) from error

    def write_manifest(self) -> None:
        """Make `manifest.tsv` anew from every case's `case.json`, ordered by case name.

        Raises:
            CohortError: a case's file is damaged; names the case.
            StorageError: the folder can't be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, delimiter="\t", lineterminator="\n")
        writer.writerow(COLUMNS)
        for case in sorted(self._cases()):
            described = self._read(case)
            values = {**described["row"], **described}
            writer.writerow([" ".join(str(values.get(name, "")).split()) for name in COLUMNS])
        write_text(self.folder / "manifest.tsv", text.getvalue())

    def manifest(self) -> list[ManifestRow]:
        """The rows of `manifest.tsv`, without a look at the cases.

        Raises:
            CohortError: the manifest is missing or damaged.
        """
        path = self.folder / "manifest.tsv"
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                lines = csv.reader(stream, delimiter="\t")
                if tuple(next(lines, ())) != COLUMNS:
                    raise ValueError(f"expected the columns {', '.join(COLUMNS)}")
                return [_manifest_row(line) for line in lines]
        except (OSError, ValueError, TypeError, IndexError) as error:
            raise CohortError(f"{path}: missing or damaged ({error}); run `sanum prepare` again") from error

    def _cases(self) -> Iterator[str]:
        folder = self.folder / "cases"
        if folder.is_dir():
            yield from (entry.name for entry in folder.iterdir() if not entry.name.startswith("."))

    def _folder_of(self, case: str) -> Path:
        if not case or case.startswith(".") or any(sign in case for sign in "/\\\0\t\n\r"):
            raise CohortError(f"case {case!r}: can't name a folder; use letters, digits, '-', '_' and '.'")
        return self.folder / "cases" / case

    def _read(self, case: str) -> dict[str, Any]:
        path = self._folder_of(case) / "case.json"
        if not path.is_file():
            raise CohortError(f"{case}: not in {self.folder}; prepare the cohort again")
        try:
            described = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
            if not isinstance(described["row"], dict) or described["status"] not in ("ready", "failed"):
                raise ValueError("unknown status")
        except (OSError, ValueError, KeyError) as error:
            raise self._damaged(case, error) from error
        return described

    def _damaged(self, case: str, error: Exception) -> CohortError:
        where = self._folder_of(case)
        return CohortError(
            f"{case}: {where} is damaged ({error}); delete this folder and prepare the cohort again"
        )


def _manifest_row(line: list[str]) -> ManifestRow:
    case, subject, label, split, site, age, sex, status, reason, slices, seconds = line
    return ManifestRow(
        case,
        subject,
        cast(Label, label),
        cast(Split, split) if split else None,
        site,
        age,
        sex,
        status,
        reason,
        int(slices),
        float(seconds),
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
