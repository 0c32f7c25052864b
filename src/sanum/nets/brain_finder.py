"""deepbet's network that finds the brain in a head, with its own weights (MIT), computed in less time.

The network is that of Fisch et al., Computers in Biology and Medicine 179, 2024: a residual U-Net of three axes with
instance normalisation. Computed otherwise than by its TorchScript: pooling comes before normalisation, with which it
commutes, and axis by axis; transposed convolutions of stride 1 are convolutions; of two classes only the difference of
their log-odds is computed. The result is the same to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from sanum.core.units import Volume

EPSILON = 1e-5
"""Of the normalisation, as in the network's training."""


class BrainFinder:
    """A volume, scaled as the network learnt it, to the log-odds of brain at every voxel."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = {name: _computable(name, weight.float()) for name, weight in weights.items()}

    @classmethod
    def read(cls, path: Path) -> BrainFinder:
        """The network of a file of weights, as `docs/make_head_network.py` made it of deepbet's.

        Raises:
            FileNotFoundError: no such file.
        """
        return cls(load_file(path))

    def __call__(self, voxels: Volume) -> Volume:
        """Log-odds (I, J, K) of a volume whose sides are multiples of 32."""
        with torch.inference_mode():
            found: Volume = self._log_odds(torch.from_numpy(voxels)[None, None]).numpy()
        return found

    def _log_odds(self, image: Tensor) -> Tensor:
        levels = [self._inward(image)]
        for number in range(4):
            levels.append(self._level(f"down{number}", levels[-1], stride=1 if number == 0 else 2))
        features = levels.pop()
        for number in range(4):
            name = f"up{number}"
            features = self._layer(f"{name}.conv1.0", features)
            features = self._enlarged(f"{name}.tp_conv.0", features, stride=1 if number == 3 else 2)
            features = self._layer(f"{name}.conv2.0", features).add_(levels.pop(-1 if number < 3 else 0))
        features = self._enlarged("tp_conv1.0", features, stride=2)
        return self._outward(self._layer("conv.0", features))

    def _inward(self, image: Tensor) -> Tensor:
        features = self._convolved("init.0", image, stride=2)
        scale = centred(features)
        return pooled(features).mul_(scale).relu_()

    def _level(self, name: str, features: Tensor, stride: int) -> Tensor:
        return self._block(f"{name}.block2", self._block(f"{name}.block1", features, stride), 1)

    def _block(self, name: str, features: Tensor, stride: int) -> Tensor:
        inner = self._layer(f"{name}.double_conv.0", features, stride)
        inner = normalised(self._convolved(f"{name}.double_conv.3", inner))
        if f"{name}.downsample.0.weight" in self._weights:
            features = normalised(self._convolved(f"{name}.downsample.0", features, stride))
        return inner.add_(features).relu_()

    def _layer(self, name: str, features: Tensor, stride: int = 1) -> Tensor:
        return normalised(self._convolved(name, features, stride)).relu_()

    def _convolved(self, name: str, features: Tensor, stride: int = 1) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        return convolved(features, weight, stride)

    def _enlarged(self, name: str, features: Tensor, stride: int) -> Tensor:
        if stride == 1:
            return self._layer(name, features)
        weight = self._weights[f"{name}.weight"]
        larger = functional.conv_transpose3d(features, weight, stride=2, padding=1, output_padding=1)
        return normalised(larger).relu_()

    def _outward(self, features: Tensor) -> Tensor:
        """Each voxel's eight finer ones, by one product of matrices."""
        weight, bias = self._weights["tp_conv2.weight"], self._weights["tp_conv2.bias"]
        i, j, k = features.shape[2:]
        difference = (weight[:, 1] - weight[:, 0]).reshape(len(weight), 8)
        found = difference.t() @ features.reshape(len(weight), -1) + (bias[1] - bias[0])
        finer = found.view(2, 2, 2, i, j, k).permute(3, 0, 4, 1, 5, 2)
        return finer.reshape(2 * i, 2 * j, 2 * k)


def _computable(name: str, weight: Tensor) -> Tensor:
    """A transposed convolution of stride 1 as the convolution that it is."""
    if name != "up3.tp_conv.0.weight":
        return weight
    return weight.transpose(0, 1).flip(2, 3, 4).contiguous()


def convolved(features: Tensor, weight: Tensor, stride: int) -> Tensor:
    """The convolution that keeps the size but for the stride, by oneDNN also where PyTorch takes a slower way."""
    padding = weight.shape[2] // 2
    if torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        sides = [padding] * 3, [stride] * 3, [1] * 3
        found: Tensor = torch.mkldnn_convolution(features, weight, None, *sides, 1)
        return found
    return functional.conv3d(features, weight, stride=stride, padding=padding)


def normalised(features: Tensor) -> Tensor:
    """Each channel less its mean over its standard deviation, in place."""
    return features.mul_(centred(features))


def centred(features: Tensor) -> Tensor:
    """Take each channel's mean from it, in place, and tell one over its standard deviation."""
    features.sub_(features.mean((2, 3, 4), keepdim=True))
    power = torch.linalg.vector_norm(features.flatten(2), dim=2).square() / features[0, 0].numel()
    scale: Tensor = power.add_(EPSILON).rsqrt_()
    return scale[..., None, None, None]


def pooled(features: Tensor) -> Tensor:
    """Largest of each 3 x 3 x 3 voxels in steps of 2, with one voxel of rim, axis by axis."""
    for axis in (2, 3, 4):
        even, odd = (features[(slice(None),) * axis + (slice(start, None, 2),)] for start in (0, 1))
        found = torch.maximum(even, odd)
        count = found.shape[axis] - 1
        later = found.narrow(axis, 1, count)
        torch.maximum(later, odd.narrow(axis, 0, count), out=later)
        features = found
    return features
