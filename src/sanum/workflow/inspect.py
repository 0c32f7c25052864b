"""Look into a file without loading weights or voxels, and without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sanum.core.errors import SanumError


def inspect(path: Path) -> dict[str, Any]:
    """Facts of a model file, a prepared store, or a scan's header, as plain JSON.

    Raises:
        SanumError: nothing of these.
    """
    from sanum.formats import inspect_scan, is_scan

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
    if path.suffix == ".safetensors":
        from sanum.core.header import read_header

        return {"model": str(path), **read_header(path)}
    if is_scan(path):
        return {"scan": str(path), **inspect_scan(path)}
    raise SanumError(f"{path}: not a model file, a prepared store or a scan")
