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
        cost: what training takes on a CPU, in order of magnitude.
        memory: what a model holds, which is what its file and its scoring take beside one batch.
        needs: what must be at hand before.
    """

    name: str
    module: str
    class_name: str
    summary: str
    cost: str
    memory: str
    needs: str


def _entry(name: str, class_name: str, summary: str, *, cost: str, memory: str, needs: str) -> Entry:
    return Entry(name, f"sanum.detectors.{name}", class_name, summary, cost, memory, needs)


DETECTORS = (
    _entry(
        "cae",
        "ConvolutionalAutoencoder",
        "squared reconstruction error of a convolutional autoencoder, slice by slice",
        cost="minutes",
        memory="a small network",
        needs="healthy scans",
    ),
    _entry(
        "vae",
        "Variational",
        "reconstruction error, KL-gradient or restoration of a variational autoencoder",
        cost="minutes",
        memory="a small network",
        needs="healthy scans",
    ),
    _entry(
        "dae",
        "Denoiser",
        "what a U-Net that learned to remove coarse noise takes out of a slice",
        cost="minutes",
        memory="a small network",
        needs="healthy scans",
    ),
    _entry(
        "intensity",
        "Intensity",
        "smoothed brightness or darkness relative to the brain; the baseline of every table",
        cost="seconds",
        memory="two numbers a channel",
        needs="healthy scans only to calibrate",
    ),
    _entry(
        "atlas",
        "Atlas",
        "departure from the healthy mean at the same place, in healthy standard deviations",
        cost="seconds",
        memory="two volumes a channel",
        needs="healthy scans on the template grid",
    ),
    _entry(
        "restore",
        "Restore",
        "lesion probability of a U-Net taught on synthetic lesions planted in healthy scans",
        cost="half an hour",
        memory="a small network",
        needs="30 or more healthy scans",
    ),
    Entry(
        "restore-3d",
        "sanum.detectors.restore_3d",
        "Restore3d",
        "the same by a 3D U-Net that sees the whole volume beside the healthy mean at each place",
        cost="an hour",
        memory="a small network and two volumes a channel",
        needs="30 or more healthy scans on the template grid",
    ),
    Entry(
        "multi-contrast",
        "sanum.detectors.multi_contrast",
        "MultiContrast",
        "chance of lesion from a U-Net that learned on made contrasts: T1w, T2w, FLAIR or PDw, alone or together",
        cost="an hour or two",
        memory="a small network",
        needs="tissue memberships of healthy heads, see `sanum tissues`",
    ),
    Entry(
        "head-ct",
        "sanum.detectors.head_ct",
        "HeadCt",
        "chance of blood or another lesion within the skull, from a U-Net that learned on made CT in Hounsfield units",
        cost="an hour or two",
        memory="a small network",
        needs="tissue memberships of healthy heads, see `sanum tissues`",
    ),
    Entry(
        "pair-experts",
        "sanum.detectors.pair_experts",
        "PairExperts",
        "CT and MRI of one head, each judged by the detector that knows it best, and whether they are of one head",
        cost="nothing: its members are trained before",
        memory="its members",
        needs="a model for CT and one for MRI, such as those that come with sanum",
    ),
    _entry(
        "padim",
        "Padim",
        "distance of an encoder's features from those of healthy scans at the same place",
        cost="seconds, and the encoder's",
        memory="the encoder and a matrix a place",
        needs="an encoder; scans that lie alike",
    ),
    _entry(
        "patchcore",
        "PatchCore",
        "distance of an encoder's features from the nearest of a memory of healthy patches",
        cost="seconds, and the encoder's",
        memory="the encoder and the patches",
        needs="an encoder",
    ),
    _entry(
        "fae",
        "FeatureReconstruction",
        "what an autoencoder of an encoder's features fails to rebuild in structure",
        cost="minutes, and the encoder's",
        memory="the encoder and a small network",
        needs="an encoder",
    ),
    _entry(
        "latent",
        "Latent",
        "how unusual an encoder's feature vectors are: isolation forest, Mahalanobis, k-NN, one-class SVM",
        cost="seconds, and the encoder's",
        memory="the encoder and some thousand vectors",
        needs="an encoder",
    ),
    _entry(
        "ensemble",
        "Ensemble",
        "mean evidence of several detectors, each measured against healthy voxels",
        cost="that of its members",
        memory="all its members",
        needs="calibrated model files of one preparation",
    ),
    Entry(
        "pair-cae",
        "sanum.detectors.pair_cae",
        "PairAutoencoder",
        "the classic recipe for pairs: reconstruction error a modality, and outliers of the latents",
        cost="minutes",
        memory="a small network a modality",
        needs="healthy registered pairs",
    ),
    Entry(
        "cross-modal",
        "sanum.detectors.cross_modal",
        "CrossModalDetector",
        "what one registered modality can't explain of the other: which one, where, by which score",
        cost="minutes",
        memory="a small network, and trees",
        needs="healthy registered pairs",
    ),
    Entry(
        "pair-fit",
        "sanum.detectors.pair_fit",
        "PairFit",
        "whether two modalities are of one head, which is at odds and where, by a table read off each pair anew",
        cost="minutes",
        memory="trees",
        needs="healthy registered pairs of two modalities",
    ),
)
"""The explicit list; a new detector is one file and one entry here."""


_OWN: dict[str, type[Detector]] = {}


def register(kind: type[Detector]) -> type[Detector]:
    """Make a detector of one's own known by its `name` in this process, for recipes and model files alike.

    Its model files load only where it was registered before. Usable as a decorator.

    Raises:
        ConfigError: one of sanum's detectors has this name.
    """
    if any(entry.name == kind.name for entry in DETECTORS):
        raise ConfigError(f"detector {kind.name!r} comes with sanum; give yours another name")
    _OWN[kind.name] = kind
    return kind


def is_registered(name: str) -> bool:
    """Whether this names a detector of one's own."""
    return name in _OWN


def detector_class(name: str) -> type[Detector]:
    """Import and return the class of a detector.

    Raises:
        ConfigError: no detector of that name.
    """
    if name in _OWN:
        return _OWN[name]
    entry = next((entry for entry in DETECTORS if entry.name == name), None)
    if entry is None:
        raise ConfigError(f"unknown detector {name!r}; {did_you_mean(name, (e.name for e in DETECTORS))}")
    found: type[Detector] = getattr(importlib.import_module(entry.module), entry.class_name)
    return found
