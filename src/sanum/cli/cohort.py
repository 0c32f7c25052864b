"""`sanum cohort`: write a cohort table from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from sanum.cohort.splits import SHARES

if TYPE_CHECKING:
    from sanum.cohort.table import Cohort

BY_MASK = "mask"


def run(
    folder: Annotated[
        Path, typer.Argument(help="BIDS data set, or a folder of volumes, images or DICOM series.")
    ],
    out: Annotated[Path, typer.Option(help="Table to write.")] = Path("cohort.tsv"),
    modality: Annotated[
        Optional[str], typer.Option(help="What the scans show, where file names do not tell (T1w, FLAIR, …).")
    ] = None,
    label: Annotated[
        str,
        typer.Option(
            help="Label of every case: healthy, lesion or unknown; mask: lesion where its mask marks anything."
        ),
    ] = "unknown",
    channels: Annotated[
        str,
        typer.Option(help="Modality of each colour channel of pictures (T1w,FLAIR,T1ce); - leaves one out."),
    ] = "",
    pattern: Annotated[
        Optional[str],
        typer.Option(
            help="How files are named: '{subject}/{subject}_{modality}.nii.gz'; also {session}, {run}, *."
        ),
    ] = None,
    train: Annotated[
        float, typer.Option(help="Share of healthy subjects to train on; what is left tests.")
    ] = SHARES["train"],
    calibration: Annotated[
        float, typer.Option(help="Share of healthy subjects held out to calibrate.")
    ] = SHARES["calibration"],
    seed: Annotated[int, typer.Option(help="Seed of the split by subject.")] = 0,
    pair_model: Annotated[
        Optional[Path],
        typer.Option(help="Model of pairs, such as recipe pair-fit: which rows are not one head."),
    ] = None,
) -> None:
    """Write a cohort table (one row a case) from a BIDS data set or a plain folder, split by subject.

    Only cases labelled healthy are put into the training and calibration splits.
    """
    from collections import Counter

    from sanum.cohort.discover import discover
    from sanum.cohort.splits import split_by_subject
    from sanum.cohort.table import write_cohort
    from sanum.formats import study_of

    by_mask = label == BY_MASK
    found = discover(
        folder,
        modality=modality,
        label="unknown" if by_mask else label,
        channels=tuple(name.strip() for name in channels.split(",") if name.strip()),
        pattern=pattern,
        study_of=study_of,
    )
    if by_mask:
        from sanum.workflow.label import label_by_mask

        found = label_by_mask(found)
    found, said = _pairs_checked(found, pair_model)
    shares = {"train": train, "calibration": calibration, "test": 1.0 - train - calibration}
    divided = split_by_subject(found, shares, seed=seed)
    write_cohort(divided, out)
    counts = Counter(row.split for row in divided)
    print(
        f"{out}: {len(divided)} cases of {len({row.subject for row in divided})} subjects, "
        f"modalities {', '.join(divided.modalities)}; "
        + ", ".join(f"{counts[split]} {split}" for split in ("train", "calibration", "test"))
    )
    for note in (*divided.notes, *said):
        print(f"note: {note}")
    if label == "unknown":
        print(
            "all cases are labelled unknown, so all stand in the test split; "
            "give --label healthy where the scans are known to be normal"
        )
    if by_mask:
        marked = sum(row.label == "lesion" for row in divided)
        print(f"by their masks {marked} cases have a lesion; healthy means only that nothing is marked there")


def _pairs_checked(found: Cohort, pair_model: Path | None) -> tuple[Cohort, list[str]]:
    """The table, each file a case of its own where the rows are no pairs; and what was found, for a person."""
    said, really = [], True
    if pair_model is not None:
        from sanum.cli.terminal import progress
        from sanum.workflow.pair_doubts import ask

        with progress("comparing pairs", len(found)) as advance:
            found, asked = ask(found, pair_model, advance)
        said, really = [asked.sentence()], asked.really
    if len(found.modalities) > 1:
        from sanum.workflow.pairing import check_pairing, separated

        pairing = check_pairing(found)
        if pairing is not None:
            said, really = [pairing.sentence(), *said], really and pairing.really
        found = found if really else separated(found)
    return found, said
