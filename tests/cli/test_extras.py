"""The base installation is enough for everything but the extras, and a missing extra says what to install."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sanum.cli.extras import EXTRAS, missing_extra

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "PIL": "pillow",
    "cc3d": "connected-components-3d",
    "dask_jobqueue": "dask-jobqueue",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Names of distributions that differ from what is imported."""
COME_ALONG = {
    "dask": "distributed",
    "openvino": "",
    "pandas": "",
}
"""Imported and installed with another package, or used only where it is there."""


def declared(requirements):
    return {re.match(r"[\w.-]+", one)[0].lower() for one in requirements}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        yield from (name.partition(".")[0] for name in names)


def test_every_import_is_declared_where_it_is_used():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    base = declared(project["dependencies"])
    for path in (ROOT / "src" / "sanum").rglob("*.py"):
        allowed = set(base)
        if {"service", "pacs"} & set(path.relative_to(ROOT / "src").parts) or path.name == "token.py":
            allowed |= declared(extras["serve"])
        for name in set(imported(path)) - set(sys.stdlib_module_names) - {"sanum"}:
            package = COME_ALONG.get(name, PACKAGES.get(name, name.replace("_", "-"))).lower()
            optional = any(name in EXTRAS[extra] for extra in ("cluster", "dicom", "onnx"))
            assert not package or optional or package in allowed, f"{path}: {name} is not declared"


def test_the_packages_of_an_extra_are_those_that_it_installs():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for name, packages in EXTRAS.items():
        found = {COME_ALONG.get(one, PACKAGES.get(one, one.replace("_", "-"))) for one in packages}
        assert found == declared(extras[name])
    assert extras["all"] == ["sanum[cluster,dicom,onnx,serve]"]


@pytest.mark.parametrize("verb", [["serve", "sanum-t1-restore"], ["token", "list"], ["listen", "pacs.toml"]])
def test_a_verb_without_its_extra_says_what_to_install(verb, tmp_path):
    code = (
        f"import sys\nsys.modules.update(apiflask=None, sqlalchemy=None)\nsys.argv = ['sanum', *{verb!r}]\n"
        "from sanum.cli.app import main\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert re.fullmatch(
        r"error: this needs the package (apiflask|sqlalchemy): pip install 'sanum\[serve\]'\n", done.stderr
    )


def test_a_package_of_no_extra_is_an_error_of_its_own():
    assert missing_extra(ModuleNotFoundError("no", name="numpy")) == ""
    assert missing_extra(ModuleNotFoundError("no", name="dask.distributed")).endswith("'sanum[cluster]'")
