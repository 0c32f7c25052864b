"""A bar on standard error or in a notebook; in a log, a line now and then."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


QUIET_SECONDS = 10.0
"""Least time between two lines in a log."""


@contextlib.contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[str], None]]:
    """Show a bar; yields a function that advances it and sets its note.

    `total` is None where it is not known before.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal and not console.is_jupyter:
        yield _lines(title, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=_bare_notebook(console)) as bar:
        task = bar.add_task(title, total=total, note="")

        def advance(note: str) -> None:
            bar.update(task, advance=1, note=note)

        yield advance


def _lines(title: str, total: int | None) -> Callable[[str], None]:
    done, last = 0, time.monotonic()

    def advance(note: str) -> None:
        nonlocal done, last
        done += 1
        if time.monotonic() - last >= QUIET_SECONDS:
            last = time.monotonic()
            print(f"{title}: {done}{f' of {total}' if total else ''} {note}", file=sys.stderr, flush=True)

    return advance


def _bare_notebook(console: Console) -> bool:
    """A notebook without ipywidgets, where rich would print a warning in place of each bar."""
    return console.is_jupyter and importlib.util.find_spec("ipywidgets") is None
