"""What a trial of a default study costs besides training: sampling, pruning, storage, tracking, artifacts."""

import itertools
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

import ser_tune.training.job as job
from ser_tune.config import Value
from ser_tune.features import Scaling
from ser_tune.protocol import prepare
from ser_tune.search import StudyObserver, run_study
from ser_tune.tasks import Goal
from ser_tune.tracking import TrackingObserver, Workspace
from ser_tune.training import AnyTrial, EpochReport, FittedNetwork, TrainingData, recipe_of

from .rows import Options, Row, definition, project

__all__ = ["measure"]

MODEL = "fcn_attention"
SETTINGS: dict[str, object] = {
    "model.name": MODEL,
    "features.name": "logmelspec",
    "features.n_mels": 64,
    "model.width": 0.25,
    "training.epochs": 30,
    "training.batch_size": 32,
}


class _Tracked(TrackingObserver):
    """Notes when trials start."""

    starts: list[float]

    def trial_started(self, number: int, config: AnyTrial, sampled: Mapping[str, Value]) -> None:
        self.starts.append(time.perf_counter())
        super().trial_started(number, config, sampled)


def measure(options: Options) -> list[Row]:
    """Complete trials whose training takes no time, and a real epoch to compare with; without a progress display."""
    trials = 3 if options.quick else 30
    fit, spent = job.fit, []
    prepared = prepare(
        definition({**options.corpus, **SETTINGS, "study.trials": trials + 1}),
        project(options.scratch),
    )
    observer = _Tracked(Workspace(project(options.scratch)))
    observer.starts = []
    job.fit = _untrained(spent)
    try:
        summary = run_study(prepared, project(options.scratch), observer)
    finally:
        job.fit = fit
    assert summary.complete == trials + 1, summary
    per_trial = [b - a for a, b in itertools.pairwise(observer.starts)]
    folds = len(prepared.folds)
    overhead = statistics.median(per_trial) - statistics.median(spent) * folds

    epoch = _Epoch()
    one = definition({**options.corpus, **SETTINGS, "name": "real", "protocol.fold_limit": 1, "training.epochs": 3})
    run_study(prepare(one.without_search(), project(options.scratch)), project(options.scratch), epoch)
    trial = folds * 30 * min(epoch.seconds)
    what = f"{folds} folds of 30 epochs"
    return [
        Row(f"overhead of a complete trial of {what}", overhead, "s", below=1.0),
        Row(f"the same, of the time that {MODEL} at a quarter width trains", 100 * overhead / trial, "%", below=2.0),
    ]


class _Epoch(StudyObserver):
    """Keeps what epochs take."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def epoch_finished(self, trial: int, fold: int, report: EpochReport) -> None:
        self.seconds.append(report.seconds)


def _untrained(spent: list[float]) -> Callable[..., FittedNetwork]:
    """In place of `fit`: a network of random weights, and a history that rises a little higher every time.

    So the pruners compare every epoch and every fold, as they do in any study, and give no trial up.
    """
    rng = np.random.default_rng(0)

    def fit(
        config: AnyTrial,
        data: TrainingData,
        train: np.ndarray,
        validation: np.ndarray,
        *,
        on_epoch: Callable[[EpochReport], None],
        goal: Goal,
        **_: Any,
    ) -> FittedNetwork:
        started = time.perf_counter()
        recipe = recipe_of(config, data.targets.names, goal)
        network = recipe.build_network()
        outputs = np.log(rng.dirichlet(np.ones(len(data.targets.names)), len(validation))).astype(np.float32)
        shape = data.features.frames.shape[1:]
        scaling = Scaling(shift=np.zeros(shape, np.float32), spread=np.ones(shape, np.float32))
        epochs = np.arange(1, config.training.epochs + 1)
        scores = (0.6 + 1e-4 * len(spent)) * (1 - np.exp(-epochs / 5))
        history = [
            EpochReport(epoch, 1.0, 1e-3, 1.0, 1.0, validation=dict.fromkeys(goal.metrics, score), kept=score)
            for epoch, score in zip(epochs.tolist(), scores.tolist(), strict=True)
        ]
        spent.append(time.perf_counter() - started)
        for report in history:
            on_epoch(report)
        return FittedNetwork(network, scaling, config.training.epochs, tuple(history), outputs)

    return fit
