"""A shipped name stands for its file, a file wins over a name, and the package is never written into."""

from __future__ import annotations

from pathlib import Path

import pytest

from sanum.core import shipped
from sanum.core.errors import ConfigError, ModelFileError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made = tmp_path / "package"
    made.mkdir()
    (made / "made-up.safetensors").write_bytes(b"weights")
    (made / "made-up.md").write_text("# made-up\n", encoding="utf-8")
    monkeypatch.setattr(shipped, "FOLDER", made)
    monkeypatch.chdir(tmp_path)
    return made


def test_a_name_stands_for_the_file(folder: Path) -> None:
    assert shipped.find_model(Path("made-up")) == folder / "made-up.safetensors"
    assert shipped.model_card("made-up").startswith("# made-up")


def test_a_file_of_the_user_wins(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "made-up").write_bytes(b"mine")
    assert shipped.find_model(Path("made-up")) == Path("made-up")


def test_an_unknown_name_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(ModelFileError, match="did you mean 'made-up'"):
        shipped.find_model(Path("made-upp"))
    with pytest.raises(ConfigError, match="made-up"):
        shipped.model_card("other")


def test_nothing_is_written_into_the_package(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--out"):
        shipped.refuse_to_write_beside(folder / "made-up.onnx")
    shipped.refuse_to_write_beside(tmp_path / "made-up.onnx")


def test_each_shipped_model_has_a_card_and_all_are_small() -> None:
    models = shipped.shipped_models()
    assert sum(path.stat().st_size for path in models.values()) < 60e6, "all together stay below 60 MB"
    for name in models:
        assert f"# {name}" in shipped.model_card(name)
