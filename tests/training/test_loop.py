"""The loop: progress, checkpoints that belong to one training only, and divergence that is told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from sanum.core.config import config_sha256
from sanum.core.errors import ConfigError, TrainingError
from sanum.nets.autoencoder import Autoencoder, AutoencoderConfig
from sanum.training import loop
from sanum.training.loop import Schedule, train
from sanum.training.run import Run
from tests.phantoms import prepared_case

PLAN = Schedule(epochs=2, batch=4, learning_rate=0.01, validation_share=0.3, owner="a" * 64)


def squared_error(net, images):
    return functional.mse_loss(net(images).float(), images)


def cases(count=4):
    return [prepared_case(seed) for seed in range(count)]


def run_once(plan=PLAN, given=None, seed=0, loss=squared_error, **conduct):
    torch.manual_seed(0)
    net = Autoencoder(AutoencoderConfig(widths=(4,)))
    history = train(net, loss, given or cases(), plan, seed=seed, run=Run(**{"device": "cpu", **conduct}))
    return net, history


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "run.safetensors"
    run_once(checkpoint=path)
    return path


def test_progress_counts_epochs_and_ends_with_nothing_left():
    reports = []
    _, history = run_once(on_progress=reports.append)
    ends = [report for report in reports if report.epoch_ended]
    assert [report.epoch for report in ends] == [1, 2]
    assert [report.loss for report in ends] == list(history.training_loss)
    assert [report.validation_loss for report in ends] == list(history.validation_loss)
    assert ends[0].seconds_left > ends[1].seconds_left == 0.0
    assert all(report.images_per_second > 0 for report in reports)


def test_progress_is_told_within_an_epoch(monkeypatch):
    monkeypatch.setattr(loop, "REPORT_SECONDS", 0.0)
    reports = []
    run_once(on_progress=reports.append)
    within = [report for report in reports if not report.epoch_ended]
    assert len(within) == 2 * 3
    assert within[0].validation_loss is None
    assert within[-1].epoch == 1
    assert within[-1].validation_loss is not None


def test_one_subject_trains_without_validation():
    assert run_once(given=cases(1))[1].validation_loss == ()


def test_the_validation_loss_is_the_mean_over_the_validation_slices():
    """With no step taken to speak of, it is the loss of the fresh network on those slices."""
    net, history = run_once(replace(PLAN, epochs=1, learning_rate=1e-12))
    with torch.no_grad():
        slices = [torch.from_numpy(np.moveaxis(case.voxels, 3, 0).copy()) for case in cases()]
        losses = [float(squared_error(net, images)) for images in slices]
    assert min(abs(history.validation_loss[0] - loss) for loss in losses) < 1e-3


def test_a_finished_training_is_resumed_to_itself(checkpoint):
    net, history = run_once()
    reports = []
    again, told = run_once(checkpoint=checkpoint, resume=True, on_progress=reports.append)
    assert reports == []
    assert told.training_loss == history.training_loss
    for one, other in zip(net.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_resuming_without_a_checkpoint_starts_from_the_beginning(tmp_path):
    path = tmp_path / "new.safetensors"
    assert run_once(checkpoint=path, resume=True)[1].epochs == 2
    assert path.exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"seed": 1}, r"another seed \(0, now 1\)"),
        ({"plan": replace(PLAN, epochs=3)}, "another config"),
        ({"plan": replace(PLAN, owner="b" * 64)}, "another config"),
        ({"given": cases(5)}, "another data"),
    ],
)
def test_a_checkpoint_of_another_training_is_refused_and_kept(checkpoint, changed, message):
    before = checkpoint.read_bytes()
    with pytest.raises(TrainingError, match=rf"run.safetensors: made with {message}.*without resuming"):
        run_once(checkpoint=checkpoint, resume=True, **changed)
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_checkpoint_is_refused(checkpoint, content):
    checkpoint.write_bytes(content)
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        run_once(checkpoint=checkpoint, resume=True)


def test_a_truncated_checkpoint_is_refused(checkpoint):
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        run_once(checkpoint=checkpoint, resume=True)


def test_divergence_is_told_and_the_last_good_checkpoint_stays(tmp_path):
    """The loss turns into NaN in the second epoch; epoch one is still there to look at."""
    path, steps = tmp_path / "run.safetensors", []

    def breaks(net, images):
        steps.append(1)
        error = squared_error(net, images)
        return error * float("nan") if len(steps) > 4 else error

    with pytest.raises(TrainingError, match=r"diverged in epoch 2 .*lower learning_rate"):
        run_once(loss=breaks, checkpoint=path)
    with pytest.raises(TrainingError, match="diverged in epoch 2"):
        run_once(loss=breaks, checkpoint=path, resume=True)
    assert [file.name for file in tmp_path.iterdir()] == ["run.safetensors"]


def test_weights_spoilt_by_the_very_last_step_are_noticed():
    with pytest.raises(TrainingError, match="diverged in epoch 1"):
        run_once(replace(PLAN, epochs=1, batch=100, learning_rate=1e39))


def test_not_a_number_in_the_voxels_is_not_trained_on():
    given = cases()
    given[1].voxels[0, 5, 5, 1] = np.nan
    with pytest.raises(TrainingError, match="prepared voxels are finite"):
        run_once(replace(PLAN, validation_share=0.0), given=given)


def test_cases_without_a_slice_to_train_on_are_refused():
    empty = [replace(case, mask=np.zeros_like(case.mask)) for case in cases()]
    with pytest.raises(TrainingError, match="no training slice"):
        run_once(given=empty)


@pytest.mark.parametrize("device", ["gpu", "meta", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(device):
    with pytest.raises(ConfigError, match=f"device '{device}'"):
        run_once(device=device)


def test_a_loss_that_draws_random_numbers_is_repeatable_and_resumable(tmp_path):
    """Denoising losses draw noise; the noise of an epoch depends on seed and epoch alone."""
    path = tmp_path / "run.safetensors"

    def noisy(net, images):
        return functional.mse_loss(net(images + 0.1 * torch.randn_like(images)).float(), images)

    def stop(progress):
        if progress.epoch_ended and progress.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_once(loss=noisy, checkpoint=path, on_progress=stop)
    resumed, _ = run_once(loss=noisy, checkpoint=path, resume=True)
    through, _ = run_once(loss=noisy)
    for one, other in zip(through.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_checkpoints_from_before_a_setting_was_renamed_stay_valid():
    """The identity of a schedule as it was taken when `max_grad_norm` had another name."""
    schedule = Schedule(2, 4, 1e-3, 0.1, "x", max_grad_norm=1.0)
    assert config_sha256(schedule).startswith("e8a5e2e53d9151c4")
