"""Frozen dataclasses to JSON and back, strictly: an unknown key is an error that names the nearest one."""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sanum.core.errors import ConfigError
from sanum.core.files import json_sha256

T = TypeVar("T")

_LATER = "sanum_later"
_FORMERLY = "sanum_formerly"

SCORING_DEVICE = "SANUM_DEVICE"
"""Environment variable that names the device on which networks score; the CPU by default."""


def to_dict(config: Any) -> dict[str, Any]:
    """Plain JSON form of a config dataclass: every field, those at their default as well."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config)}


def from_dict(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """Build the dataclass `kind` from plain values.

    Args:
        kind: a dataclass whose fields are plain values, tuples, literals or dataclasses.
        values: one entry a field, by its present or its former name; missing ones take the default.
        where: name of the file or section, for messages.

    Raises:
        ConfigError: an unknown key, a missing one, or a value of another type or range.
    """
    place = where or kind.__name__
    values = present_names(kind, values, place)
    _refuse_unknown_keys(kind, values, place)
    try:
        return msgspec.convert(values, kind, strict=True)
    except (msgspec.ValidationError, ValueError) as error:
        raise ConfigError(f"{place}: {error}") from error


def later(default: T, former: str = "", **metadata: Any) -> T:
    """A field that a config gained later: at its default it leaves the config's identity as it was before.

    So model files and checkpoints from before the setting was there stay valid. `former` is as in `formerly`, `metadata`
    what else the field should tell.
    """
    renamed = {_FORMERLY: former} if former else {}
    made: T = dataclasses.field(default=default, metadata={_LATER: True, **renamed, **metadata})
    return made


def formerly(name: str, default: Any = dataclasses.MISSING, *, factory: Any = dataclasses.MISSING) -> Any:
    """A field that was called `name` once: files with that name still load, and identities still use it.

    So model files and checkpoints from before the renaming stay valid.
    """
    return dataclasses.field(default=default, default_factory=factory, metadata={_FORMERLY: name})


def present_names(kind: type[Any], values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """Values with every former name of a field replaced by the present one, at any depth, also in names with dots.

    Raises:
        ConfigError: a field is given by both of its names.
    """
    hints = typing.get_type_hints(kind)
    present = {
        field.metadata[_FORMERLY]: field.name
        for field in dataclasses.fields(kind)
        if _FORMERLY in field.metadata
    }
    result: dict[str, Any] = {}
    for key, value in values.items():
        first, dot, rest = key.partition(".")
        name = present.get(first, first)
        inner = _dataclass_of(hints.get(name))
        if inner is not None and dot:
            rest, value = next(iter(present_names(inner, {rest: value}, where).items()))
        elif inner is not None and isinstance(value, Mapping):
            value = present_names(inner, value, where)
        if name + dot + rest in result:
            raise ConfigError(f"{where}: {first!r} is now called {name!r}; give it once, by the new name")
        result[name + dot + rest] = value
    return result


def config_sha256(config: Any) -> str:
    """Identity of a config: SHA-256 over its canonical JSON with its class name."""
    return json_sha256({"kind": type(config).__name__, **identity_of(config)})


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: the file is missing or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def overlaid(base: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings over others; a name with dots, `lesions.bright`, changes one setting of a table and keeps its others."""
    result = dict(base)
    for name, value in settings.items():
        table, dot, inner = name.partition(".")
        if dot:
            kept = result.get(table, {})
            result[table] = overlaid(kept if isinstance(kept, Mapping) else {}, {inner: value})
        else:
            result[table] = value
    return result


def parse_settings(settings: typing.Iterable[str]) -> dict[str, Any]:
    """Turn command-line settings `key=value` into values, each read as TOML, else as text.

    Raises:
        ConfigError: a setting without `=`.
    """
    values: dict[str, Any] = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"setting {setting!r}: expected key=value")
        try:
            values[key.strip()] = tomllib.loads(f"value = {text.strip()}")["value"]
        except tomllib.TOMLDecodeError:
            values[key.strip()] = text.strip()
    return values


def did_you_mean(word: str, known: typing.Iterable[str]) -> str:
    """A closing sentence for an error: the nearest known word, or all of them."""
    known = sorted(known)
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _plain(value: Any) -> Any:
    """msgspec leaves out fields that it set to their default itself, so dataclasses are taken apart here."""
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, tuple | list):
        return [_plain(entry) for entry in value]
    return msgspec.to_builtins(value)


def identity_of(config: Any) -> dict[str, Any]:
    """As `to_dict`, without `later` fields at their default, at any depth: the same however many fields are gained."""
    kept = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if not (field.metadata.get(_LATER) and value == field.default):
            kept[field.metadata.get(_FORMERLY, field.name)] = (
                identity_of(value) if dataclasses.is_dataclass(value) else _plain(value)
            )
    return kept


def _refuse_unknown_keys(kind: type[Any], values: Mapping[str, Any], place: str) -> None:
    hints = typing.get_type_hints(kind)
    for key, value in values.items():
        if key not in hints:
            raise ConfigError(f"{place}: unknown key {key!r}; {did_you_mean(key, hints)}")
        inner = _dataclass_of(hints[key])
        if inner is not None and isinstance(value, Mapping):
            _refuse_unknown_keys(inner, value, f"{place}.{key}")


def _dataclass_of(hint: Any) -> type[Any] | None:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next((option for option in options if dataclasses.is_dataclass(option)), None)  # type: ignore[return-value]
