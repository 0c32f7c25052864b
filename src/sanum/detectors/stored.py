"""A fitted detector as arrays and a description: in a model file, or inside the state of another detector."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sanum.core.config import from_dict, identity_of, to_dict
from sanum.core.errors import ConfigError, ModelFileError
from sanum.core.exported import EXPORTED, MODEL_SUFFIXES, open_model
from sanum.core.header import read_header
from sanum.core.records import Prepared
from sanum.core.shipped import find_model, shipped_models
from sanum.detectors import detector_class
from sanum.detectors.base import Detector, State
from sanum.detectors.recipes import resolve_recipe
from sanum.training.run import Run

STATE_PREFIX = "state/"
"""Arrays of a model file whose name begins so are the detector's state."""

MAP_LEVELS = "calibration/map_levels"
"""Array of a model file with healthy voxel values at `MAP_QUANTILES`."""

ABOUT = "about"
"""Array of a nested state: JSON of name, config, channels and hash, as UTF-8 bytes."""


@dataclass(frozen=True, eq=False)
class Stored:
    """A detector read from a model file.

    Attributes:
        detector: fitted.
        preparation: SHA-256 of the preparation it takes; None where the file does not say.
        map_levels: healthy voxel values at `MAP_QUANTILES`; None before calibration.
    """

    detector: Detector
    preparation: str | None
    map_levels: NDArray[np.float64] | None


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a model file.

    Raises:
        ModelFileError: the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load, load_file

    try:
        if path.suffix != EXPORTED:
            arrays: dict[str, NDArray[Any]] = load_file(path)
        else:
            with open_model(path) as stream:
                arrays = load(stream.read())
    except (SafetensorError, OSError, ValueError) as error:
        raise ModelFileError(f"{path}: damaged model file ({error}); copy or train it again") from error
    return arrays


def build(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], where: str) -> Detector:
    """Make the fitted detector that a description and its state tell.

    Args:
        described: "detector", "config", "channels" (or "modalities" in older files) and "state_sha256".
        arrays: its state.
        where: file, for messages.

    Raises:
        ModelFileError: they do not fit each other.
    """
    try:
        kind = detector_class(described["detector"])
        config = from_dict(kind.Config, described["config"], f"{where}: {described['detector']}")
        channels = described["channels"] if "channels" in described else described["modalities"]
        expected = described["state_sha256"]
    except (KeyError, TypeError, ConfigError) as error:
        raise ModelFileError(f"{where}: the model's settings are not understood ({error})") from error
    detector = kind(config, tuple(channels)).load_state(arrays)
    if detector.state_sha256() != expected:
        raise ModelFileError(f"{where}: the weights are not those the file was written with; don't use it")
    return detector


def describe(detector: Detector) -> dict[str, Any]:
    """What `build` needs beside the state."""
    return {
        "detector": detector.name,
        "config": to_dict(detector.config),
        "channels": list(detector.modalities),
        "state_sha256": detector.state_sha256(),
    }


def part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    """The arrays whose name begins with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def read_detector(path: Path) -> Stored:
    """The detector of a model file, and what its calibration says of healthy maps.

    Raises:
        ModelFileError: missing, damaged, or not a sanum model file.
    """
    header, arrays = read_header(path), read_arrays(path)
    detector = build(header, part(arrays, STATE_PREFIX), str(path))
    preparation = header.get("preparation_sha256") or header.get("calibration", {}).get("preparation")
    return Stored(detector, preparation, arrays.get(MAP_LEVELS))


def nested(detector: Detector, prefix: str) -> State:
    """A fitted detector as part of another's state."""
    described = {**describe(detector), "config": identity_of(detector.config)}
    about = json.dumps(described, sort_keys=True).encode()
    arrays = {prefix + name: array for name, array in detector.state().items()}
    return {prefix + ABOUT: np.frombuffer(about, np.uint8).copy(), **arrays}


def from_nested(arrays: Mapping[str, NDArray[Any]], prefix: str, where: str) -> Detector:
    """Inverse of `nested`.

    Raises:
        ModelFileError: it is not there, or damaged.
    """
    found = part(arrays, prefix)
    try:
        described = json.loads(bytes(found.pop(ABOUT)))
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"{where}: {prefix}{ABOUT} is missing or damaged") from error
    return build(described, found, where)


def names_model(source: str) -> bool:
    """Whether this means a model, and not a recipe."""
    return source.endswith(MODEL_SUFFIXES) or source in shipped_models()


def obtain(
    source: str, modalities: tuple[str, ...], cases: Sequence[Prepared], *, seed: int, run: Run | None
) -> Stored:
    """A detector to build on: read from a model file, or trained now by a recipe.

    Args:
        source: path of a .safetensors model file, name of a model that comes with sanum, or name (or .toml file)
            of a recipe.
        modalities: it must take these.
        cases: healthy ones; a recipe is trained on them, and a file must suit their preparation.
        seed: of the training by a recipe.
        run: device and progress of that training; it keeps no checkpoint.

    Raises:
        ConfigError: no such recipe, or a model of other modalities or another preparation.
        ModelFileError: the file can't be read.
    """
    if not names_model(source):
        plan = resolve_recipe(source, {})
        detector = detector_class(plan.detector)(plan.config, modalities)
        conduct = replace(run or Run(), checkpoint=None, resume=False)
        return Stored(detector.fit(cases, seed=seed, run=conduct), None, None)
    stored = read_detector(find_model(Path(source)))
    if stored.detector.modalities != modalities:
        raise ConfigError(
            f"{source}: takes {', '.join(stored.detector.modalities)}, needed {', '.join(modalities)}"
        )
    if stored.preparation not in (None, cases[0].preparation):
        raise ConfigError(
            f"{source}: made for another preparation than these cases have; train it on this store"
        )
    return stored
