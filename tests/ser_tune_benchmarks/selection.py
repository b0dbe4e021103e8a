"""Which epoch's network to keep: each rule scored on a speaker who neither trained it nor chose it.

In every fold one training speaker more is kept out. The validation speaker chooses the epoch, the one who is kept out
judges the choice; the fold's test speaker has no part in it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ser_tune.metrics import METRICS
from ser_tune.protocol import prepare
from ser_tune.resampling import seed_interval, sums_of
from ser_tune.search import Trainer
from ser_tune.training import fit, fold_seed

from .rows import Options, Row, definition, project
from .scores import epoch_scores

__all__ = ["measure"]

SETTINGS: dict[str, object] = {
    "model.name": "fcn_attention",
    "model.width": 0.25,
    "features.name": "logmelspec",
    "features.n_mels": 64,
    "features.hop_s": 0.02,
    "segments.frames": 150,
    "training.epochs": 25,
    "training.batch_size": 32,
}
SEEDS = 2
AVERAGES: dict[str, dict[str, object]] = {
    "": {},
    "EMA, ": {"training.averaging": "ema", "training.ema_decay": 0.99},
    "SWA, ": {"training.averaging": "swa"},
}
SMOOTHED_OVER = 3
METRIC = METRICS.get("uar")

Rule = Callable[[np.ndarray, np.ndarray], int]
"""From the chooser's UAR and loss of every epoch, each of shape (E,), to an epoch."""


def _smoothed(uars: np.ndarray, _: np.ndarray) -> int:
    means = [uars[max(0, epoch + 1 - SMOOTHED_OVER) : epoch + 1].mean() for epoch in range(len(uars))]
    return int(np.argmax(means))


RULES: dict[str, Rule] = {
    "last epoch": lambda uars, _: len(uars) - 1,
    "best validation UAR": lambda uars, _: int(uars.argmax()),
    "best validation loss": lambda _, losses: int(losses.argmin()),
    "best smoothed validation UAR": _smoothed,
}


def measure(options: Options) -> list[Row]:
    """Pooled UAR of the judging speakers."""
    rows = []
    for average, changes in AVERAGES.items():
        settings = {**options.corpus, **SETTINGS, **changes} | ({"training.epochs": 2} if options.quick else {})
        here = project(options.scratch)
        prepared = prepare(definition(settings).without_search(), here)
        trainer = Trainer(prepared, here.cache)
        confusions: dict[str, list[np.ndarray]] = {rule: [] for rule in RULES}
        for seed in range(1 if options.quick else SEEDS):
            judged: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {rule: [] for rule in RULES}
            for fold in prepared.folds[: 2 if options.quick else None]:
                for rule, (numbers, predicted) in _fold(trainer, fold, seed).items():
                    judged[rule].append((numbers, predicted))
            for rule, parts in judged.items():
                numbers = np.concatenate([one for one, _ in parts])
                predicted = np.concatenate([one for _, one in parts])
                speakers = prepared.corpus.speaker_numbers
                truth = prepared.corpus.labels[numbers]
                confusions[rule].append(
                    sums_of(METRIC, truth, predicted, speakers[numbers], len(prepared.corpus.emotions))
                )
        for rule, of_seeds in confusions.items():
            if average and rule != "last epoch":
                continue  # an average is the answer to noisy epochs by itself
            stacked = np.stack(of_seeds)
            interval = seed_interval(METRIC, stacked)
            total = stacked.sum(axis=(0, 1))
            pooled = float((total.diagonal() / total.sum(axis=1)).mean())
            rows.append(Row(f"{average}{rule} {interval}", pooled, "UAR"))
    return rows


def _fold(trainer: Trainer, fold: Any, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each rule, the judging speaker's utterances and what the chosen network says of them."""
    config = trainer.concrete({}, seed=seed)
    data = trainer.data(config)
    speakers = np.unique(data.speakers[fold.train])
    chooser = int(data.speakers[fold.validation][0])
    judge = int(speakers[np.searchsorted(speakers, chooser) % len(speakers)])  # the next in line
    judging = fold.train[data.speakers[fold.train] == judge]
    training = fold.train[data.speakers[fold.train] != judge]
    with epoch_scores() as epochs:
        both = np.concatenate([fold.validation, judging])
        goal = trainer.prepared.definition.goal
        fit(config, data, training, both, seed=fold_seed(seed, fold.number), goal=goal)
    choosing, truth = len(fold.validation), data.targets.values[fold.validation]
    uars = np.array([METRIC.score(truth, scores[:choosing].argmax(axis=1), scores.shape[1]) for scores in epochs])
    losses = np.array([-scores[np.arange(choosing), truth].mean() for scores in epochs])
    return {name: (judging, epochs[rule(uars, losses)][choosing:].argmax(axis=1)) for name, rule in RULES.items()}
