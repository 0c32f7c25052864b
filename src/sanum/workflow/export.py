"""Model files in the form of other runtimes, used only where they give the same scores."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sanum.core.errors import ConfigError
from sanum.core.exported import EXPORTED
from sanum.core.grid import Grid
from sanum.core.records import Prepared
from sanum.model import Model, load
from sanum.prepare.presets import Preparation, Slices, preparation_sha256
from sanum.prepare.template import model_grid

CHECKED_SLICES = 16


def export(model: Path, out: Path | None = None) -> tuple[Path, dict[str, float]]:
    """Write a model file as ONNX, and keep it only when every runtime here gives the same scores.

    The new file may be given wherever a model file may: it holds the networks as a graph, and all else.

    Args:
        model: model file.
        out: by default beside the model, where `sanum serve` finds it.

    Returns:
        The file, and runtime to the largest relative difference of a slice's score from PyTorch's.

    Raises:
        ConfigError: the detector is none that is exported, the file is an exported one, or packages are missing.
        ModelFileError: scores differ; nothing is written.
    """
    from sanum.detectors.onnx_file import write_onnx

    if model.suffix == EXPORTED:
        raise ConfigError(f"{model}: is exported already; name the .safetensors file that it was made of")
    loaded = load(model)
    path = exported_beside(model) if out is None else out
    return path, write_onnx(loaded.detector, made_cases(loaded), model.read_bytes(), path)


def use_exported(model: Model, path: Path) -> None:
    """Let a loaded model run an exported file.

    Raises:
        ModelFileError: exported from other weights, or its networks compute something else on this machine.
    """
    from sanum.detectors.onnx_file import use_onnx

    use_onnx(model.detector, path)


def exported_beside(model: Path) -> Path:
    """Where the exported form of a model file lies."""
    return model.with_suffix(EXPORTED)


def made_cases(model: Model) -> list[Prepared]:
    """What a model's scores are compared on: noise with waves in it, as the model takes cases."""
    whole = model.preparation
    taken = [replace(whole, modalities=(name,)) for name in whole.modalities] if model.takes_each else [whole]
    return [_made_case(whole, preparation.channels) for preparation in taken]


def _made_case(preparation: Preparation, channels: tuple[str, ...]) -> Prepared:
    """Slices with a disc in the mask, or a volume with a ball, which saves time and touches planes of every axis."""
    flat = isinstance(preparation, Slices)
    if isinstance(preparation, Slices):
        grid = Grid((preparation.size, preparation.size, CHECKED_SLICES), np.eye(4))
    else:
        grid = model_grid(preparation.shape, preparation.spacing)
    i, j, k = np.meshgrid(*(np.linspace(-1.0, 1.0, side) for side in grid.shape), indexing="ij", sparse=True)
    reach = np.broadcast_to(i**2 + j**2 + (0.0 if flat else 1.0) * k**2, grid.shape)
    rng = np.random.default_rng(0)
    made = [0.5 + 0.3 * _waves(rng, i, j, k) + 0.05 * rng.standard_normal(grid.shape) for _ in channels]
    return Prepared(
        case="made",
        subject="made",
        voxels=np.where(reach < 0.8, made, 0.0).clip(0.0, 1.0).astype(np.float32),
        mask=reach < (0.8 if flat else 0.05),
        grid=grid,
        modalities=channels,
        preparation=preparation_sha256(preparation),
        native=grid,
        to_model=np.eye(4),
        is_image=False,
    )


def _waves(rng: np.random.Generator, *places: NDArray[np.float64]) -> NDArray[np.float64]:
    i, j, k = (np.cos(rate * along) for rate, along in zip(rng.uniform(1.0, 9.0, 3), places, strict=True))
    product: NDArray[np.float64] = i * j * k
    return product
