"""Every detector there is, listed by hand. Importing this costs nothing: no torch until one is asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError

if TYPE_CHECKING:
    from sanum.detectors.base import Detector


@dataclass(frozen=True)
class Entry:
    """One detector of the list.

    Attributes:
        name: how recipes and model files call it.
        module: where it lives.
        class_name: its class there.
        summary: one sentence for the command line and the docs.
        trains: fit goes through epochs (and so can checkpoint and resume).
    """

    name: str
    module: str
    class_name: str
    summary: str
    trains: bool


DETECTORS = (
    Entry(
        "cae",
        "sanum.detectors.cae",
        "ConvolutionalAutoencoder",
        "squared reconstruction error of a convolutional autoencoder, slice by slice",
        trains=True,
    ),
    Entry(
        "intensity",
        "sanum.detectors.intensity",
        "Intensity",
        "smoothed brightness or darkness relative to the brain; the baseline of every table",
        trains=False,
    ),
    Entry(
        "atlas",
        "sanum.detectors.atlas",
        "Atlas",
        "departure from the healthy mean at the same place, in healthy standard deviations",
        trains=False,
    ),
    Entry(
        "restore",
        "sanum.detectors.restore",
        "Restore",
        "lesion probability of a U-Net taught on synthetic lesions planted in healthy scans",
        trains=True,
    ),
)
"""The explicit list; a new detector is one file and one entry here."""


def detector_class(name: str) -> type[Detector]:
    """Import and return the class of a detector.

    Raises:
        ConfigError: no detector of that name.
    """
    entry = next((entry for entry in DETECTORS if entry.name == name), None)
    if entry is None:
        raise ConfigError(f"unknown detector {name!r}; {did_you_mean(name, (e.name for e in DETECTORS))}")
    found: type[Detector] = getattr(importlib.import_module(entry.module), entry.class_name)
    return found
