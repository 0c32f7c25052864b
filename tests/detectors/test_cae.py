"""The autoencoder's score is its squared error, and an interrupted training loses nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from sanum.detectors.cae import Config, ConvolutionalAutoencoder
from sanum.training.run import Run
from tests.phantoms import prepared_case

TINY = Config(widths=(4, 8), epochs=3, batch=4, learning_rate=0.01, validation_share=0.3)


def cases():
    return [prepared_case(seed) for seed in range(4)]


def fit(config=TINY, seed=0, **conduct):
    run = Run(device="cpu", **conduct)
    return ConvolutionalAutoencoder(config, ("T1w",)).fit(cases(), seed=seed, run=run)


def stop_after_first_epoch(progress):
    if progress.epoch_ended and progress.epoch == 1:
        raise KeyboardInterrupt


def test_the_score_is_the_squared_error_averaged_over_channels():
    modalities = ("T1w", "FLAIR")
    training = [prepared_case(seed, modalities=modalities) for seed in range(3)]
    detector = ConvolutionalAutoencoder(replace(TINY, epochs=1), modalities).fit(training, seed=0)
    case = prepared_case(9, modalities=modalities)
    with torch.inference_mode():
        rebuilt = detector.net_(torch.from_numpy(case.voxels[..., 2])[None])[0].numpy()
    expected = ((case.voxels[..., 2] - rebuilt) ** 2).mean(axis=0)
    here = case.mask[..., 2]
    assert np.allclose(detector.score(case).values[..., 2][here], expected[here], atol=1e-6)


def test_a_training_stopped_and_resumed_equals_one_that_ran_through(tmp_path):
    checkpoint = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(checkpoint=checkpoint, on_progress=stop_after_first_epoch)
    through, resumed = fit(), fit(checkpoint=checkpoint, resume=True)
    assert resumed.state_sha256() == through.state_sha256()
    assert resumed.history_.training_loss == through.history_.training_loss
    assert resumed.history_.validation_loss == through.history_.validation_loss


def test_another_seed_gives_another_network():
    assert fit(seed=0).state_sha256() != fit(seed=1).state_sha256()


def test_the_loss_falls_and_the_history_tells_each_epoch():
    history = fit(replace(TINY, epochs=6)).history_
    assert history.epochs == len(history.validation_loss) == 6
    assert history.training_loss[-1] < 0.5 * history.training_loss[0]
    assert history.images == 6 * 3 * 4


def test_training_leaves_the_callers_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(replace(TINY, epochs=1))
    assert torch.equal(torch.rand(3), expected)


def test_nothing_is_rebuilt_that_nobody_asked_for():
    detector, case = fit(replace(TINY, epochs=1)), prepared_case(9)
    asked, unasked = detector.judge(case), detector.judge(case, reconstruct=False)
    assert unasked.reconstruction is None
    assert asked.reconstruction is not None
    assert np.array_equal(asked.map.values, unasked.map.values, equal_nan=True)
