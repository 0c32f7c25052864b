"""A page with one table."""

from __future__ import annotations

from collections.abc import Sequence

from sanum.report import page


def table_page(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], note: str) -> str:
    """One self-contained HTML page with a table of text cells.

    Args:
        title: of the page.
        header: one heading a column.
        rows: one cell a column each.
        note: what the figures are.
    """
    return page.render("table.html.j2", title=title, header=header, rows=rows, note=note)
