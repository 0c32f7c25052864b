"""What an environment with sanum takes on the disk without torch, package by package.

    python -m benchmarks.install_size [EXTRA ...]

Sums the installed files (1 MB = 10^6 bytes, byte code included) of the requirements in `pyproject.toml` and of all that
they require, as pip recorded them; torch and what only torch requires are left out. Needs `packaging`.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LEFT_OUT = ("torch",)

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def main(extras: list[str]) -> None:
    """Print the table, largest first."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    texts = [*project["dependencies"]]
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    sizes = {name: size_mb(name) for name in closure(texts)}
    for name, size in sorted(sizes.items(), key=lambda item: -item[1]):
        if size >= 1.0:
            print(f"| {name} | {size:.0f} |")
    small = [size for size in sizes.values() if size < 1.0]
    print(f"| {len(small)} others | {sum(small):.0f} |\n| together | {sum(sizes.values()):.0f} |")


def closure(texts: list[str]) -> set[str]:
    """All packages that are installed because of some requirements."""
    found: set[str] = set()
    left = [(text, "") for text in texts]
    seen: set[tuple[str, str]] = set()
    while left:
        text, extra = left.pop()
        one = Requirement(text)
        name = canonicalize_name(one.name)
        if name in LEFT_OUT or (one.marker is not None and not one.marker.evaluate({"extra": extra})):
            continue
        found.add(name)
        for wanted in one.extras or {""}:
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                left += [(required, wanted) for required in distribution(name).requires or []]
    return found


def size_mb(name: str) -> float:
    """Size of the files that a package installed."""
    files = [found.locate() for found in distribution(name).files or ()]
    return sum(path.stat().st_size for path in files if path.is_file()) / 1e6


if __name__ == "__main__":
    main(sys.argv[1:])
