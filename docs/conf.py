"""How the documentation is built: `make docs`. Nothing is fetched from outside, and a broken link is an error."""

import re
from pathlib import Path

project = "sanum"
author = "the sanum authors"
copyright = "the sanum authors, Apache-2.0"
extensions = ["myst_nb"]
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_output_stderr = "remove"
html_theme = "furo"
html_title = "sanum"
html_show_sphinx = False
html_show_sourcelink = False
highlight_language = "none"
html_static_path: list[str] = []
html_extra_path = ["gallery"]
exclude_patterns = ["gallery", "site"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]

_OUTSIDE = re.compile(r"\]\((?:\.\./)+(?!docs/)([^)#]+)(?:#[^)]*)?\)")


def _outside_links_as_text(app: object, docname: str, source: list[str]) -> None:
    """Files beside the pages are part of the repository, not of these pages: name them instead of linking."""
    del app
    here = Path(__file__).parent

    def named(match: re.Match[str]) -> str:
        inside = (here / Path(docname).parent / match.group(0)[2:-1].split("#")[0]).resolve()
        return match.group(0) if inside.is_relative_to(here) else f"] (`{match.group(1)}`)"

    source[0] = re.sub(r"\[([^\]]*)\] \(`([^`]*)`\)", r"\1 (`\2`)", _OUTSIDE.sub(named, source[0]))


def _formats(app: object, docname: str, source: list[str]) -> None:
    """The table of what is read, from the code that reads it."""
    from sanum.core.names import FORMATS

    del app, docname
    rows = [f"| {one.name} | {', '.join(f'`{suffix}`' for suffix in one.suffixes)} | {one.notes} |" for one in FORMATS]
    source[0] = source[0].replace("<!-- formats -->", "\n".join(["| format | names | notes |", "|---|---|---|", *rows]))


def setup(app: object) -> None:
    """Register the above with Sphinx."""
    app.connect("source-read", _outside_links_as_text)  # type: ignore[attr-defined]
    app.connect("source-read", _formats)  # type: ignore[attr-defined]
