"""The classic recipe for pairs: one autoencoder a modality or one for both, and latents to find outliers among."""

import numpy as np
import pytest

from sanum.core.config import from_dict
from sanum.detectors import detector_class
from sanum.detectors.recipes import resolve_recipe
from sanum.training.run import Run
from tests.contracts.test_detectors import TINY
from tests.phantoms import pair_case

KIND = detector_class("pair-cae")


def fit(**changed):
    config = from_dict(KIND.Config, {**TINY["pair-cae"], "epochs": 2, **changed})
    return KIND(config, ("CT", "T1w")).fit([pair_case(n) for n in range(3)], seed=0, run=Run(device="cpu"))


@pytest.mark.parametrize(("stacked", "nets", "width"), [(False, 2, 16), (True, 1, 8)])
def test_each_modality_has_its_autoencoder_or_both_share_one(stacked, nets, width):
    fitted = fit(stacked=stacked)
    assert len(fitted.nets_) == nets
    assert fitted.healthy_latents.shape == (3, width)


def test_the_map_is_the_mean_of_the_modalities_errors():
    found = fit().score(pair_case(9))
    assert np.allclose(found.values, (found.parts["CT: own"] + found.parts["T1w: own"]) / 2, equal_nan=True)


def test_the_recipe_is_the_published_one():
    config = resolve_recipe("pair-classic", {}).config
    assert (config.widths, config.epochs, config.batch) == ((32, 64, 128), 20, 16)
    assert (config.validation_share, config.noise, config.stacked) == (0.1, 0.02, False)
    assert resolve_recipe("pair-classic-stacked", {}).config.stacked
