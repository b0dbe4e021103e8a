"""Replay: train a trial again from MLflow's records alone, and compare every number."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from mlflow.entities import Run

from ..architectures import ARCHITECTURES
from ..definition import worded
from ..device import describe_device
from ..features import FEATURE_FORMAT
from ..protocol import Prepared, prepare
from ..results import recorded
from ..search import FoldOutcome, Trainer, pooled_scores
from ..tracking import (
    FEATURES_TAG,
    MLFLOW_GIT_COMMIT,
    PACKAGES,
    SOLVER_TAG,
    Workspace,
    curves,
    get_git_commit,
    protocol_of,
    score_metrics,
)
from ..training import EpochReport

__all__ = ["Replay", "replay"]

_TIMES = ("seconds", "trial_seconds")
"""Metrics that are durations."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A trial, trained again."""

    run: Run
    compared: int
    """Numbers that both trainings have: every fold's curves, and the pooled scores."""
    unequal: Sequence[str]
    """Numbers that differ in any bit, with both values."""
    circumstances: Sequence[str]
    """Versions, commit, format of features, solver, data and device that differ from the first training."""

    @property
    def identical(self) -> bool:
        """Whether every number is the same."""
        return not self.unequal


def replay(
    workspace: Workspace,
    run: Run,
    *,
    data: Path | None = None,
    on_epoch: Callable[[int, EpochReport], None] = lambda fold, report: None,
) -> Replay:
    """Train a complete trial again; `on_epoch` is called after every epoch, with the fold's number.

    Raises:
        RegistryError: The run lacks the study or the configuration.
        SerTuneError: The corpus cannot be read.
    """
    definition, config = recorded(workspace, run)
    prepared = prepare(definition.with_data(data), workspace.project)
    trainer = Trainer(prepared, workspace.project.cache, precision=config.training.precision)
    training = config.training.model_copy(update={"device": trainer.device.type})
    here = config.model_copy(update={"training": training})
    folds = [
        FoldOutcome.of(fold, trainer.train(trainer.job(here, fold), partial(on_epoch, fold.number)), prepared)
        for fold in prepared.folds
    ]
    before, now = _recorded_numbers(workspace, run), _numbers(folds, prepared)
    return Replay(
        run=run,
        compared=len(before.keys() & now.keys()),
        unequal=[
            f"{name}: {before.get(name)} before, {now.get(name)} now"
            for name in sorted(before.keys() | now.keys())
            if not _same(before.get(name), now.get(name))
        ],
        circumstances=_circumstances(run, prepared, describe_device(trainer.device, config.training.threads)),
    )


def _recorded_numbers(workspace: Workspace, run: Run) -> dict[str, float]:
    """Every fold's curves and the pooled scores of a run, by name and epoch."""
    numbers = {}
    for name, value in run.data.metrics.items():
        if name.rpartition("/")[2] in _TIMES:
            continue
        if name.startswith("fold_"):
            for point in workspace.client.get_metric_history(run.info.run_id, name):
                numbers[f"{name}, epoch {point.step}"] = point.value
        elif name.startswith("validation_"):
            numbers[name] = value
    return numbers


def _numbers(folds: Sequence[FoldOutcome], prepared: Prepared) -> dict[str, float]:
    """The same numbers of folds that are trained now."""
    curved = {
        f"{point.key}, epoch {point.step}": point.value
        for point in curves(folds)
        if point.key.rpartition("/")[2] not in _TIMES
    }
    return curved | score_metrics(pooled_scores(prepared, folds), prepared.targets.names, "validation")


def _same(before: float | None, now: float | None) -> bool:
    """Whether both numbers are there and equal; NaN equals NaN."""
    if before is None or now is None:
        return False
    return before == now or (math.isnan(before) and math.isnan(now))


def _circumstances(run: Run, prepared: Prepared, device: str) -> list[str]:
    """Sentences on every difference between the first training and this one."""
    tags: Mapping[str, str] = run.data.tags
    then = {package: tags.get(f"version.{package}", "unknown") for package in PACKAGES}
    found = [f"{package} was {old}, is {version(package)}" for package, old in then.items() if old != version(package)]
    commit = get_git_commit(str(Path(__file__).parent))
    if (before := tags.get(MLFLOW_GIT_COMMIT)) != commit:
        found.append(f"commit was {before or 'unknown'}, is {commit or 'unknown'}")
    if (before := tags.get("ser_tune.device")) != device:
        found.append(f"device was {before}, is {device}")
    if (before := tags.get(FEATURES_TAG, "")) != str(FEATURE_FORMAT):
        found.append(f"format of features was {before or 'unknown'}, is {FEATURE_FORMAT}")
    solver = ARCHITECTURES.get(prepared.definition.config.model.name).solver
    if (before := tags.get(SOLVER_TAG, "")) != solver:
        found.append(f"solver was {before or 'unknown'}, is {solver or 'unknown'}")
    if differences := prepared.protocol.differences(protocol_of(run)):
        found.append(f"protocol: {worded(differences)}")
    return found
