"""A slice network as an ONNX file, kept only when its scores equal PyTorch's."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.errors import ConfigError, ModelFileError, NotFittedError
from sanum.core.files import atomic_path
from sanum.detectors.base import Detector
from sanum.detectors.cae import ConvolutionalAutoencoder
from sanum.nets.autoencoder import Autoencoder
from sanum.nets.folded import fold_upsampling

SCORE_TOLERANCE = 1e-4
"""Largest relative difference of a slice's score between two runtimes: far below what two healthy scans differ by."""

CHECKED_SLICES = 16

STATE = "sanum_state_sha256"
"""Entry of the file's metadata: the weights it was made of."""

_MISSING = "this needs more packages: pip install 'sanum[onnx]'"

Rebuild = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class OnnxNet(nn.Module):
    """A slice network that runs in ONNX Runtime and looks like one of PyTorch.

    Args:
        session: an ONNX Runtime session with the input `images`.
    """

    def __init__(self, session: Any) -> None:
        super().__init__()
        self._session = session

    def forward(self, images: Tensor) -> Tensor:
        """Rebuild a batch (N, C, H, W)."""
        (rebuilt,) = self._session.run(None, {"images": images.contiguous().numpy()})
        return torch.from_numpy(rebuilt)


def slice_net(detector: Detector) -> Autoencoder:
    """The network of a detector that scores slices by rebuilding them.

    Raises:
        ConfigError: another kind of detector.
        NotFittedError: before training.
    """
    if not isinstance(detector, ConvolutionalAutoencoder):
        raise ConfigError(f"{detector.name} is not exported; a detector that rebuilds slices is, such as cae")
    if detector.net_ is None:
        raise NotFittedError("cae: not trained yet; call fit, or load a model file")
    return detector.net_


def use_onnx(detector: Detector, size: int, path: Path) -> None:
    """Let a detector run an exported file instead of PyTorch, when it was made of the same weights.

    Raises:
        ConfigError: ONNX Runtime is not installed, or another kind of detector.
        ModelFileError: exported from other weights, or the scores differ here by more than `SCORE_TOLERANCE`.
    """
    net, images = slice_net(detector), _made_slices(len(detector.modalities), size)
    session = _session(path)
    if session.get_modelmeta().custom_metadata_map.get(STATE) != detector.state_sha256():
        raise ModelFileError(f"{path}: exported from other weights; run `sanum export` again or delete it")
    exported = OnnxNet(session)
    with torch.inference_mode():
        batch = torch.from_numpy(images)
        difference = _difference(
            _scores(images, net(batch).numpy()), _scores(images, exported(batch).numpy())
        )
    if not difference <= SCORE_TOLERANCE:
        raise ModelFileError(
            f"{path}: {_differs('onnxruntime', difference)}; export it again on this machine"
        )
    assert isinstance(detector, ConvolutionalAutoencoder)
    detector.fast_net_ = exported


def write_onnx(detector: Detector, size: int, path: Path) -> dict[str, float]:
    """Export a network that rebuilds slices, compare it, and keep the file only when the scores are equal.

    Args:
        detector: see `slice_net`.
        size: height and width of its slices.
        path: ends in .onnx.

    Returns:
        Runtime to the largest relative difference of a slice's mean squared error from PyTorch's.

    Raises:
        ConfigError: the packages for ONNX are not installed, or another suffix.
        ModelFileError: some runtime's scores differ by more than `SCORE_TOLERANCE`; nothing is written.
    """
    if path.suffix != ".onnx":
        raise ConfigError(f"{path}: expected a name that ends in .onnx")
    net, images = slice_net(detector), _made_slices(len(detector.modalities), size)
    with torch.inference_mode():
        expected = _scores(images, net(torch.from_numpy(images)).numpy())
    with atomic_path(path) as partial:
        _export(fold_upsampling(net), images, partial, detector.state_sha256())
        differences = {}
        for name, rebuild in _runtimes(partial).items():
            found = _scores(images, rebuild(images))
            differences[name] = _difference(expected, found)
            if not differences[name] <= SCORE_TOLERANCE:
                raise ModelFileError(f"{path}: {_differs(name, differences[name])}; the file was not kept")
    return differences


def _export(net: nn.Module, images: NDArray[np.float32], path: Path, state: str) -> None:
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(_MISSING)
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        net,
        (torch.from_numpy(images),),
        str(path),
        input_names=["images"],
        output_names=["rebuilt"],
        dynamic_shapes=({0: batch},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    import onnx

    kept = onnx.load(path)
    kept.metadata_props.add(key=STATE, value=state)
    onnx.save(kept, path)


def _runtimes(path: Path) -> dict[str, Rebuild]:
    """ONNX Runtime always, OpenVINO where it is installed."""
    session = _session(path)
    found: dict[str, Rebuild] = {
        "onnxruntime": lambda images: np.asarray(session.run(None, {"images": images})[0])
    }
    try:
        import openvino
    except ImportError:
        return found
    compiled: Any = openvino.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found["openvino"] = lambda images: np.asarray(compiled(images)[0])
    return found


def _session(path: Path) -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise ConfigError(_MISSING)
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # other processes need the cores
    try:
        return onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common base but this
        raise ModelFileError(
            f"{path}: can't be loaded ({str(error).splitlines()[0]}); export it again"
        ) from error


def _difference(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    return float((np.abs(found - expected) / np.maximum(np.abs(expected), 1e-12)).max())


def _differs(runtime: str, difference: float) -> str:
    return f"scores under {runtime} differ from PyTorch's by {difference:.1e}, allowed {SCORE_TOLERANCE:.0e} (relative)"


def _made_slices(channels: int, size: int) -> NDArray[np.float32]:
    """Tissue-like slices: smooth noise within a disc, the same each time."""
    rng = np.random.default_rng(0)
    i, j = np.meshgrid(np.linspace(-1, 1, size), np.linspace(-1, 1, size))
    waves = rng.uniform(1.0, 9.0, (CHECKED_SLICES, channels, 2))
    smooth = 0.5 + 0.3 * np.cos(waves[..., 0, None, None] * i) * np.cos(waves[..., 1, None, None] * j)
    noisy = smooth + 0.05 * rng.standard_normal(smooth.shape)
    return np.where(i**2 + j**2 < 0.8, noisy, 0.0).clip(0.0, 1.0).astype(np.float32)


def _scores(images: NDArray[np.float32], rebuilt: NDArray[np.float32]) -> NDArray[np.float64]:
    error: NDArray[np.float64] = np.square(images - rebuilt, dtype=np.float64).mean(axis=(1, 2, 3))
    return error
