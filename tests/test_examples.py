"""The examples in docstrings do what they say, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import sanum

ABOUT = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def with_examples():
    """Modules that hold an example; their text is read, so that no other is imported."""
    for found in pkgutil.walk_packages(sanum.__path__, "sanum."):
        spec = importlib.util.find_spec(found.name)
        if spec.origin.endswith(".py") and ">>> " in Path(spec.origin).read_text(encoding="utf-8"):
            yield found.name


@pytest.mark.parametrize("name", list(with_examples()))
def test_examples_do_what_they_say(name, cohort_path, store, model_path, tmp_path, capsys):
    given = {
        "sanum": sanum,
        "table": cohort_path,
        "scan": cohort_path.parent / "c11_T1w.nii.gz",
        "healthy_scan": cohort_path.parent / "c04_T1w.nii.gz",
        "prepared": store.folder,
        "model_file": model_path,
        "folder": tmp_path,
    }
    failed, tried = doctest.testmod(importlib.import_module(name), extraglobs=given, optionflags=ABOUT)
    assert tried
    assert not failed, capsys.readouterr().out


def test_every_public_name_has_an_example():
    """Its own, or a method's; results have it where they are made."""
    results = {"Detection", "Evaluation", "Cohort", "Finding", "AnomalyMap"}
    for name in set(sanum.__all__) - results - {"__version__"}:
        assert ">>> " in inspect.getsource(getattr(sanum, name)), f"sanum.{name} has no example"
