"""One self-contained HTML page: inline style, inline pictures, no script, nothing fetched."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from sanum.core.records import NOTICE


def render(template: str, script: str = "", **values: Any) -> str:
    """Fill a template of this room, escaping every value; what is no UTF-8 becomes a question mark.

    Args:
        template: name of a file in `templates`.
        script: the only script that the page may run, written into it by the template; none by default.
        values: what the template asks for.
    """
    text = (
        _templates()
        .get_template(template)
        .render(
            style=Markup(style()),
            policy=content_policy(script),
            script=Markup(script),
            notice=NOTICE,
            **values,
        )
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def inline_png(picture: bytes) -> str:
    """A PNG as a data address."""
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def inline_svg(picture: bytes) -> str:
    """An SVG as a data address."""
    return "data:image/svg+xml;base64," + base64.b64encode(picture).decode("ascii")


@cache
def style() -> str:
    """The style sheet that all pages share."""
    return resources.files("sanum.report").joinpath("templates", "style.css").read_text(encoding="utf-8")


@cache
def content_policy(script: str = "") -> str:
    """Content security policy of a page: inline pictures, the one style sheet and `script`, nothing else."""
    policy = f"default-src 'none'; img-src data:; style-src '{_digest(style())}'; base-uri 'none'"
    return f"{policy}; script-src '{_digest(script)}'" if script else policy


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def number(value: Any) -> str:
    """A number as a person reads it: four significant digits, large ones and integers whole."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or 1e4 <= abs(value) < 1e15:
        return f"{value:.0f}"
    return f"{value:.4g}"


def plain(value: Any) -> str:
    """A JSON-plain value in one line of words."""
    if value is None or value in ("", [], (), {}):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{label(key)}: {plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(inner) for inner in value)
    return number(value)


def label(key: str) -> str:
    """A record's key as a row heading."""
    return key.replace("_", " ")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sanum.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, plain=plain, label=label, inline_png=inline_png, inline_svg=inline_svg
    )
    return environment
