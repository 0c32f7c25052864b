"""The model file that an exported ONNX file carries, read without the packages for ONNX."""

from __future__ import annotations

import base64
import binascii
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from sanum.core.errors import ModelFileError

EXPORTED = ".onnx"
"""Suffix of an exported file."""

MODEL_SUFFIXES = (".safetensors", EXPORTED)
"""Suffixes of files that may be given as a model."""

INSIDE = "sanum_model"
"""Entry of the ONNX metadata: the whole model file, in base64 because metadata is text."""

_METADATA = 14
"""Number of `metadata_props` in ONNX's ModelProto; an entry has its key as 1, its value as 2."""

_BYTES, _NUMBER = 2, 0


def open_model(path: Path) -> BinaryIO:
    """The bytes of a model file, or of the one that an exported file carries.

    Raises:
        OSError: the file can't be read.
        ModelFileError: an ONNX file that carries none.
    """
    if path.suffix != EXPORTED:
        return path.open("rb")
    with path.open("rb") as stream:
        try:
            for field, value in _fields(stream, os.fstat(stream.fileno()).st_size, only=_METADATA):
                entry = dict(_fields(io.BytesIO(value), len(value)))
                if field == _METADATA and entry[1] == INSIDE.encode():
                    return io.BytesIO(base64.b64decode(entry[2], validate=True))
        except (KeyError, ValueError, binascii.Error) as error:
            raise ModelFileError(f"{path}: damaged ONNX file; export it again") from error
    raise ModelFileError(
        f"{path}: carries no sanum model; give the .safetensors file, or make this one again by `sanum export`"
    )


def carried(model: bytes) -> str:
    """A model file as the value of the metadata entry `INSIDE`."""
    return base64.b64encode(model).decode()


def _fields(stream: BinaryIO, end: int, only: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Number and content of a protocol-buffer message's fields of bytes; others are passed over.

    Raises:
        ValueError: no such message.
    """
    while stream.tell() < end:
        tag = _number(stream)
        field, kind = tag >> 3, tag & 7
        if kind == _NUMBER:
            _number(stream)
            continue
        length = _number(stream) if kind == _BYTES else -1
        if length < 0 or stream.tell() + length > end:
            raise ValueError("not a message")
        if only in (None, field):
            yield field, stream.read(length)
        else:
            stream.seek(length, os.SEEK_CUR)


def _number(stream: BinaryIO) -> int:
    """A number of seven bits a byte, lowest first; the eighth says that more follow."""
    value = 0
    for shift in range(0, 70, 7):
        byte = stream.read(1)
        if not byte:
            break
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("not a number")
