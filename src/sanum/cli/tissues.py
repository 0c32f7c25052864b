"""`sanum tissues`: heads to make contrasts of, from label maps and healthy T1w scans."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def run(
    labels: Annotated[
        list[Path], typer.Argument(help="Label maps with FreeSurfer's numbers, or folders of them.")
    ],
    scans: Annotated[Path, typer.Option(help="Store of healthy T1w scans, made with --preset template.")],
    out: Annotated[Path, typer.Option(help="Store to write.")],
    hold_out: Annotated[
        Optional[list[str]], typer.Option(help="Name of a label map that nothing may train on; repeat it.")
    ] = None,
) -> None:
    """Divide healthy heads into tissues; `sanum train … --recipe multi-contrast` learns from the store."""
    from sanum.workflow.tissues import make_heads

    files = [file for path in labels for file in (sorted(path.rglob("*.nii*")) if path.is_dir() else [path])]
    store = make_heads(out, scans=scans, labels=files, held_out=tuple(hold_out or ()), on_done=print)
    print(f"{out}: {len(store.manifest())} heads")
