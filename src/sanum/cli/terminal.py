"""What verbs share: a progress bar, and the exit code when some cases did not make it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

import typer

from sanum.training.run import Progress
from sanum.workflow.progress import progress as progress

EXIT_PARTIAL = 3
"""The job is done, but some case failed or was refused: the output names each with its reason."""


def leave_partial() -> None:
    """End with the exit code for "done, but not for all cases"."""
    raise typer.Exit(EXIT_PARTIAL)


@contextlib.contextmanager
def training_progress() -> Iterator[Callable[[Progress], None]]:
    """Show training on standard error: a bar on a terminal, a line an epoch in a log.

    Yields the function that takes the loop's reports.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log_epoch
        return
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"))
    with Bar(*columns, console=console) as bar:
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
