"""The JSON header of a model file, read without its arrays and without torch."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sanum.core.errors import ModelFileError
from sanum.core.exported import open_model
from sanum.core.modalities import AnyOf

FORMAT = 1
"""Version of the layout; a reader refuses a newer one."""

KEY = "sanum"
"""Entry of the safetensors metadata that holds the JSON."""

_MAX_HEADER = 100_000_000


def read_header(path: Path) -> dict[str, Any]:
    """The JSON part of a model file, read without its arrays (and without torch).

    Raises:
        ModelFileError: missing, not a model file, or of a newer format.
    """
    try:
        with open_model(path) as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > _MAX_HEADER:
                raise ValueError("header too long")
            header = json.loads(json.loads(stream.read(length))["__metadata__"][KEY])
            version = int(header["format"])
    except OSError as error:
        raise ModelFileError(f"{path}: can't be read ({error.strerror})") from error
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{path}: not a sanum model file") from error
    if version > FORMAT:
        raise ModelFileError(
            f"{path}: format {version} is newer than this sanum reads ({FORMAT}); update sanum"
        )
    checked: dict[str, Any] = header
    return checked


def taken_modalities(header: Mapping[str, Any]) -> tuple[str, ...]:
    """The modalities that a case needs for a model with this header, or `AnyOf` them; see `Model.takes`."""
    names = tuple(header["modalities"])
    return AnyOf(names) if header.get("any_of") else names
