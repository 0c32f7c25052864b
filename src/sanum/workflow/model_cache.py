"""The model that a worker process judges many cases by, loaded once."""

from __future__ import annotations

import functools
from pathlib import Path

from sanum.core.errors import ModelFileError
from sanum.model import Model, load


@functools.lru_cache(maxsize=1)
def cached_model(path: Path, sha256: str) -> Model:
    """The model of a file, once for all cases of this process.

    Args:
        path: model file.
        sha256: of the model that is meant: a worker that lives longer than one command must not judge by the last.

    Raises:
        ModelFileError: it can't be loaded, or is another model by now.
    """
    model = load(path)
    if model.sha256 != sha256:
        raise ModelFileError(f"{path}: was replaced by another model while cases were judged; run again")
    return model
