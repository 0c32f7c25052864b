"""Models that come with the package: a name of theirs may stand wherever a model file may."""

from __future__ import annotations

from pathlib import Path

from sanum.core.config import did_you_mean
from sanum.core.errors import ConfigError, ModelFileError

FOLDER = Path(__file__).parents[1] / "shipped"
"""One model file each, and beside it its card as Markdown."""

DEFAULT_MODEL = "sanum-brain"
"""The shipped model that judges where none is named."""


def shipped_models() -> dict[str, Path]:
    """Model files that come with the package, by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.safetensors"))}


def find_model(path: Path) -> Path:
    """The model file that is meant: the path itself, or else the shipped model of this name.

    Raises:
        ModelFileError: neither a file nor a shipped model.
    """
    if path.exists():
        return path
    shipped = shipped_models()
    if str(path) in shipped:
        return shipped[str(path)]
    raise ModelFileError(
        f"{path}: no such model file, and no model of this name comes with sanum ({did_you_mean(str(path), shipped)})"
    )


def model_card(name: str) -> str:
    """The card of a shipped model, as Markdown.

    Raises:
        ConfigError: no such model.
    """
    shipped = shipped_models()
    if name not in shipped:
        raise ConfigError(f"no model {name!r} comes with sanum; {did_you_mean(name, shipped)}")
    return shipped[name].with_suffix(".md").read_text(encoding="utf-8")


def refuse_to_write_beside(path: Path) -> None:
    """Stop where a result would be written into the package.

    Raises:
        ConfigError: the path lies in the package's own folder of models.
    """
    if path.resolve().is_relative_to(FOLDER):
        raise ConfigError(f"{path.name} would be written into the package itself; name a file with --out")
