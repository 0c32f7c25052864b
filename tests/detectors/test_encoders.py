"""Detectors on an encoder: where the encoder comes from, what it must be, and that it travels with them."""

from dataclasses import replace

import numpy as np
import pytest

from sanum.core.errors import ConfigError, ModelFileError, ScanError
from sanum.detectors import cae, latent, padim, patchcore, restore
from sanum.model import Model, save
from sanum.prepare.presets import Slices, preparation_sha256
from tests.phantoms import prepared_case

PREPARATION = Slices()


def phantom(seed, **how):
    return replace(prepared_case(seed, **how), preparation=preparation_sha256(PREPARATION))


def cases(modalities=("T1w",), count=4):
    return [phantom(seed, modalities=modalities) for seed in range(count)]


def model_file(detector, path, preparation=PREPARATION):
    save(Model("m", detector, preparation), path)
    return str(path)


@pytest.fixture(scope="module")
def trained():
    return cae.ConvolutionalAutoencoder(
        cae.Config(widths=(4, 8), epochs=2, batch=4, learning_rate=0.01), ("T1w",)
    ).fit(cases(), seed=0)


@pytest.fixture(scope="module")
def encoder(trained, tmp_path_factory):
    return model_file(trained, tmp_path_factory.mktemp("models") / "cae.safetensors")


def patch_memory(encoder, **changed):
    return patchcore.PatchCore(
        patchcore.Config(**{"encoder": encoder, "levels": (0, 1), "memory": 50, **changed}), ("T1w",)
    )


def test_an_encoder_from_a_model_file_is_taken_as_it_is_and_becomes_part_of_the_state(encoder, trained):
    fitted = patch_memory(encoder).fit(cases(), seed=0)
    assert fitted.encoder_.state_sha256() == trained.state_sha256()
    assert all(
        np.array_equal(fitted.state()[f"encoder.{name}"], array) for name, array in trained.state().items()
    )


def test_a_loaded_detector_needs_the_encoders_file_no_more(encoder):
    fitted = patch_memory(encoder).fit(cases(), seed=0)
    again = patch_memory("gone.safetensors").load_state(fitted.state())
    case = phantom(9, lesion=True)
    assert np.array_equal(again.score(case).values, fitted.score(case).values, equal_nan=True)


def test_an_altered_encoder_is_noticed(encoder):
    state = patch_memory(encoder).fit(cases(), seed=0).state()
    state["encoder.encoder.0.0.weight"][0] += 1.0
    with pytest.raises(ModelFileError, match="not those the file was written with"):
        patch_memory(encoder).load_state(state)


def test_a_detector_without_feature_maps_is_refused():
    with pytest.raises(ConfigError, match="encoder 'intensity' is a intensity, which has no feature maps"):
        patch_memory("intensity").fit(cases(), seed=0)


def test_an_encoder_of_other_modalities_or_another_preparation_is_refused(encoder, trained, tmp_path):
    detector = patchcore.PatchCore(patchcore.Config(encoder=encoder), ("FLAIR",))
    with pytest.raises(ConfigError, match="takes T1w, needed FLAIR"):
        detector.fit(cases(("FLAIR",)), seed=0)
    other = model_file(trained, tmp_path / "other.safetensors", Slices(size=64))
    with pytest.raises(ConfigError, match="made for another preparation"):
        patch_memory(other).fit(cases(), seed=0)


def test_a_level_that_is_not_there_is_refused(encoder):
    with pytest.raises(ConfigError, match=r"levels \(0, 5\), but the encoder has 2"):
        patch_memory(encoder, levels=(0, 5)).fit(cases(), seed=0)


def test_a_network_that_sees_neighbouring_slices_is_an_encoder_too():
    volumes = [phantom(seed, shape=(32, 32, 6)) for seed in range(3)]
    taught = restore.Restore(
        restore.Config(widths=(8, 16), context=2, targets=2, epochs=1, batch=2), ("T1w",)
    ).fit(volumes, seed=0)
    detector = patch_memory("restore")
    detector.encoder_ = taught
    windows = detector._patches(volumes[:1])
    assert next(windows).features.shape == (16, 16, 24)


def test_the_distance_is_to_the_nearest_patch_of_the_memory(encoder):
    fitted = patch_memory(encoder, smoothing_mm=0.0, memory=10_000, levels=(0,)).fit(cases(), seed=0)
    own = fitted.score(cases()[0]).inside()
    assert own.max() < 1e-2 < fitted.score(phantom(9, lesion=True)).inside().max()


def test_a_smaller_memory_is_spread_out_over_the_healthy_patches(encoder):
    few, many = (patch_memory(encoder, memory=memory).fit(cases(), seed=0) for memory in (10, 100))
    assert len(few.memory_) == 10
    assert np.array_equal(few.memory_, many.memory_[:10])


def test_padim_refuses_slices_of_another_size(encoder):
    fitted = padim.Padim(padim.Config(encoder=encoder, levels=(0,)), ("T1w",)).fit(cases(), seed=0)
    with pytest.raises(ScanError, match="of another size than those learned"):
        fitted.score(phantom(0, shape=(40, 40, 4)))


def test_padim_knows_each_place(encoder):
    """Features that are normal elsewhere are abnormal here."""
    fitted = padim.Padim(padim.Config(encoder=encoder, levels=(0,), prior=1.0, smoothing_mm=0.0), ("T1w",))
    many = [phantom(seed) for seed in range(12)]
    fitted.fit(many, seed=0)
    case = phantom(20)
    shifted = replace(case, voxels=np.roll(case.voxels, 6, axis=1) * case.mask)
    middle = (slice(12, 20), slice(12, 20))
    assert fitted.score(shifted).values[middle].mean() > 1.5 * fitted.score(case).values[middle].mean()


def test_scikit_learn_that_learns_otherwise_is_noticed(encoder):
    config = latent.Config(encoder=encoder, levels=(1,), vectors=200)
    state = latent.Latent(config, ("T1w",)).fit(cases(), seed=0).state()
    state["learned.probe"] += 0.1
    with pytest.raises(ModelFileError, match="this scikit-learn learns otherwise"):
        latent.Latent(config, ("T1w",)).load_state(state)


def test_the_isolation_forest_is_0_at_its_contamination(encoder):
    config = latent.Config(encoder=encoder, levels=(1,), contamination=0.1)
    fitted = latent.Latent(config, ("T1w",)).fit(cases(), seed=0)
    assert np.mean(fitted.scorer_(fitted.vectors_) > 0) == pytest.approx(0.1, abs=0.02)


def test_a_dense_code_judges_the_slice_as_a_whole(tmp_path):
    settings = cae.Config(widths=(4, 8), latent=5, epochs=1, batch=4)
    dense = cae.ConvolutionalAutoencoder(settings, ("T1w",)).fit(cases(), seed=0)
    path = model_file(dense, tmp_path / "dense.safetensors")
    config = latent.Config(encoder=path, levels=(-1,), method="mahalanobis", smoothing_mm=0.0)
    case = phantom(9)
    values = latent.Latent(config, ("T1w",)).fit(cases(count=8), seed=0).score(case).values
    for k in range(4):
        assert np.ptp(values[..., k][case.mask[..., k]]) < 1e-5
