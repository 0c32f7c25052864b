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

    from sanum.training.run import Progress

QUIET_SECONDS = 10.0
"""Least time between two lines in a log."""


@contextlib.contextmanager
def progress(title: str, total: int | None) -> Iterator[Callable[[str], None]]:
    """Show a bar; yields a function that advances it and sets its note.

    `total` is None where it is not known before.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

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
    with Bar(*columns, console=console, disable=_bare_notebook(console)) as bar:
        task = bar.add_task(title, total=total, note="")

        def advance(note: str) -> None:
            bar.update(task, advance=1, note=note)

        yield advance


@contextlib.contextmanager
def training_progress() -> Iterator[Callable[[Progress], None]]:
    """Show training on standard error: a bar on a terminal, a line an epoch in a log.

    Yields the function that takes the loop's reports.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal and not console.is_jupyter:
        yield _log_epoch
        return
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Bar(*columns, console=console, disable=_bare_notebook(console)) as bar:
        task = bar.add_task("training", total=None, note="")

        def show(report: Progress) -> None:
            bar.update(task, completed=report.epoch, total=report.epochs, note=_training_note(report))

        yield show


def _log_epoch(report: Progress) -> None:
    if report.epoch_ended:
        print(
            f"epoch {report.epoch} of {report.epochs}: {_training_note(report)}", file=sys.stderr, flush=True
        )


def _training_note(report: Progress) -> str:
    validation = "" if report.validation_loss is None else f", validation {report.validation_loss:.5f}"
    return (
        f"loss {report.loss:.5f}{validation}, {report.images_per_second:.0f} images/s, "
        f"{report.seconds_left:.0f} s left"
    )


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
