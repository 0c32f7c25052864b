"""Configs: a mistyped key or value must never be taken silently."""

from dataclasses import dataclass

import pytest

from sanum.core.config import (
    config_sha256,
    formerly,
    from_dict,
    later,
    parse_settings,
    present_names,
    read_toml,
    to_dict,
)
from sanum.core.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True)
class Outer:
    epochs: int = 3
    rate: float = 0.1
    inner: Inner = Inner()
    names: tuple[str, ...] = ("T1w",)

    def __post_init__(self) -> None:
        if self.epochs < 0:
            raise ValueError("epochs: expected 0 or more")


def test_plain_form_comes_back_the_same():
    config = Outer(epochs=5, inner=Inner(7), names=("CT", "T1w"))
    assert from_dict(Outer, to_dict(config)) == config


def test_defaults_are_written_out_however_the_config_was_made():
    """A later version may have other defaults; a config read back must not change with them."""
    for config in (Outer(epochs=5), from_dict(Outer, {"epochs": 5})):
        assert to_dict(config) == {
            "epochs": 5,
            "rate": 0.1,
            "inner": {"depth": 2},
            "names": ["T1w"],
        }
    assert config_sha256(Outer(epochs=5)) == config_sha256(from_dict(Outer, {"epochs": 5}))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"inner": {"dept": 3}}, r"Outer\.inner: unknown key 'dept'; did you mean 'depth'"),
        ({"epochs": "many"}, "Expected `int`"),
        ({"epochs": -1}, "expected 0 or more"),
        ({"zzz": 1}, "known: epochs, inner, names, rate"),
    ],
)
def test_wrong_settings_are_refused_by_name(values, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(Outer, values)


def test_the_hash_tells_values_and_kinds_apart():
    assert config_sha256(Outer()) == config_sha256(Outer())
    assert config_sha256(Outer()) != config_sha256(Outer(epochs=4))

    @dataclass(frozen=True)
    class Other:
        depth: int = 2

    assert config_sha256(Inner()) != config_sha256(Other())


def test_settings_are_read_as_toml_and_else_as_text():
    assert parse_settings(["epochs=3", "rate = 0.5", "name=strided", "on=true"]) == {
        "epochs": 3,
        "rate": 0.5,
        "name": "strided",
        "on": True,
    }
    with pytest.raises(ConfigError, match="key=value"):
        parse_settings(["epochs"])


def test_a_missing_or_broken_toml_file_says_so(tmp_path):
    with pytest.raises(ConfigError, match="can't be read"):
        read_toml(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("epochs = ")
    with pytest.raises(ConfigError, match="not valid TOML"):
        read_toml(tmp_path / "bad.toml")


def test_a_setting_added_later_changes_the_identity_only_where_it_is_used():
    @dataclass(frozen=True)
    class Before:
        depth: int = 2

    @dataclass(frozen=True)
    class After:
        depth: int = 2
        attention: bool = later(False)

    @dataclass(frozen=True)
    class Around:
        inner: object

    After.__name__ = "Before"
    assert config_sha256(After()) == config_sha256(Before())
    assert config_sha256(After(attention=True)) != config_sha256(Before())
    assert config_sha256(Around(After())) == config_sha256(Around(Before()))
    assert to_dict(After()) == {"depth": 2, "attention": False}


@dataclass(frozen=True)
class Tail:
    length: int = formerly("extent", 3)


@dataclass(frozen=True)
class Renamed:
    tail: Tail = formerly("end", factory=Tail)


def test_former_names_load_and_give_the_same_config():
    assert from_dict(Renamed, {"end": {"extent": 5}}) == Renamed(Tail(5))
    assert to_dict(Renamed(Tail(5))) == {"tail": {"length": 5}}
    assert present_names(Renamed, {"end.extent": 5}) == {"tail.length": 5}


def test_a_setting_by_both_its_names_is_refused():
    with pytest.raises(ConfigError, match="'extent' is now called 'length'; give it once"):
        from_dict(Tail, {"length": 1, "extent": 2})


def test_a_renamed_field_leaves_the_identity_as_it_was():
    """The hashes of shipped models and of checkpoints were taken with the former names."""

    @dataclass(frozen=True)
    class Tail:
        extent: int = 3

    @dataclass(frozen=True)
    class Before:
        end: Tail = Tail()

    Before.__name__ = "Renamed"
    assert config_sha256(Before()) == config_sha256(Renamed())
