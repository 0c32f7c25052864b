"""Make the reference of the command line and of the Python API: python docs/make_reference.py [FOLDER].

Both are taken from the code, so they can't be out of date. `make docs` runs this.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import click
import typer.main

import sanum
from sanum.cli.app import app

REFERENCE = Path(__file__).parent / "reference"


def main(folder: Path) -> None:
    """Write `cli.md` and `api.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cli.md").write_text(cli_page(), encoding="utf-8")
    (folder / "api.md").write_text(api_page(), encoding="utf-8")


def verbs() -> dict[str, click.Command]:
    """Every command by what is typed, such as "sanum token make"."""
    return dict(_commands("sanum", typer.main.get_command(app)))


def _commands(typed: str, command: click.Command) -> list[tuple[str, click.Command]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(typed, command)]
    return [found for name, one in inner.items() for found in _commands(f"{typed} {name}", one)]


def cli_page() -> str:
    """All commands with their arguments and options, as Markdown."""
    parts = [
        "# Command line",
        "Exit codes: 0 done, 2 nothing was done, 3 done but not for all cases, 130 stopped.",
    ]
    for typed, command in verbs().items():
        parts += [f"## {typed}", inspect.cleandoc(command.help or "")]
        shown = [one for one in command.params if one.name != "help"]
        rows = [f"| {_names(one)} | {_told(one)} |" for one in shown]
        if rows:
            parts.append("\n".join(["| argument or option | |", "|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _names(parameter: click.Parameter) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or (parameter.name or '').upper()}`"
    return ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))


def _told(parameter: click.Parameter) -> str:
    said = str(getattr(parameter, "help", "") or "").replace("|", "\\|")
    kept = parameter.default
    plain = isinstance(kept, str | int | float | Path) and not isinstance(kept, bool) and str(kept) != ""
    return f"{said} Default: `{kept}`." if plain else said


def api_page() -> str:
    """All public names with their signatures and docstrings, as Markdown."""
    parts = [
        "# Python API",
        "What `import sanum` offers; [from Python](../python.md) tells how it goes together.",
    ]
    for name in sanum.__all__:
        if name.startswith("__"):
            continue
        found = getattr(sanum, name)
        if getattr(found, "__name__", name) != name:
            parts += [f"## sanum.{name}", f"Another name of `sanum.{found.__name__}`."]
            continue
        parts += [f"## sanum.{name}", _code(name, found)]
        if inspect.isclass(found):
            for method, function in sorted(vars(found).items()):
                if not method.startswith("_") and inspect.isfunction(function):
                    parts += [f"### {name}.{method}", _code(method, function)]
    return "\n\n".join(parts) + "\n"


def _code(name: str, found: object) -> str:
    try:
        signature = str(inspect.signature(found))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        signature = ""
    return f"```text\n{name}{signature}\n\n{inspect.getdoc(found) or ''}\n```"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REFERENCE)
