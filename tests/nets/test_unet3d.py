"""The 3D U-Net takes volumes of any size, and its bfloat16 gradients are finite and the same each time."""

import pytest
import torch

from sanum.nets.unet3d import UNet3d


@pytest.mark.parametrize("size", [(1, 9, 8), (5, 7, 11), (8, 16, 16)])
def test_any_size_goes_through(size):
    assert UNet3d(2, 3, (8, 16, 24))(torch.rand(1, 2, *size)).shape == (1, 3, *size)


def test_gradients_do_not_depend_on_what_lay_in_memory_before():
    """Where two slices are left, bfloat16 gradients of torch 2.13 are made of unwritten memory."""
    torch.manual_seed(0)
    net, volumes = UNet3d(1, 1, (8, 16)), torch.rand(1, 1, 4, 16, 16)
    found = []
    for _ in range(6):
        rubbish = [torch.full((size,), float("nan")) for size in (1_000, 50_000, 200_000) for _ in range(6)]
        del rubbish
        net.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            torch.autograd.backward(net(volumes).float().square().mean())
        found.append(
            torch.cat([value.grad.flatten() for value in net.parameters() if value.grad is not None])
        )
    assert all(torch.equal(found[0], other) for other in found)
