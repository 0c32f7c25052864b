"""The autoencoder with upsampling and convolution folded into one step: the same function, less than half the work."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from sanum.nets.autoencoder import Autoencoder


def fold_upsampling(net: Autoencoder) -> Autoencoder:
    """A copy in which each doubling by nearest neighbours and its 3x3 convolution are one transposed convolution.

    Of the nine values under a 3x3 kernel on a doubled image only four differ, so nine products become four
    (Shi et al. 2016 tell of the equivalence). The results differ by rounding only.
    """
    folded = copy.deepcopy(net)
    steps: list[nn.Module] = []
    doubled = False
    for step in _flat(net.decoder):
        if isinstance(step, nn.Upsample):
            doubled = True
        elif doubled and isinstance(step, nn.Conv2d):
            steps.append(_folded(step))
            doubled = False
        else:
            steps.append(copy.deepcopy(step))
    folded.decoder = nn.Sequential(*steps)
    return folded.train(net.training)


def _flat(steps: nn.Sequential) -> list[nn.Module]:
    return [one for step in steps for one in (_flat(step) if isinstance(step, nn.Sequential) else [step])]


def _folded(convolution: nn.Conv2d) -> nn.ConvTranspose2d:
    """Spread a value over its 2x2 copies, then over the 3x3 places that each copy reaches: a 4x4 kernel."""
    weight, bias = convolution.weight.detach(), convolution.bias
    outputs, inputs = weight.shape[:2]
    kernel: Tensor = torch.zeros(outputs, inputs, 4, 4)
    for i in (0, 1):
        for j in (0, 1):
            kernel[..., i : i + 3, j : j + 3] += weight.flip(2, 3)
    step = nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1)
    assert step.bias is not None
    assert bias is not None
    step.weight = nn.Parameter(kernel.transpose(0, 1).contiguous())
    step.bias = nn.Parameter(bias.detach().clone())
    return step
