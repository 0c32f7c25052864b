"""The `sanum` command and its verbs. Heavy libraries load inside the verb that needs them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sanum import __version__
from sanum.cli import (
    benchmark,
    bids,
    calibrate,
    check,
    cohort,
    data,
    demo,
    detect,
    detectors,
    drift,
    evaluate,
    export,
    guarantee,
    inject,
    inspect,
    listen,
    models,
    pairs,
    plant,
    prepare,
    render,
    serve,
    tissues,
    token,
    train,
    worker,
)
from sanum.cli.extras import missing_extra
from sanum.core.errors import SanumError

EXIT_ERROR = 2
"""Nothing was done, or the job stopped: the message says why."""

EXIT_STOPPED = 130
"""What typer makes of Ctrl-C."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Learns what normal brains look like from normal scans alone, then finds what is not normal "
    "in a new one. Research software, not a medical device.",
)

for verb in (
    cohort,
    prepare,
    render,
    check,
    tissues,
    train,
    calibrate,
    detect,
    bids,
    plant,
    evaluate,
    pairs,
    inject,
    guarantee,
    benchmark,
    drift,
    export,
    serve,
    worker,
    listen,
    inspect,
    detectors,
    models,
    demo,
):
    app.command(verb.__name__.rpartition(".")[2])(verb.run)
app.add_typer(token.app, name="token")
app.add_typer(data.app, name="data")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"sanum {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None: ...


def main() -> None:
    """Run the command; an error that a user can mend is one line and exit code 2."""
    try:
        app()
    except SanumError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(EXIT_ERROR) from None
    except ModuleNotFoundError as error:
        if not (advice := missing_extra(error)):
            raise
        print(f"error: {advice}", file=sys.stderr)
        raise SystemExit(EXIT_ERROR) from None
    except SystemExit as end:
        if end.code == EXIT_STOPPED:
            print("stopped; what was finished is kept", file=sys.stderr)
        raise
