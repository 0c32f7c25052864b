"""A detector's networks as an ONNX file, kept only when the detector's scores equal those by PyTorch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.errors import ConfigError, ModelFileError
from sanum.core.exported import EXPORTED, INSIDE, carried
from sanum.core.files import atomic_path
from sanum.core.records import Prepared
from sanum.detectors.base import Detector
from sanum.nets.autoencoder import Autoencoder, extended
from sanum.nets.folded import fold_upsampling
from sanum.nets.plane_restorer import PlaneRestorer
from sanum.nets.restorer import Restorer
from sanum.nets.unet import UNet

SCORE_TOLERANCE = 1e-4
"""Largest relative difference of a slice's score between two runtimes: far below what two healthy scans differ by."""

LEAST_SLICE = 16
"""A slice of fewer voxels within the mask has no score of its own."""

DETECTORS = ("cae", "restore", "multi-contrast", "head-ct", "pair-experts")
"""Detectors all of whose scoring goes through networks that are exported."""

STATE = "sanum_state_sha256"
"""Entry of the file's metadata: the weights it was made of."""

_MISSING = "this needs more packages: pip install 'sanum[onnx]'"

MOST_SIDE = 64
"""Longest side of an image that an exported U-Net takes, in multiples of its step."""

Images = NDArray[np.float32]
Run = Callable[[Images], Images]
Start = Callable[[bytes, str], Run]
"""Makes a network in another runtime of an ONNX file's bytes and the name of its input."""

Network = Autoencoder | UNet


def networks_of(detector: Detector) -> list[Network]:
    """The networks that are exported, in the order of their inputs `images`, `images1`, …

    What is around them (neighbours, mirror images, smoothing, an expert's share) stays with the detector.

    Raises:
        ConfigError: another kind of detector.
        NotFittedError: before training.
    """
    if detector.name not in DETECTORS:
        raise ConfigError(f"{detector.name} is not exported; {', '.join(DETECTORS)} are")
    detector.state()
    found = [net.unet if isinstance(net, Restorer | PlaneRestorer) else net for net in detector.networks]
    return [net for net in found if isinstance(net, Network)]


def use_onnx(detector: Detector, path: Path) -> None:
    """Let a detector's networks run in ONNX Runtime, when the file was made of the same weights.

    A detector that is on a GPU stays there; one that is moved later leaves ONNX Runtime.

    Raises:
        ConfigError: ONNX Runtime is not installed, or another kind of detector.
        ModelFileError: exported from other weights, or a network computes something else here.
    """
    nets = networks_of(detector)
    if any(value.device.type != "cpu" for net in nets for value in net.parameters()):
        return
    file = _read(path)
    if {entry.key: entry.value for entry in file.metadata_props}.get(STATE) != detector.state_sha256():
        raise ModelFileError(f"{path}: exported from other weights; run `sanum export` again or delete it")
    runs = _started(file, len(nets), _onnx_runtime, path)
    for net, run, images in zip(nets, runs, file.graph.input, strict=True):
        sides = [side.dim_value or 2 * net.step for side in images.type.tensor_type.shape.dim[2:]]
        difference = _network_difference(net, run, sides)
        if not difference <= SCORE_TOLERANCE:
            raise ModelFileError(
                f"{path}: {_differs('onnxruntime', difference)}; export it again on this machine"
            )
        _set(net, run)


def write_onnx(detector: Detector, cases: Sequence[Prepared], model: bytes, path: Path) -> dict[str, float]:
    """Export a detector's networks, compare its scores by them, and keep the file only when they are equal.

    Args:
        detector: see `networks_of`.
        cases: what is scored to compare.
        model: the model file, which the new file carries.
        path: ends in .onnx.

    Returns:
        Runtime to the largest relative difference of a slice's mean score from PyTorch's.

    Raises:
        ConfigError: the packages for ONNX are not installed, or another suffix.
        ModelFileError: some runtime's scores differ by more than `SCORE_TOLERANCE`; nothing is written.
    """
    if path.suffix != EXPORTED:
        raise ConfigError(f"{path}: expected a name that ends in {EXPORTED}")
    nets = networks_of(detector)
    expected = _scores(detector, cases)
    with atomic_path(path) as partial:
        _export(nets, cases[0].grid.shape[:2], partial)
        _label(partial, {STATE: detector.state_sha256(), INSIDE: carried(model)})
        differences = {}
        for name, start in _runtimes().items():
            with _running(nets, _started(_read(partial), len(nets), start, partial)):
                differences[name] = _difference(expected, _scores(detector, cases))
            if not differences[name] <= SCORE_TOLERANCE:
                raise ModelFileError(f"{path}: {_differs(name, differences[name])}; the file was not kept")
    return differences


class _Together(nn.Module):
    """Several networks as one, each with an input and an output of its own."""

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        """Map a batch by each."""
        return tuple(net(batch) for net, batch in zip(self.nets, images, strict=True))


class _InRuntime:
    """A network's `forward` by another runtime: images of any size in, as PyTorch's takes them."""

    def __init__(self, run: Run, step: int) -> None:
        self._run, self._step = run, step

    def __call__(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        mapped = self._run(extended(images, self._step).contiguous().numpy())
        return torch.from_numpy(mapped)[..., :height, :width]


def _set(net: Network, run: Run) -> None:
    net.__dict__["forward"] = _InRuntime(run, net.step)


@contextmanager
def _running(nets: Sequence[Network], runs: Sequence[Run]) -> Iterator[None]:
    """Within the block networks run elsewhere."""
    try:
        for net, run in zip(nets, runs, strict=True):
            _set(net, run)
        yield
    finally:
        for net in nets:
            net.__dict__.pop("forward", None)


def _export(nets: Sequence[Network], sides: tuple[int, ...], path: Path) -> None:
    for package in ("onnx", "onnxscript"):
        if importlib.util.find_spec(package) is None:
            raise ConfigError(_MISSING)
    numbers = range(len(nets))
    folded = [fold_upsampling(net) if isinstance(net, Autoencoder) else net for net in nets]
    torch.onnx.export(
        _Together(folded).eval(),
        tuple(_example(net, sides) for net in nets),
        str(path),
        input_names=[_name("images", number) for number in numbers],
        output_names=[_name("mapped", number) for number in numbers],
        dynamic_shapes=(tuple(_free(net, number) for net, number in zip(nets, numbers, strict=True)),),
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def _name(what: str, number: int) -> str:
    return f"{what}{number or ''}"


def _example(net: Network, sides: tuple[int, ...]) -> Tensor:
    """Two images; a U-Net's sides are left free and differ, so that nothing takes one for the other."""
    free = (2 * net.step, 3 * net.step)
    return extended(torch.rand(2, _inputs(net), *(free if isinstance(net, UNet) else sides)), net.step)


def _inputs(net: Network) -> int:
    return net.config.inputs if isinstance(net, UNet) else net.config.channels


def _free(net: Network, number: int) -> dict[int, Any]:
    """Which sides of the images of a network may be any."""
    free = {0: torch.export.Dim(f"batch{number}", min=1, max=4096)}
    if isinstance(net, UNet):
        for axis in (2, 3):
            free[axis] = net.step * torch.export.Dim(f"side{number}{axis}", min=1, max=MOST_SIDE)
    return free


def _label(path: Path, entries: dict[str, str]) -> None:
    import onnx

    file = onnx.load(path)
    for key, value in entries.items():
        file.metadata_props.add(key=key, value=value)
    onnx.save(file, path)


def _read(path: Path) -> Any:
    if importlib.util.find_spec("onnx") is None:
        raise ConfigError(_MISSING)
    import onnx

    try:
        return onnx.load(path)
    except Exception as error:  # a damaged file raises an error of protobuf, which is no package of ours
        raise ModelFileError(
            f"{path}: can't be loaded ({str(error).splitlines()[0]}); export it again"
        ) from error


def _started(file: Any, count: int, start: Start, path: Path) -> list[Run]:
    """Each network of a file by itself in a runtime."""
    from onnx.utils import Extractor

    try:
        parts = Extractor(file)
        return [
            start(
                parts.extract_model([_name("images", n)], [_name("mapped", n)]).SerializeToString(),
                _name("images", n),
            )
            for n in range(count)
        ]
    except ConfigError:
        raise
    except Exception as error:  # the runtimes' errors have no common base but this
        raise ModelFileError(
            f"{path}: can't be loaded ({str(error).splitlines()[0]}); export it again"
        ) from error


def _runtimes() -> dict[str, Start]:
    """ONNX Runtime always, OpenVINO where it is installed."""
    found: dict[str, Start] = {"onnxruntime": _onnx_runtime}
    if importlib.util.find_spec("openvino") is not None:
        found["openvino"] = _openvino
    return found


def _onnx_runtime(network: bytes, images: str) -> Run:
    if importlib.util.find_spec("onnxruntime") is None:
        raise ConfigError(_MISSING)
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = torch.get_num_threads()
    settings.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # other processes need the cores
    session = onnxruntime.InferenceSession(network, settings, providers=["CPUExecutionProvider"])
    return lambda batch: np.asarray(session.run(None, {images: batch})[0])


def _openvino(network: bytes, images: str) -> Run:
    import openvino

    del images
    hints = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    core = openvino.Core()
    compiled: Any = core.compile_model(core.read_model(network), "CPU", hints)
    return lambda batch: np.array(compiled(batch)[0])


def _network_difference(net: Network, run: Run, sides: Sequence[int]) -> float:
    """Largest difference for an image of noise, relative to the largest value."""
    made = np.random.default_rng(0).random((1, _inputs(net), *sides), dtype=np.float32)
    with torch.inference_mode():
        expected, found = net(torch.from_numpy(made)).numpy(), run(made)
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def _scores(detector: Detector, cases: Sequence[Prepared]) -> NDArray[np.float64]:
    """Mean score of each slice that has a part in the mask."""
    found = [detector.score(case).values for case in cases]
    slices = [values[..., k] for values in found for k in range(values.shape[2])]
    inside = [values[np.isfinite(values)] for values in slices]
    return np.array([np.mean(values, dtype=np.float64) for values in inside if values.size >= LEAST_SLICE])


def _difference(expected: NDArray[np.float64], found: NDArray[np.float64]) -> float:
    return float((np.abs(found - expected) / np.maximum(np.abs(expected), 1e-12)).max())


def _differs(runtime: str, difference: float) -> str:
    return f"scores under {runtime} differ from PyTorch's by {difference:.1e}, allowed {SCORE_TOLERANCE:.0e} (relative)"
