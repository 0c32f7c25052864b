"""What the package imports, it declares: an install must not live on what another package brings along."""

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEVER_ON_WINDOWS = ("resource", "fcntl", "pwd", "grp", "termios")


def imports(path: Path, *, everywhere: bool) -> set[str]:
    """Top names of the modules that a file imports: anywhere in it, or when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_every_package_that_is_imported_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [
        *project["dependencies"],
        *(one for group in project["optional-dependencies"].values() for one in group),
    ]
    declared = {re.split(r"[ <>=!;\[]", line)[0].lower().replace("_", "-") for line in lines}
    distributions = packages_distributions()
    lacking = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for name in imports(path, everywhere=True) - sys.stdlib_module_names - {"sanum", "__future__"}:
            owners = {owner.lower().replace("_", "-") for owner in distributions.get(name, [name])}
            if not owners & declared:
                lacking[name] = str(path.relative_to(ROOT))
    assert lacking == {}


@pytest.mark.parametrize(
    "room", ["core", "cohort", "formats", "prepare", "detectors", "calibrate", "report", "workflow"]
)
def test_judging_scans_imports_nothing_that_windows_lacks(room: str) -> None:
    """The service needs a Unix; `sanum.load` must not."""
    for path in sorted((ROOT / "src" / "sanum" / room).rglob("*.py")):
        assert not imports(path, everywhere=False) & set(NEVER_ON_WINDOWS), path
