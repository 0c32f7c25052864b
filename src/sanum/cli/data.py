"""`sanum data`: public data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Public data sets: where to get them, download, cohort tables.")


@app.command("list")
def list_datasets() -> None:
    """Say where each data set is to be had, its licence, and what to click."""
    from sanum.workflow.data import listing

    print("\n\n".join(listing()))


@app.command()
def get(
    name: Annotated[str, typer.Argument(help="Name of a data set that may be downloaded.")],
    out: Annotated[Path, typer.Option(help="Folder for its files.")],
    only: Annotated[str, typer.Option(help="Only files whose path holds this text, such as T1w.")] = "",
) -> None:
    """Download a public data set with checksums; run it again to go on with a broken download."""
    from sanum.workflow.data import download

    count = download(name, out, only=only, on_done=print)
    print(f"{out}: {count} files")


@app.command()
def table(
    name: Annotated[str, typer.Argument(help="Name of the data set.")],
    folder: Annotated[Path, typer.Argument(help="Where it was unpacked.")],
    out: Annotated[Path, typer.Option(help="Cohort table to write.")] = Path("cohort.tsv"),
) -> None:
    """Write the cohort table of a data set in its own folder layout."""
    from collections import Counter

    from sanum.workflow.data import write_dataset_table

    cohort = write_dataset_table(name, folder, out)
    counts = Counter(row.label for row in cohort)
    print(f"{out}: {len(cohort)} cases, " + ", ".join(f"{n} {label}" for label, n in sorted(counts.items())))
