"""Presets are strict, plain to store, and have one identity each."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import pytest

from sanum.core.errors import ConfigError
from sanum.prepare.presets import (
    PRESETS,
    Slices,
    Template,
    preparation_from_dict,
    preparation_sha256,
    preparation_to_dict,
)

ALL = [
    Slices(),
    Slices(("FLAIR",), scaling="minmax", crop="full"),
    Template(),
    Template(("T1w", "FLAIR"), 3.0, (64, 64, 48)),
]


@pytest.mark.parametrize("preparation", ALL)
def test_a_preparation_survives_the_way_to_json_and_back(preparation):
    again = preparation_from_dict(preparation_to_dict(preparation))
    assert again == preparation
    assert preparation_sha256(again) == preparation_sha256(preparation)


def test_every_setting_changes_the_identity():
    others = {
        "modalities": ("FLAIR",),
        "trim": 0.2,
        "empty": 0.5,
        "near_zero": 0.05,
        "size": 64,
        "scaling": "minmax",
        "crop": "full",
        "margin": 0.1,
        "spacing": 2.0,
        "shape": (64, 64, 48),
        "median": 0.4,
        "brain": "given-or-extracted",
        "ct_windows": ("brain",),
        "coregister": False,
        "region": "head",
    }
    for preset in PRESETS.values():
        for field in dataclasses.fields(preset):
            usual = preset(("T1w", "CT")) if field.name in ("ct_windows", "coregister") else preset()
            another = others.get(field.name, not field.default)
            changed = dataclasses.replace(usual, **{field.name: another})
            assert preparation_sha256(changed) != preparation_sha256(usual), field.name
    assert preparation_sha256(Slices()) != preparation_sha256(Template())


@pytest.mark.parametrize(
    ("preparation", "before"),
    [
        (Slices(), "1a01d17af27eb51c940a5e8b684f49ffe84e8dd4e9707d7e1ad230d54b50829e"),
        (Template(), "6672f274a16929a16d15001e72f1023fa87c09402ab79063d886febb468b05b4"),
    ],
)
def test_models_from_before_whole_heads_were_taken_stay_valid(preparation, before):
    """The field `brain` came later; at its default it must not change the identity that model files hold."""
    assert preparation_sha256(preparation) == before


def test_ct_has_one_channel_a_window():
    assert Template(("T1w", "CT")).channels == ("T1w", "CT:brain", "CT:subdural", "CT:bone")
    assert Slices(("CT", "T1w"), ct_windows=("bone", "brain")).channels == ("CT:bone", "CT:brain", "T1w")
    assert Slices(("CT",), ct_windows=()).channels == ("CT",)
    assert Slices(("CT",), scaling="minmax", crop="full").channels == ("CT",)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "no preset"),
        ({"preset": "slice"}, "did you mean 'slices'"),
        ({"preset": "slices", "trimm": 0.1}, "unknown key 'trimm'; did you mean 'trim'"),
        ({"preset": "slices", "trim": 0.5}, "trim: expected 0.0 to 0.49, got 0.5"),
        ({"preset": "slices", "scaling": "max"}, "scaling"),
        ({"preset": "slices", "size": "128"}, "size"),
        ({"preset": "template", "modalities": []}, "modalities: expected one or more"),
        ({"preset": "template", "modalities": ["T1w", "T1w"]}, "different names"),
        ({"preset": "template", "modalities": ["T1"]}, "unknown 'T1'; did you mean 'T1w'"),
        ({"preset": "template", "shape": [128, 128]}, "shape"),
        ({"preset": "slices", "ct_windows": ["brian"]}, "ct_windows: unknown 'brian'; did you mean 'brain'"),
        ({"preset": "template", "ct_windows": ["bone", "bone"]}, "ct_windows: expected different names"),
        ({"preset": "template", "spacing": 0.0}, "spacing: expected 0.05"),
    ],
)
def test_a_wrong_setting_is_named(values, message):
    with pytest.raises(ConfigError, match=message):
        preparation_from_dict(values)


def test_presets_and_store_stay_light():
    """Verbs that only look at a store must not pay for registration libraries."""
    heavy = "{'scipy', 'SimpleITK', 'nilearn', 'sklearn', 'torch', 'nibabel'}"
    program = f"import sys, sanum.prepare.presets, sanum.prepare.store; print({heavy} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"
