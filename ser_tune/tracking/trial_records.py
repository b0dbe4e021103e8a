"""Contents of the outbox's records: metrics, tables and models of a trial, and a study's totals."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from ..architectures import ARCHITECTURES
from ..config import CorpusSettings, flatten
from ..features import FEATURE_FORMAT
from ..prediction import Predictor
from ..search import StudyStart, StudySummary, TrialOutcome
from ..tasks import calibrate_sets
from .outbox import MetricRow, StudyRecord, TrialRecord
from .package import save_predictor
from .prediction_tables import predictions_file, write_predictions
from .run_metrics import curves, held_out_of, objective_key, score_metrics
from .runs import (
    ATTEMPT_TAG,
    BEST_TAG,
    CONFIRMED_TAG,
    CONFIRMS_TAG,
    FEATURES_TAG,
    FRONT_TAG,
    NOTES_TAG,
    OBJECTIVES_TAG,
    PRETRAINING_TAG,
    SOLVER_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    origin_tags,
)

__all__ = [
    "CONFIG_FILE",
    "STATUS",
    "STUDY_FILE",
    "dataset_of",
    "now_ms",
    "study_record",
    "tags_of",
    "trial_record",
    "write_artifacts",
    "write_model",
]

CONFIG_FILE, STUDY_FILE = "config.yaml", "study.json"
"""A trial's concrete configuration, and the study that it belongs to: what it takes to train it again."""
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
"""A run's status, by its trial's state."""
LONGEST_TITLE = 200
"""Characters of a run's name, of which MLflow keeps 250."""
DATASET_DIGEST = 36
"""MLflow's limit."""


def now_ms() -> int:
    """The time, in MLflow's milliseconds."""
    return int(time.time() * 1000)


def trial_record(
    start: StudyStart,
    tags: Mapping[str, str],
    outcome: TrialOutcome,
    began_ms: int,
    system: Sequence[MetricRow] = (),
) -> TrialRecord:
    """The record of a trial that ended now.

    Args:
        start: Of its study.
        tags: Of all the study's runs.
        outcome: How it ended.
        began_ms: When it started.
        system: How busy the machine was.
    """
    config = outcome.config
    unused = ARCHITECTURES.get(config.model.name).unused(type(config))
    stored, values = flatten(config.model_dump(mode="json")), flatten(config.model_dump())
    # JSON leaves out added settings with their defaults, also those that another trial has otherwise
    params = stored | {path: values[path] for path in start.definition.search if path not in stored}
    own, attempt = {TRIAL_TAG: str(outcome.number)}, None
    if outcome.attempt not in (None, outcome.number):
        attempt, own[ATTEMPT_TAG] = outcome.attempt, str(outcome.attempt)
    if outcome.reason:
        own["ser_tune.reason"] = outcome.reason
    if outcome.confirms is not None:
        own[CONFIRMED_TAG] = str(outcome.confirms)
    return TrialRecord(
        study_id=start.study_id,
        study=start.definition.name,
        corpus=start.corpus.name,
        number=outcome.number,
        tags={**tags, **own},
        params={path: str(value) for path, value in params.items() if path not in unused},
        metrics=[*_metrics_of(outcome, start), *system],
        dataset=dataset_of(start),
        status=STATUS[outcome.state],
        began_ms=began_ms,
        ended_ms=now_ms(),
        keep_models=start.definition.config.study.keep_models,
        title=_title(start, outcome, params),
        marked=True,
        attempt=attempt,
    )


def _title(start: StudyStart, outcome: TrialOutcome, params: Mapping[str, object]) -> str:
    """The run's name: the trial's number, and its differences from other trials of the study."""
    title = f"trial {outcome.number}"
    if outcome.confirms is not None:
        return f"{title}: trial {outcome.confirms} on seed {outcome.config.seed}"
    searched = {path: params[path] for path in start.definition.search if path in params}
    names = Counter(path.rpartition(".")[2] for path in searched)
    parts = [
        f"{name if names[name := path.rpartition('.')[2]] == 1 else path} "
        f"{f'{value:.3g}' if isinstance(value, float) else value}"
        for path, value in searched.items()
    ]
    full = (
        f"{title}: {', '.join(parts)}" if parts else f"{title} of {start.definition.name}, seed {outcome.config.seed}"
    )
    return full if len(full) <= LONGEST_TITLE else f"{full[: LONGEST_TITLE - 1]}…"


def study_record(start: StudyStart, summary: StudySummary) -> StudyRecord:
    """The record of a study whose session ended now."""
    values = {"trials_complete": summary.complete, "trials_pruned": summary.pruned, "trials_failed": summary.failed}
    scores = {name: float(value) for name, value in values.items()}
    tags = {}
    if summary.best is not None:
        scores[f"best_validation_{start.definition.objective.name}"] = summary.best[1]
        tags[BEST_TAG] = str(summary.best[0])
    if (front := summary.front) is not None:
        scores |= {"hypervolume": front.hypervolume, "front_trials": float(len(front.trials))}
        tags[FRONT_TAG] = " ".join(str(trial.number) for trial in front.trials)
    return StudyRecord(
        study_id=start.study_id,
        study=start.definition.name,
        corpus=start.corpus.name,
        tags=tags,
        metrics=_rows(scores),
        status="KILLED" if summary.interrupted else "FINISHED",
        ended_ms=now_ms(),
        statuses=[(number, STATUS[state]) for number, state in summary.finished.items()],
    )


def write_artifacts(folder: Path, start: StudyStart, outcome: TrialOutcome) -> None:
    """Write a trial's configuration, and of a complete one its predictions, into a new folder."""
    folder.mkdir()
    config = outcome.config.model_dump(mode="json")
    (folder / CONFIG_FILE).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    (folder / STUDY_FILE).write_text(start.definition.as_json(), encoding="utf-8")
    if outcome.state == "COMPLETE" and outcome.scores is not None:
        held_out = held_out_of(outcome.folds, start.corpus, outcome.scores)
        path, task = folder / predictions_file("validation"), start.definition.task
        write_predictions(path, held_out, start.corpus, task, start.targets.names)


def write_model(folder: Path, start: StudyStart, outcome: TrialOutcome) -> None:
    """Write the networks of a complete trial as an MLflow model, into a new folder."""
    from ..training import recipe_of

    truth, predicted = (
        np.concatenate([getattr(fold, part) for fold in outcome.folds]) for part in ("truth", "predicted")
    )
    targets, task = start.targets, start.definition.task
    recipe = replace(
        recipe_of(outcome.config, targets.names, start.definition.goal),
        scales=targets.scales,
        errors=task.errors(truth, predicted, len(targets.names)),
    )
    networks = [fold.fitted.network for fold in outcome.folds]
    scalings = [fold.fitted.scaling for fold in outcome.folds]
    prototypes, folds = [fold.fitted.prototypes for fold in outcome.folds], [fold.fold.key for fold in outcome.folds]
    shown = task.show(np.concatenate([fold.fitted.validation for fold in outcome.folds]))
    held_out = np.concatenate([fold.fold.validation for fold in outcome.folds])
    sets = calibrate_sets(task.predictions, shown, truth, start.corpus.speaker_numbers[held_out])
    save_predictor(Predictor(recipe, networks, scalings, prototypes=prototypes, folds=folds), folder, sets)


def _source(corpus: CorpusSettings) -> str:
    """The place of a corpus; of a union, each corpus with its place."""
    return ", ".join(corpus.union) or str(corpus.data or corpus.name)


def _metrics_of(outcome: TrialOutcome, start: StudyStart) -> list[MetricRow]:
    scores: dict[str, float] = {}
    if outcome.scores is not None:
        side = "validation" if outcome.state == "COMPLETE" else "partial_validation"
        scores |= score_metrics(outcome.scores, start.targets.names, side)
    scored = outcome.scores or {}
    scores |= {objective_key(name): value for name, value in outcome.values.items() if name not in scored}
    scores |= {"folds_finished": float(len(outcome.folds)), "trial_seconds": outcome.seconds}
    # MLflow's comparison opens on the metric that was logged first: the score, not a fold's training loss
    points = curves(outcome.folds)
    return _rows(scores) + [(point.key, float(point.value), point.timestamp, point.step) for point in points]


def _rows(metrics: Mapping[str, float]) -> list[MetricRow]:
    """Metrics of now, at step 0."""
    return [(name, float(value), now_ms(), 0) for name, value in metrics.items()]


def tags_of(start: StudyStart) -> dict[str, str]:
    """Tags of every run of the study: the study, its protocol, and the programs that run it."""
    tags = {
        STUDY_TAG: start.study_id,
        STUDY_NAME_TAG: start.definition.name,
        "ser_tune.device": start.device,
        FEATURES_TAG: str(FEATURE_FORMAT),
        **origin_tags(start.corpus, start.protocol),
    }
    if len(start.definition.objectives) > 1:
        tags[OBJECTIVES_TAG] = json.dumps(start.definition.objectives)
    if start.confirms:
        tags[CONFIRMS_TAG] = start.confirms
    if start.notes:
        tags[NOTES_TAG] = "; ".join(start.notes)
    if solver := ARCHITECTURES.get(start.definition.config.model.name).solver:
        tags[SOLVER_TAG] = solver
    if start.pretraining:
        tags[PRETRAINING_TAG] = start.pretraining
    return tags


def dataset_of(start: StudyStart) -> dict[str, str]:
    """The corpus as MLflow shows it: name, digest, where it was read, how much it holds."""
    corpus = start.corpus
    counts = {
        "utterances": len(corpus.utterances),
        "speakers": len(corpus.speakers),
        start.definition.task.answers: len(start.targets.names),
    }
    return {
        "name": corpus.name,
        "digest": corpus.digest[:DATASET_DIGEST],
        "source_type": "local",
        "source": _source(start.definition.config.corpus),
        "profile": json.dumps(counts),
    }
