"""What BIDS sidecars say of a scan: the scanner that made it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sanum.core.errors import CohortError
from sanum.core.names import scan_stem


def scanner_of(scan: Path, root: Path) -> str | None:
    """Maker, model and field strength of the scanner, such as "Siemens Prisma 3T"; None where nothing is said.

    Args:
        scan: NIfTI file of a BIDS data set.
        root: folder of the data set.

    Raises:
        CohortError: a sidecar is not a JSON object.
    """
    said = read_sidecars(scan, root)
    parts = [str(said[key]) for key in ("Manufacturer", "ManufacturersModelName") if said.get(key)]
    strength = said.get("MagneticFieldStrength")
    if isinstance(strength, int | float):
        parts.append(f"{strength:g}T")
    return " ".join(parts) or None


def read_sidecars(scan: Path, root: Path) -> dict[str, Any]:
    """Entries of every JSON file that applies to a scan, the nearer one winning (BIDS inheritance principle).

    A file applies when it lies in the scan's folder or above, has the scan's suffix, and names no entity that the
    scan's own name lacks.

    Raises:
        CohortError: a sidecar is not a JSON object.
    """
    *entities, suffix = scan_stem(scan).split("_")
    above = [folder for folder in (scan.parent, *scan.parent.parents) if folder.is_relative_to(root)]
    said: dict[str, Any] = {}
    for folder in reversed(above):
        fitting = [path for path in folder.glob(f"*{suffix}.json") if _applies(path, entities, suffix)]
        for path in sorted(fitting, key=lambda path: (len(path.name), path.name)):
            said |= _object(path)
    return said


def _applies(path: Path, entities: list[str], suffix: str) -> bool:
    *named, last = path.stem.split("_")
    return last == suffix and set(named) <= set(entities)


def _object(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CohortError(f"{path}: not a readable JSON sidecar ({error}); correct or remove it") from error
    if not isinstance(values, dict):
        raise CohortError(f"{path}: expected a JSON object with the scan's parameters; correct or remove it")
    return values
