"""What results are made of is told where a reader looks: a record's fields in its docstring, a recipe on a page."""

import dataclasses
import importlib
import re
from pathlib import Path

import pytest

from sanum.detectors.recipes import RECIPES

DOCS = Path(__file__).parents[2] / "docs"
MODULES = (
    "sanum.core.records",
    "sanum.core.findings",
    "sanum.core.quality",
    "sanum.cohort.table",
    "sanum.evaluation.summary",
    "sanum.model",
    "sanum.prepare.presets",
    "sanum.workflow.detection",
)


def records():
    for name in MODULES:
        module = importlib.import_module(name)
        for kind in vars(module).values():
            if (
                dataclasses.is_dataclass(kind)
                and kind.__module__ == name
                and not kind.__name__.startswith("_")
            ):
                yield kind


@pytest.mark.parametrize("kind", list(records()), ids=lambda kind: kind.__name__)
def test_every_field_of_a_record_is_told(kind):
    told = " ".join(base.__doc__ or "" for base in kind.__mro__ if base is not object)
    for field in dataclasses.fields(kind):
        assert re.search(rf"\b{field.name}\b", told), f"{kind.__name__}.{field.name} stands in no docstring"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_stands_on_a_page(name):
    pages = [*DOCS.glob("*.md"), *(DOCS / "detectors").glob("*.md")]
    assert any(f"`{name}`" in page.read_text() or f"--recipe {name}" in page.read_text() for page in pages), (
        name
    )
