"""Parts of sanum that need more packages than the base installation has."""

from __future__ import annotations

EXTRAS = {
    "cluster": ("dask", "dask_jobqueue", "distributed"),
    "dicom": ("dicomweb_client", "highdicom", "pynetdicom", "requests"),
    "onnx": ("onnx", "onnxruntime", "onnxscript"),
    "serve": (
        "apiflask",
        "flask",
        "gunicorn",
        "prometheus_client",
        "psycopg",
        "pydantic",
        "sqlalchemy",
        "werkzeug",
    ),
}
"""Packages of each extra, as they are imported."""


def missing_extra(error: ModuleNotFoundError) -> str:
    """What to install for a package that was not found; "" for one that is of no extra."""
    package = (error.name or "").partition(".")[0]
    extra = next((name for name, packages in EXTRAS.items() if package in packages), None)
    return "" if extra is None else f"this needs the package {package}: pip install 'sanum[{extra}]'"
