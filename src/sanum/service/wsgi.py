"""For an operator's own gunicorn: the application from a JSON file that `SANUM_SERVICE` names."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from apiflask import APIFlask

from sanum.core.config import from_dict
from sanum.core.errors import ConfigError
from sanum.service.launch import ServeConfig, load_app

SETTINGS = "SANUM_SERVICE"


def application() -> APIFlask:
    """The application.

    Raises:
        ConfigError: the variable is not set, or its file is no `ServeConfig` in JSON.
        ModelFileError: a model can't be read.
    """
    path = os.environ.get(SETTINGS)
    if path is None:
        raise ConfigError(f"{SETTINGS} is not set; it names a JSON file with the fields of ServeConfig")
    try:
        values = msgspec.json.decode(Path(path).read_bytes(), type=dict)
    except (OSError, msgspec.DecodeError) as error:
        raise ConfigError(f"{path}: can't be read as JSON ({error})") from error
    config = from_dict(ServeConfig, values, path)
    return load_app(config, config.open())
