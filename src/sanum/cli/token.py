"""`sanum token`: make, list and revoke the tokens that let clients in."""

from __future__ import annotations

import datetime
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sanum.cli.serve import DATA, Data, Database

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy.engine import Engine

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API tokens of a service.")

Name = Annotated[str, typer.Argument(help="Whose token it is; the audit log uses this name.")]


@app.command()
def make(
    name: Name,
    scope: Annotated[
        list[str],
        typer.Option(
            help="submit (sends, sees its own cases), read (sees all cases), read:NAME (sees those that token NAME sent) "
            "or admin; may be repeated."
        ),
    ],
    data: Data = DATA,
    database: Database = None,
) -> None:
    """Print a new token. It is shown this once: only its hash is kept."""
    from sanum.service.tokens import make_token

    print(make_token(_database(data, database), name, scope))
    print(f"token {name} made; it is not shown again", file=sys.stderr)


@app.command()
def revoke(name: Name, data: Data = DATA, database: Database = None) -> None:
    """Make a token worthless at once."""
    from sanum.service.tokens import revoke_token

    revoke_token(_database(data, database), name)
    print(f"token {name} revoked", file=sys.stderr)


@app.command("list")
def list_(data: Data = DATA, database: Database = None) -> None:
    """Print name, scopes, date and state of every token."""
    from sanum.service.tokens import list_tokens

    for token in list_tokens(_database(data, database)):
        made = datetime.datetime.fromtimestamp(token.created, datetime.UTC).date().isoformat()
        state = "valid" if token.revoked is None else "revoked"
        print("\t".join((token.name, ",".join(token.scopes), made, state)))


def _database(data: Path, url: str | None) -> Engine:
    from sanum.service.database import default_url, open_database

    return open_database(url or default_url(data))
