"""What the network of `restore` reaches with lesion labels: a ceiling, not a detector, so it stays outside the package.

    python -m benchmarks.supervised_ceiling cohort.tsv --modality FLAIR --out ceiling [--epochs 120] [--seed 0]

Half of the subjects with a lesion, drawn by seed, join the training split with their lesion masks; the other half and
the healthy test cases are the test. The model file that comes out scores and is evaluated as any other.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from sanum.cohort.table import Cohort, read_cohort, write_cohort
from sanum.core.records import Prepared, Rule
from sanum.detectors.lesion_training import FINAL_RATE, MAX_GRAD_NORM, WEIGHT_DECAY
from sanum.detectors.recipes import resolve_recipe
from sanum.detectors.restore import EMA_DECAY, Restore
from sanum.model import Model, save
from sanum.nets.ema import EMA
from sanum.nets.restorer import Restorer, RestorerConfig
from sanum.prepare.presets import Slices
from sanum.prepare.store import Store
from sanum.synthesis.augmentation import Augmentation, imaged, moved
from sanum.synthesis.draws import Draws
from sanum.training.device import seeded
from sanum.training.lesion_loss import LesionBatch, average_precision, brain_of, lesion_loss
from sanum.training.loop import Schedule, train
from sanum.training.run import Progress, Run
from sanum.workflow.evaluate import EvaluateOptions, evaluate
from sanum.workflow.fit import calibrate
from sanum.workflow.leaks import identities
from sanum.workflow.prepare import prepare_cohort


def halved(cohort: Cohort, seed: int) -> Cohort:
    """The cohort with half of its lesion subjects moved from the test to the training split."""
    ill = sorted({row.subject for row in cohort if row.label == "lesion" and row.split == "test"})
    taught = set(np.random.default_rng(seed).permutation(ill)[: len(ill) // 2])
    rows = [
        replace(row, split="train") if row.label == "lesion" and row.subject in taught else row
        for row in cohort
    ]
    return replace(cohort, rows=tuple(rows))


def with_lesion_channel(case: Prepared) -> Prepared:
    """The case with its lesion mask as the last channel."""
    lesion = np.zeros(case.mask.shape, bool) if case.lesion is None else case.lesion
    return replace(case, voxels=np.concatenate([case.voxels, lesion[None].astype(np.float32)]))


class LabelledLoss:
    """The loss of `restore` on real lesions; in evaluation 1 − average precision on held-out subjects."""

    def __init__(self, augmentation: Augmentation) -> None:
        self.augmentation = augmentation

    def __call__(self, net: nn.Module, stacks: Tensor) -> Tensor:
        assert isinstance(net, EMA)
        with torch.autocast(stacks.device.type, enabled=False):
            batch = self.batch(stacks, vary=net.training)
        log_odds, restored = net(batch.windows)
        if not net.training:
            return 1.0 - average_precision(log_odds, batch.lesion, batch.brain)
        net.update()
        return lesion_loss(log_odds, restored, batch)

    @torch.no_grad()
    def batch(self, stacks: Tensor, *, vary: bool) -> LesionBatch:
        draws, brain = Draws(None, stacks.device), brain_of(stacks[:, :-1])
        if vary:
            stacks, brain = moved(stacks, brain, self.augmentation, draws)
        shown, lesion = stacks[:, :-1], (stacks[:, -1:] > 0.5).float()
        clean = shown
        if vary:
            shown, clean = imaged(shown, shown, brain, self.augmentation, draws)
        return LesionBatch(shown, lesion[:, :, 0], clean[:, :, 0], brain[:, :, 0])


def taught(cases: list[Prepared], modalities: tuple[str, ...], epochs: int, seed: int) -> Restore:
    """A `restore` detector whose network learned from labelled cases."""
    settings = resolve_recipe("restore-slices", {"epochs": epochs, "sign": "any"}).config
    schedule = Schedule(
        epochs=epochs,
        batch=settings.batch,
        learning_rate=settings.learning_rate,
        validation_share=settings.validation_share,
        owner="supervised ceiling",
        final_rate=FINAL_RATE,
        keep="best",
        depth=1,
        weight_decay=WEIGHT_DECAY,
        max_grad_norm=MAX_GRAD_NORM,
    )
    with seeded(seed, torch.device("cpu")):
        net = Restorer(RestorerConfig(len(modalities), settings.widths, settings.fold, 0, settings.mirror))
        ema = EMA(net, EMA_DECAY)
    train(ema, LabelledLoss(settings.augmentation), cases, schedule, seed=seed, run=Run(on_progress=_tell))
    detector = Restore(settings, modalities)
    detector.net_ = ema.cpu().result()
    return detector


def _tell(report: Progress) -> None:
    if report.epoch_ended:
        print(
            f"epoch {report.epoch}: loss {report.loss:.4f}, validation {report.validation_loss}", flush=True
        )


def main() -> None:
    """Prepare, teach, calibrate on healthy cases, evaluate."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("cohort", type=Path)
    options.add_argument("--modality", default="FLAIR")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--epochs", type=int, default=120)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    table = given.out / "cohort.tsv"
    write_cohort(halved(read_cohort(given.cohort), given.seed), table)
    prepare_cohort(read_cohort(table), given.out / "prepared", Slices((given.modality,)))
    store = Store.open(given.out / "prepared")
    rows = [row for row in store.manifest() if row.split == "train" and row.status == "ready"]
    cases = [store.load(row.case) for row in rows]
    detector = taught(
        [with_lesion_channel(case) for case in cases], (given.modality,), given.epochs, given.seed
    )
    facts = {
        "recipe": "supervised ceiling",
        "summary": {"rule": "top", "share": 0.005},
        "seed": given.seed,
        "training_subjects": len({row.subject for row in rows}),
        "training_cases": len(rows),
        "training_labels": sorted({row.label for row in rows}),
        "training_sources": sorted({name for case in cases for name in identities(case)}),
    }
    path = given.out / "ceiling.safetensors"
    save(
        calibrate(
            Model("ceiling", detector, store.preparation, facts=facts), store, rule=Rule("conformal", 0.1)
        ),
        path,
    )
    found = evaluate(
        path, given.out / "prepared", given.out / "evaluation", options=EvaluateOptions(drop_duplicates=True)
    )
    print(
        f"{found.healthy} healthy, {found.lesion} lesion; case AUROC {found.case_auroc['model']}; {found.pixels}"
    )


if __name__ == "__main__":
    main()
