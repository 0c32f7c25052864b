"""Model files in the form of other runtimes, used only where they give the same scores."""

from __future__ import annotations

from pathlib import Path

from sanum.core.errors import ConfigError
from sanum.model import Model, load
from sanum.prepare.presets import Slices


def export(model: Path, out: Path | None = None) -> tuple[Path, dict[str, float]]:
    """Write the network of a model file as ONNX, and keep it only when every runtime here gives the same scores.

    Args:
        model: model file.
        out: by default beside the model, where `sanum serve` finds it.

    Returns:
        The file, and runtime to the largest relative difference of a slice's score from PyTorch's.

    Raises:
        ConfigError: the detector does not rebuild slices, or packages are missing.
        ModelFileError: scores differ; nothing is written.
    """
    from sanum.detectors.onnx_file import write_onnx

    loaded = load(model)
    path = exported_beside(model) if out is None else out
    return path, write_onnx(loaded.detector, _slice_size(loaded), path)


def use_exported(model: Model, path: Path) -> None:
    """Let a loaded model run an exported file.

    Raises:
        ModelFileError: exported from other weights, or its scores differ on this machine.
    """
    from sanum.detectors.onnx_file import use_onnx

    use_onnx(model.detector, _slice_size(model), path)


def exported_beside(model: Path) -> Path:
    """Where the exported form of a model file lies."""
    return model.with_suffix(".onnx")


def _slice_size(model: Model) -> int:
    if not isinstance(model.preparation, Slices):
        raise ConfigError(f"{model.name}: only models of the preset `slices` are exported")
    return model.preparation.size
