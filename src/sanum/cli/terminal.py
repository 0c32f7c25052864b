"""What verbs share: a progress bar, and the exit code when some cases did not make it."""

from __future__ import annotations

import typer

from sanum.workflow.progress import progress as progress

EXIT_PARTIAL = 3
"""The job is done, but some case failed or was refused: the output names each with its reason."""


def leave_partial() -> None:
    """End with the exit code for "done, but not for all cases"."""
    raise typer.Exit(EXIT_PARTIAL)
