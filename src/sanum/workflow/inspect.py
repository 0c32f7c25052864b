"""Look into a file without loading weights or voxels, and without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sanum.core.errors import SanumError
from sanum.core.exported import MODEL_SUFFIXES


def inspect(path: Path, series: str | None = None) -> dict[str, Any]:
    """Facts of a model file, a prepared store, or a scan's header, as plain JSON.

    Args:
        path: file, store, or folder of a DICOM study, whose series are listed.
        series: number or UID ending of a DICOM series.

    Raises:
        SanumError: nothing of these.
    """
    from sanum.core.files import holds_dicom, is_dicom
    from sanum.formats import inspect_scan, is_scan, split_part, with_part

    file = split_part(path)[0]
    is_store = (path / "preparation.json").is_file()
    if file.is_dir() and not is_store and holds_dicom(file):
        return {"study": str(path), **inspect_scan(with_part(path, series))}
    if file.is_file() and (is_dicom(file) or is_scan(file)):
        return {"scan": str(path), **inspect_scan(with_part(path, series))}
    if path.is_dir():
        from sanum.prepare.presets import preparation_to_dict
        from sanum.prepare.store import Store

        store = Store.open(path)
        manifest = store.manifest()
        return {
            "store": str(path),
            "preparation": preparation_to_dict(store.preparation),
            "cases": len(manifest),
            "ready": sum(row.status == "ready" for row in manifest),
        }
    if not path.exists():
        raise SanumError(f"{path}: no such file")
    if path.suffix in MODEL_SUFFIXES:
        from sanum.core.header import read_header

        return {"model": str(path), **read_header(path)}
    raise SanumError(f"{path}: not a model file, a prepared store or a scan")
