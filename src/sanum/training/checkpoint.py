"""Weights as named arrays, and the file from which a training goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sanum.core.config import from_dict, to_dict
from sanum.core.errors import ConfigError, ModelFileError, TrainingError
from sanum.core.files import atomic_path
from sanum.training.history import History

FORMAT = "sanum-checkpoint-1"
"""Stands in the metadata of every checkpoint; another layout gets another number."""


@dataclass(frozen=True)
class Identity:
    """What a checkpoint belongs to; it is resumed only by its own.

    Attributes:
        config: SHA-256 of the config that trains.
        data: SHA-256 of the training set.
        seed: of the training.
    """

    config: str
    data: str
    seed: int


def net_arrays(net: nn.Module) -> dict[str, NDArray[Any]]:
    """Weights and buffers of a network as named arrays, copied to memory."""
    return {name: _to_array(value) for name, value in net.state_dict().items()}


@torch.no_grad()
def round_to_half(net: nn.Module) -> None:
    """Round weights and buffers to what half precision can hold, in place; numbers beyond its range stay."""
    for value in net.state_dict().values():
        if value.is_floating_point() and bool(value.half().isfinite().all()):
            value.copy_(value.half())


def compact_arrays(net: nn.Module) -> dict[str, NDArray[Any]]:
    """As `net_arrays`, in half precision where that loses no bit of any weight, as after `round_to_half`."""
    return compact(net_arrays(net))


def compact(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Single precision as half precision where that loses no bit of any array."""
    halves = {
        name: array.astype(np.float16) if array.dtype == np.float32 else array
        for name, array in arrays.items()
    }
    same = all(np.array_equal(halves[name].astype(array.dtype), array) for name, array in arrays.items())
    return halves if same else arrays


def load_net_arrays(net: nn.Module, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put named arrays back into a network of the same shape.

    Raises:
        ModelFileError: a weight is missing, left over or of another shape.
    """
    expected = {name: tuple(value.shape) for name, value in net.state_dict().items()}
    for name in sorted(expected.keys() | arrays.keys()):
        if name not in arrays or name not in expected or arrays[name].shape != expected[name]:
            got = arrays[name].shape if name in arrays else "nothing"
            raise ModelFileError(
                f"weight {name!r}: expected {expected.get(name, 'nothing')}, got {got}; "
                "the arrays were made by another config"
            )
    net.load_state_dict({name: torch.tensor(array) for name, array in arrays.items()})


def save_checkpoint(
    path: Path,
    identity: Identity,
    history: History,
    net: nn.Module,
    optimiser: torch.optim.Optimizer,
    best: Mapping[str, NDArray[Any]],
) -> None:
    """Write weights, optimiser, history and the best weights so far to one file, whole or not at all.

    Raises:
        StorageError: the file can't be written.
    """
    arrays = {f"net.{name}": array for name, array in net_arrays(net).items()}
    for number, moments in optimiser.state_dict()["state"].items():
        arrays |= {f"optimiser.{number}.{name}": _to_array(value) for name, value in moments.items()}
    arrays |= {f"best.{name}": array for name, array in best.items()}
    facts = {"format": FORMAT, "identity": to_dict(identity), "history": to_dict(history)}
    content = safetensors.numpy.save(arrays, metadata={"sanum": json.dumps(facts)})
    with atomic_path(path) as partial:
        partial.write_bytes(content)


def load_checkpoint(
    path: Path, identity: Identity, net: nn.Module, optimiser: torch.optim.Optimizer
) -> tuple[History, dict[str, NDArray[Any]]]:
    """Put `net` and `optimiser` where the checkpoint stopped; return history and best weights up to there.

    Raises:
        TrainingError: the file is damaged, foreign, or was made by another config, data or seed.
    """
    arrays, facts = _read(path)
    _refuse_other(path, from_dict(Identity, facts["identity"]), identity)
    load_net_arrays(net, _part(arrays, "net."))
    moments: dict[int, dict[str, Tensor]] = {}
    for name, array in arrays.items():
        if name.startswith("optimiser."):
            _, number, kind = name.split(".")
            moments.setdefault(int(number), {})[kind] = _in_layout_of_nets(torch.tensor(array))
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": moments, "param_groups": groups})
    return from_dict(History, facts["history"]), _part(arrays, "best.")


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    try:
        with safetensors.safe_open(path, framework="numpy") as stream:
            facts = json.loads((stream.metadata() or {})["sanum"])
        arrays: dict[str, NDArray[Any]] = safetensors.numpy.load_file(path)
        if facts["format"] != FORMAT:
            raise KeyError(facts["format"])
        for part, kind in (("identity", Identity), ("history", History)):
            from_dict(kind, facts[part], str(path))
    except (OSError, safetensors.SafetensorError, KeyError, ValueError, ConfigError) as error:
        raise TrainingError(
            f"{path}: not a readable checkpoint; remove it or train without resuming"
        ) from error
    return arrays, facts


def _refuse_other(path: Path, stored: Identity, wanted: Identity) -> None:
    for field in dataclasses.fields(Identity):
        was, now = getattr(stored, field.name), getattr(wanted, field.name)
        if was != now:
            raise TrainingError(
                f"{path}: made with another {field.name} ({_short(was)}, now {_short(now)}); "
                "name another checkpoint file or train without resuming"
            )


def _short(value: str | int) -> str:
    return str(value)[:12]


def _to_array(value: Tensor) -> NDArray[Any]:
    array: NDArray[Any] = value.detach().cpu().contiguous().numpy().copy()
    return array


def _in_layout_of_nets(value: Tensor) -> Tensor:
    """The fused optimiser walks weights and moments in step, so both must lie alike in memory."""
    return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value
