"""Networks on another device than their callers; "meta" stands for one, since it takes tensors and computes nothing."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from sanum.core.config import SCORING_DEVICE
from sanum.core.errors import ConfigError
from sanum.training.device import pick_device, run_on, use_device

META = torch.device("meta")


@dataclass(frozen=True)
class Reading:
    maps: Tensor
    each: tuple[Tensor, ...]


class Net(nn.Module):
    """Says where it was called, and answers on the CPU, from where the real answer of a device would come back."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Conv2d(1, 1, 3)
        self.seen = []

    def forward(self, images):
        self.seen.append((images.device.type, self.encoder.weight.device.type))
        return [torch.ones(2), "told"]

    def read(self, images, scale):
        self.seen.append((images.device.type, scale))
        return Reading(torch.zeros(1), (torch.ones(1),))


def test_inputs_go_to_the_device_and_answers_come_back():
    net = Net()
    run_on(net, META)
    answer, word = net(torch.zeros(1, 1, 8, 8))
    reading = net.read(torch.zeros(3), 2.0)
    assert net.seen == [("meta", "meta"), ("meta", 2.0)]
    assert word == "told"
    assert {answer.device.type, reading.maps.device.type, reading.each[0].device.type} == {"cpu"}


def test_a_part_that_is_called_by_itself_runs_there_too_and_within_the_network_nothing_comes_back():
    net = Net()
    run_on(net, META)
    assert net.encoder(torch.zeros(1, 1, 8, 8, device=META)).device == META
    with pytest.raises(NotImplementedError, match="meta tensor"):
        net.encoder(torch.zeros(1, 1, 8, 8))  # went there, and tried to come back


def test_the_cpu_is_the_network_as_it_was():
    net = Net()
    run_on(net, META)
    net.to_empty(device="cpu")
    run_on(net, torch.device("cpu"))
    net(torch.zeros(1, 1, 8, 8))
    assert net.seen == [("cpu", "cpu")]
    assert "forward" not in vars(net)


def test_a_device_that_is_not_there_is_refused_before_anything_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.delenv(SCORING_DEVICE, raising=False)
    with pytest.raises(ConfigError, match="device 'cuda': this machine has 0 CUDA devices; use auto or cpu"):
        use_device("cuda")
    with pytest.raises(ConfigError, match="device 'gpu': expected auto, cpu, cuda or cuda:N"):
        pick_device("gpu")
    assert pick_device("auto") == torch.device("cpu")
