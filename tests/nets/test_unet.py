"""The U-Net and what is built on it: shapes, sizes, the mirror, the average."""

import pytest
import torch

from sanum.nets.ema import EMA
from sanum.nets.restorer import Restorer, RestorerConfig
from sanum.nets.unet import UNet, UNetConfig


@pytest.mark.parametrize("fold", [1, 2])
@pytest.mark.parametrize("size", [(32, 32), (37, 50), (5, 3)])
def test_any_size_goes_through(fold, size):
    net = UNet(UNetConfig(2, 3, widths=(4, 8, 8), fold=fold)).eval()
    assert net(torch.rand(2, 2, *size)).shape == (2, 3, *size)


def test_a_pixel_lands_where_it_came_from():
    """Folding and unfolding must not swap axes: the answer to one dot is centred on the dot."""
    torch.manual_seed(0)
    net = UNet(UNetConfig(1, 1, widths=(8, 8), fold=2)).eval()
    blank, dotted = torch.zeros(1, 1, 64, 48), torch.zeros(1, 1, 64, 48)
    dotted[..., 41, 11] = 1.0
    change = (net(dotted) - net(blank)).abs()[0, 0].detach()
    rows, columns = torch.arange(64.0), torch.arange(48.0)
    assert (change.sum(1) * rows).sum() / change.sum() == pytest.approx(41, abs=4)
    assert (change.sum(0) * columns).sum() / change.sum() == pytest.approx(11, abs=4)


def test_restorer_begins_calm_and_restores_what_it_sees():
    """Before any training: lesions are rare, and the restored slice is nearly the slice."""
    torch.manual_seed(0)
    net = Restorer(RestorerConfig(2, widths=(8, 16), context=1)).eval()
    windows = torch.rand(3, 2, 3, 32, 32)
    log_odds, restored = net(windows)
    assert log_odds.shape == (3, 1, 32, 32)
    assert restored.shape == (3, 2, 32, 32)
    assert log_odds.sigmoid().max() < 0.2
    assert (restored - windows[:, :, 1]).abs().mean() < 0.2


def test_restorer_looks_at_neighbours_and_mirror():
    torch.manual_seed(0)
    windows = torch.rand(1, 1, 5, 32, 32)
    for context, mirror in ((2, False), (0, True)):
        net = Restorer(RestorerConfig(1, widths=(8, 16), context=context, mirror=mirror)).eval()
        seen = windows[:, :, 2 - context : 3 + context].clone().requires_grad_()
        net(seen)[0][..., 4, 16].sum().backward()
        reached = seen.grad.abs().amax(dim=(0, 1, 4))
        assert reached[0].amax() > 0
        assert (reached[context, 26:].amax() > 0).item() == mirror


def test_average_answers_in_evaluation_and_live_net_in_training():
    torch.manual_seed(0)
    ema = EMA(torch.nn.Linear(2, 1), decay=0.5)
    start = ema.steady.weight.clone()
    with torch.no_grad():
        ema.live.weight += 1.0
    for _ in range(3):
        ema.update()
    inputs = torch.ones(1, 2)
    assert int(ema.steps) == 3
    assert torch.all(ema.steady.weight > start + 0.5)
    assert torch.equal(ema.train()(inputs), ema.live(inputs))
    assert torch.equal(ema.eval()(inputs), ema.steady(inputs))
    assert not any(value.requires_grad for value in ema.result().parameters())
