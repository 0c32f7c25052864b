"""Recipes resolve strictly: what is misspelt is refused, what is set wins."""

from dataclasses import replace

import pytest

from sanum.core.config import config_sha256
from sanum.core.errors import ConfigError
from sanum.core.records import Summary
from sanum.detectors.recipes import RECIPES, resolve_recipe


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_resolves(name):
    plan = resolve_recipe(name, {})
    assert plan.name == name
    assert plan.detector == RECIPES[name].detector


def test_the_classic_presets_are_those_of_the_literature():
    strided, pooled = (resolve_recipe(name, {}).config for name in ("cae-strided", "cae-pooled"))
    assert (strided.widths, strided.downsampling, strided.batch) == ((16, 32, 64), "stride", 32)
    assert (pooled.widths, pooled.downsampling, pooled.batch) == ((32, 64, 128), "pool", 16)
    assert (strided.epochs, pooled.epochs, pooled.validation_share) == (30, 20, 0.1)
    assert strided.learning_rate == 1e-3


def test_cae_is_the_strided_preset_with_the_classic_slice_score():
    assert resolve_recipe("cae", {}).config == resolve_recipe("cae-strided", {}).config
    assert resolve_recipe("cae", {}).summary == Summary("slice")


def test_a_setting_wins_over_the_recipe():
    assert resolve_recipe("cae-pooled", {"epochs": 2, "widths": [4]}).config.widths == (4,)


def test_a_misspelt_recipe_names_the_nearest():
    with pytest.raises(ConfigError, match="unknown recipe 'cae-stride'; did you mean 'cae-strided'"):
        resolve_recipe("cae-stride", {})


def test_a_misspelt_setting_names_recipe_and_nearest():
    with pytest.raises(ConfigError, match="recipe cae: unknown key 'epoch'; did you mean 'epochs'"):
        resolve_recipe("cae", {"epoch": 3})


@pytest.mark.parametrize(
    ("recipe", "setting", "value"),
    [
        ("cae", "epochs", 0),
        ("cae", "batch", -1),
        ("cae", "learning_rate", 0.0),
        ("cae", "learning_rate", float("inf")),
        ("cae", "validation_share", 1.0),
        ("cae", "widths", []),
        ("cae", "downsampling", "stretch"),
        ("cae", "epochs", "ten"),
        ("intensity", "sign", "up"),
        ("intensity", "smoothing_mm", -1.0),
        ("intensity", "smoothing_mm", float("nan")),
        ("atlas", "smoothing_mm", -1.0),
        ("atlas", "least_spread", 0.0),
    ],
)
def test_impossible_values_are_refused(recipe, setting, value):
    with pytest.raises(ConfigError, match=f"recipe {recipe}.*({setting}|Invalid|Expected)"):
        resolve_recipe(recipe, {setting: value})


def test_a_recipe_file_starts_from_a_recipe_and_overrides_win(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text('recipe = "cae-pooled"\n[config]\nepochs = 3\nbatch = 8\n')
    plan = resolve_recipe(str(path), {"batch": 4})
    assert (plan.name, plan.detector, plan.config.epochs, plan.config.batch) == ("short", "cae", 3, 4)
    assert plan.config.downsampling == "pool"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('recipe = "cae-poold"', "did you mean 'cae-pooled'"),
        ('recipee = "cae"', "did you mean 'recipe'"),
        ('recipe = "cae"\n[config]\nepoch = 3', "did you mean 'epochs'"),
        ("epochs = ", "not valid TOML"),
    ],
)
def test_a_faulty_recipe_file_is_refused(tmp_path, text, message):
    path = tmp_path / "faulty.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        resolve_recipe(str(path), {})


def test_a_missing_recipe_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.toml: can't be read"):
        resolve_recipe(str(tmp_path / "none.toml"), {})


def test_a_dotted_setting_changes_one_entry_of_a_table_and_keeps_the_others():
    plain, changed = (
        resolve_recipe("restore-slices", given).config for given in ({}, {"lesions.bright": 0.5})
    )
    assert changed.lesions.bright == 0.5
    assert replace(changed.lesions, bright=plain.lesions.bright) == plain.lesions
    with pytest.raises(ConfigError, match="did you mean 'bright'"):
        resolve_recipe("restore-slices", {"lesions.brigt": 0.5})


@pytest.mark.parametrize(
    ("recipe", "identity"),
    [
        ("restore-volume", "db673df4e1caef21"),
        ("restore-3d", "0582f673d063ef31"),
        ("cross-modal", "79704677d8b6c243"),
    ],
)
def test_configs_keep_the_identity_that_models_were_trained_with(recipe, identity):
    """From before settings were renamed: model files and checkpoints of then must stay valid."""
    assert config_sha256(resolve_recipe(recipe, {}).config)[:16] == identity


def test_settings_by_their_former_names_still_reach_a_recipe():
    former = "healthy.turn"
    now, then = (
        resolve_recipe("restore-volume", {name: 0.2}).config for name in ("augmentation.rotation", former)
    )
    assert now == then
    assert now.augmentation.rotation == 0.2
