"""Named starting points: a detector, its settings, and how its maps become case scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sanum.core.config import did_you_mean, from_dict, overlaid, present_names, read_toml
from sanum.core.errors import ConfigError
from sanum.core.records import Summary
from sanum.detectors import DETECTORS, detector_class, is_registered


@dataclass(frozen=True)
class Recipe:
    """One starting point.

    Attributes:
        detector: its name.
        config: settings of its config; those not named keep the config's defaults.
        summary: how a map becomes the case's score.
    """

    detector: str
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Summary = field(default_factory=Summary)


@dataclass(frozen=True)
class RecipeFile:
    """Content of a recipe's TOML file: the recipe it starts from, and a table of settings over it."""

    recipe: str
    config: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A recipe made ready to train.

    Attributes:
        name: of the recipe, or the stem of its file.
        detector: name of the detector.
        config: instance of the detector's `Config`.
        summary: how a map becomes the case's score.
    """

    name: str
    detector: str
    config: Any
    summary: Summary


CLASSIC_SUMMARY = Summary("slice")
"""The classic rule: mean error of a slice; of a volume the worst slice."""

STRIDED = Recipe(
    "cae",
    {
        "widths": (16, 32, 64),
        "downsampling": "stride",
        "epochs": 30,
        "batch": 32,
        "learning_rate": 1e-3,
        "validation_share": 0.1,
    },
    CLASSIC_SUMMARY,
)
"""The classic autoencoder that halves the slice by strided convolutions."""

POOLED = Recipe(
    "cae",
    {
        "widths": (32, 64, 128),
        "downsampling": "pool",
        "epochs": 20,
        "batch": 16,
        "learning_rate": 1e-3,
        "validation_share": 0.1,
    },
    CLASSIC_SUMMARY,
)
"""The wider classic autoencoder that halves the slice by max-pooling."""

RESTORE_SLICES = Recipe(
    "restore",
    {
        "epochs": 360,
        "lesions": {"healthy": 0.3, "smallest": 0.002, "largest": 0.4, "bright": 0.9},
        "augmentation": {
            "rotation": 0.05,
            "scale": 0.06,
            "shift": 0.015,
            "warp": 0.015,
            "atrophy": 0.1,
            "contrast": 0.03,
            "gamma": 0.1,
            "bias": 0.12,
            "noise": 0.03,
            "blur": 0.2,
        },
        "smoothing_mm": 2.0,
        "sign": "bright",
    },
)
"""Single FLAIR slices of one source: bright lesions, little variation beyond the training scans' own."""

RESTORE_VOLUME = Recipe(
    "restore",
    {
        "context": 2,
        "targets": 4,
        "batch": 5,
        "epochs": 14,
        "lesions": {"healthy": 0.4, "smallest": 0.003, "largest": 0.2, "bright": 0.5},
        "augmentation": {
            "rotation": 0.03,
            "scale": 0.05,
            "shift": 0.015,
            "warp": 0.02,
            "atrophy": 0.5,
            "contrast": 0.09,
            "gamma": 0.08,
            "bias": 0.2,
            "noise": 0.05,
            "blur": 0.35,
        },
        "smoothing_mm": 4.5,
        "location_prior": 0.1,
    },
    Summary("top", 0.002),
)
"""T1w volumes on the template, for scans of other scanners: age, contrast, coil and resolution vary."""

RESTORE_3D = Recipe(
    "restore-3d",
    {
        "epochs": 160,
        "learning_rate": 1.5e-3,
        "lesions": {"healthy": 0.35, "smallest": 0.001, "largest": 0.1, "bright": 0.4, "number": 3},
        "augmentation": {
            "rotation": 0.03,
            "scale": 0.05,
            "shift": 0.015,
            "warp": 0.02,
            "atrophy": 0.4,
            "widening": 1,
            "contrast": 0.09,
            "gamma": 0.08,
            "bias": 0.2,
            "noise": 0.03,
            "blur": 0.15,
        },
        "smoothing_mm": 4.5,
    },
    Summary("top", 0.002),
)
"""T1w volumes on the template, for scans of other scanners, seen whole."""

CLASSIC_PAIR = Recipe(
    "pair-cae",
    {
        "widths": (32, 64, 128),
        "stacked": False,
        "epochs": 20,
        "batch": 16,
        "learning_rate": 1e-3,
        "validation_share": 0.1,
        "noise": 0.02,
        "intensity": 0.1,
    },
    CLASSIC_SUMMARY,
)
"""The classic recipe for pairs: one pooled autoencoder a modality."""

CLASSIC_PAIR_STACKED = Recipe("pair-cae", {**CLASSIC_PAIR.config, "stacked": True}, CLASSIC_SUMMARY)
"""The same with both modalities as channels of one autoencoder."""

CROSS_MODAL = Recipe("cross-modal", summary=Summary("top", 0.002))
"""Registered pairs, such as CT and T1w, or T1w and FLAIR."""

RECIPES: Mapping[str, Recipe] = {
    **{entry.name: Recipe(entry.name) for entry in DETECTORS},
    "cae": STRIDED,
    "cae-strided": STRIDED,
    "cae-pooled": POOLED,
    "cae-attention": Recipe("cae", {"attention": True}, CLASSIC_SUMMARY),
    "cae-dense": Recipe("cae", {"latent": 128}, CLASSIC_SUMMARY),
    "vae-kl-gradient": Recipe("vae", {"score": "kl-gradient"}),
    "vae-restoration": Recipe("vae", {"score": "restoration"}),
    "dae-blob": Recipe("dae", {"noise": "blob"}),
    "restore-slices": RESTORE_SLICES,
    "restore-volume": RESTORE_VOLUME,
    "restore-3d": RESTORE_3D,
    "multi-contrast": Recipe("multi-contrast", summary=Summary("top", 0.002)),
    "head-ct": Recipe("head-ct", summary=Summary("top", 0.002)),
    "isolation-forest": Recipe("latent", {"method": "isolation-forest"}),
    "mahalanobis": Recipe("latent", {"method": "mahalanobis"}),
    "knn": Recipe("latent", {"method": "knn"}),
    "one-class-svm": Recipe("latent", {"method": "one-class-svm"}),
    "pair-classic": CLASSIC_PAIR,
    "pair-classic-stacked": CLASSIC_PAIR_STACKED,
    "cross-modal": CROSS_MODAL,
    "pair-fit": Recipe("pair-fit", summary=Summary("top", 0.002)),
    "pair-experts": Recipe("pair-experts", summary=Summary("top", 0.002)),
}
"""By name; each detector's own name is a recipe too, with its defaults where nothing else stands here."""


def resolve_recipe(name: str, overrides: Mapping[str, Any]) -> Plan:
    """Turn a recipe and settings over it into a detector and its `Config`.

    Args:
        name: one of `RECIPES`, a registered detector, or the path of a TOML file with the keys of `RecipeFile`.
        overrides: settings of the detector's config, see `overlaid`; they win over the recipe's.

    Raises:
        ConfigError: unknown recipe, unknown or impossible setting, unreadable file.
    """
    base, layers = name, [overrides]
    if name.endswith(".toml"):
        file = from_dict(RecipeFile, read_toml(Path(name)), name)
        base, layers = file.recipe, [file.config, overrides]
    if base not in RECIPES and not is_registered(base):
        raise ConfigError(f"unknown recipe {base!r}; {did_you_mean(base, RECIPES)}, or give a .toml file")
    recipe = RECIPES.get(base, Recipe(base))
    kind = detector_class(recipe.detector).Config
    settings: Mapping[str, Any] = recipe.config
    for layer in layers:
        settings = overlaid(settings, present_names(kind, layer, f"recipe {name}"))
    config = from_dict(kind, settings, f"recipe {name}")
    return Plan(Path(name).stem, recipe.detector, config, recipe.summary)
