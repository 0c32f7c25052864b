"""The reference is made from the code; what has no words of its own, or no page, fails here."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_verb_argument_and_option_is_told(reference):
    page = reference.cli_page()
    for typed, command in reference.verbs().items():
        assert command.help, f"{typed} has no docstring"
        for one in command.params:
            assert getattr(one, "help", None), f"{typed}: {one.name} has no help"
            for name in one.opts if one.param_type_name == "option" else ():
                assert f"`{name}`" in page


def test_every_verb_stands_on_a_page_that_a_person_wrote(reference):
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "detectors").glob("*.md")]
    text = "\n".join(page.read_text() for page in pages)
    for typed in reference.verbs():
        assert typed in text, f"no page says `{typed}`"
