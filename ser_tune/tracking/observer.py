"""The MLflow observer of a study: one parent run a study, one child run a trial."""

import json
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Concatenate, ParamSpec

import yaml
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE

from ..architectures import ARCHITECTURES
from ..config import Project, Value, flatten
from ..errors import StorageError
from ..prediction import Predictor
from ..study import StudyObserver, StudyStart, StudySummary, TrialOutcome, TrialState
from ..training import AnyTrial, recipe_of
from .package import log_predictor
from .predictions import write_predictions
from .report import curves, draw_confusion, held_out_of, score_metrics
from .runs import (
    BEST_TAG,
    CONFIRMED_TAG,
    CONFIRMS_TAG,
    MODEL_TAG,
    NOTES_TAG,
    PRETRAINING_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    find_runs,
    origin_tags,
)
from .store import experiment_of, tracking_errors

__all__ = ["CONFIG_FILE", "STUDY_FILE", "TrackingObserver"]

CONFIG_FILE, STUDY_FILE = "config.yaml", "study.json"
"""A trial's concrete configuration, and the study that it belongs to: what it takes to train it again."""
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
METRICS_PER_BATCH, PARAMS_PER_BATCH, DATASET_DIGEST = 1000, 100, 36
"""MLflow's limits."""
HEADROOM = 1.05
"""Disk is estimated with a margin for pictures, tables and the file system's blocks."""


P = ParamSpec("P")


def _telling(
    event: Callable[Concatenate["TrackingObserver", P], None],
) -> Callable[Concatenate["TrackingObserver", P], None]:
    """Turn what MLflow raises during an event into a `StorageError`."""

    def told(self: "TrackingObserver", /, *args: P.args, **kwargs: P.kwargs) -> None:
        with tracking_errors(self._project.tracking_uri):
            event(self, *args, **kwargs)

    return told


class TrackingObserver(StudyObserver):
    """Writes a study to MLflow. A trial's run is opened when it starts; all else is written in batches at its end."""

    def __init__(self, client: MlflowClient, project: Project) -> None:
        """Watch one study.

        Args:
            client: MLflow, opened.
            project: Where artifacts go.
        """
        self._client, self._project = client, project

    @_telling
    def study_started(self, start: StudyStart) -> None:
        """Open the parent run, or open it again, and close what a crash left open.

        Raises:
            StorageError: The models cannot fit on the disk.
        """
        self._start = start
        settings = start.definition.config.study
        self._refuse_full_disk(start)
        self._tags = _tags_of(start)
        self._experiment = experiment_of(self._client, self._project, start.corpus.name)
        self._dataset = _dataset_of(start)
        parent, trials = find_runs(self._client, self._experiment, start.study_id)
        self._close_left_open(trials, start.finished)
        if parent is None:
            parent = self._open_parent(start)
        elif start.trials_to_run:
            self._client.set_terminated(parent.info.run_id, "RUNNING")
        self.parent_run_id: str = parent.info.run_id
        self._keep = settings.keep_models
        self._models = [
            (trial.data.metrics["validation_uar"], number, trial.data.tags[MODEL_TAG])
            for number, trial in trials.items()
            if MODEL_TAG in trial.data.tags
            and CONFIRMED_TAG not in trial.data.tags
            and start.finished.get(number) == "COMPLETE"
        ]

    def _close_left_open(self, trials: Mapping[int, Run], finished: Mapping[int, TrialState]) -> None:
        """Close the runs of trials whose process was killed, also between their last word here and Optuna's."""
        for number, run in trials.items():
            if number in finished and run.info.status != STATUS[finished[number]]:
                self._client.set_terminated(run.info.run_id, STATUS[finished[number]])
                if MODEL_TAG in run.data.tags:  # of a trial that is run again, and stores another
                    self._forget_model(number, run.data.tags[MODEL_TAG])

    def _refuse_full_disk(self, start: StudyStart) -> None:
        settings = start.definition.config.study
        if not self._project.embedded_tracking or not start.trials_to_run:
            return
        # one more than is kept: the newest model is written before the worst is deleted
        kept = settings.keep_models if settings.keep_models == "all" else settings.keep_models + 1
        models = start.trials_to_run if kept == "all" else min(kept, start.trials_to_run)
        needed = int(models * start.largest_trial_bytes * HEADROOM)
        free = shutil.disk_usage(self._project.root).free
        if needed > free:
            fitting = int(free / (start.largest_trial_bytes * HEADROOM)) - 1
            advice = f"pass --keep-models {fitting} or fewer" if fitting >= 1 else "free some space"
            raise StorageError(
                f"the models of {models} trials can take {needed / 1e9:.1f} GB "
                f"({len(start.folds)} networks of up to {start.largest_trial_bytes / len(start.folds) / 1e6:.0f} MB a "
                f"trial), but '{self._project.root}' has {free / 1e9:.1f} GB free; {advice}"
            )

    def _open_parent(self, start: StudyStart) -> Run:
        config = start.definition.config
        note = (
            f"Study of {config.model.name} with {config.features.name} on {config.corpus.name}. "
            "Trials are ranked by their pooled validation UAR; test speakers are scored for promoted trials only."
        )
        run = self._client.create_run(
            self._experiment,
            run_name=start.definition.name,
            tags={**self._tags, MLFLOW_RUN_NOTE: note},
        )
        params = flatten(config.model_dump(mode="json", exclude={"search"})) | {
            f"search.{path}": str(span) for path, span in start.definition.search.items()
        }
        self._log_params(run.info.run_id, params)
        self._client.log_inputs(run.info.run_id, [self._dataset])
        return run

    def _log_params(self, run_id: str, values: Mapping[str, object]) -> None:
        params = [Param(path, str(value)) for path, value in values.items()]
        for first in range(0, len(params), PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_PER_BATCH])

    @_telling
    def trial_started(self, number: int, config: AnyTrial, sampled: Mapping[str, Value]) -> None:
        """Open the trial's run with its parameters."""
        run = self._client.create_run(
            self._experiment,
            run_name=f"trial {number} of {self._start.definition.name}",
            tags={**self._tags, MLFLOW_PARENT_RUN_ID: self.parent_run_id, TRIAL_TAG: str(number)},
        )
        self._run_id: str = run.info.run_id
        takes = ARCHITECTURES.get(config.model.name).takes
        params = flatten(config.model_dump(mode="json"))
        self._log_params(self._run_id, {path: value for path, value in params.items() if takes(path)})
        self._client.log_inputs(self._run_id, [self._dataset])

    @_telling
    def trial_finished(self, outcome: TrialOutcome) -> None:
        """Write metrics, tables and models, and close the run with the trial's own state."""
        emotions = self._start.corpus.emotions
        metrics = list(curves(outcome.folds))
        scores = {"folds_finished": float(len(outcome.folds)), "trial_seconds": outcome.seconds}
        if outcome.scores is not None:
            side = "validation" if outcome.state == "COMPLETE" else "partial_validation"
            scores |= score_metrics(outcome.scores, emotions, side)
        now = int(time.time() * 1000)
        metrics += [Metric(name, value, now, 0) for name, value in scores.items()]
        for first in range(0, len(metrics), METRICS_PER_BATCH):
            self._client.log_batch(self._run_id, metrics=metrics[first : first + METRICS_PER_BATCH])
        tags = [RunTag("ser_tune.reason", outcome.reason)] if outcome.reason else []
        if outcome.confirms is not None:
            tags.append(RunTag(CONFIRMED_TAG, str(outcome.confirms)))
        self._client.log_batch(self._run_id, tags=tags)
        try:
            self._write_artifacts(outcome)
            if outcome.state == "COMPLETE":
                self._keep_model(outcome)
        except OSError as error:
            self._client.set_terminated(self._run_id, "FAILED")
            raise StorageError(f"trial {outcome.number} could not be stored: {error}") from None
        self._client.set_terminated(self._run_id, STATUS[outcome.state])

    def _write_artifacts(self, outcome: TrialOutcome) -> None:
        corpus = self._start.corpus
        with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
            folder = Path(temporary)
            config = outcome.config.model_dump(mode="json")
            (folder / CONFIG_FILE).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
            (folder / STUDY_FILE).write_text(self._start.definition.as_json(), encoding="utf-8")
            if outcome.state == "COMPLETE" and outcome.scores is not None:
                held_out = held_out_of(outcome.folds, corpus, outcome.scores)
                write_predictions(folder / "validation_predictions.csv", held_out, corpus)
                title = f"validation, UAR {outcome.scores.uar:.3f}"
                draw_confusion(folder / "validation_confusion.png", held_out, corpus.emotions, title)
            self._client.log_artifacts(self._run_id, str(folder))

    def _keep_model(self, outcome: TrialOutcome) -> None:
        """Store the trial's networks, and delete those that are no longer among the best."""
        assert outcome.scores is not None
        aggregation = self._start.definition.config.protocol.aggregation
        recipe = recipe_of(outcome.config, self._start.corpus.emotions, aggregation)
        fitted = [one.fitted for one in outcome.folds]
        predictor = Predictor(recipe, [one.network for one in fitted], [one.scaling for one in fitted])
        model_id = log_predictor(
            self._client,
            predictor,
            experiment_id=self._experiment,
            run_id=self._run_id,
            name="model",
            tags={STUDY_TAG: self._start.study_id, TRIAL_TAG: str(outcome.number)},
        )
        self._client.log_batch(self._run_id, tags=[RunTag(MODEL_TAG, model_id)])
        if outcome.confirms is not None:  # nobody knows before the end which of them is promoted
            return
        self._models.append((outcome.scores.uar, outcome.number, model_id))
        if self._keep == "all":
            return
        self._models.sort(key=lambda one: (-one[0], one[1]))
        for _, number, worse in self._models[self._keep :]:
            self._forget_model(number, worse)
        del self._models[self._keep :]

    def _forget_model(self, number: int, model_id: str) -> None:
        """Delete a model's files and record, unless a registered version needs them."""
        versions = self._client.search_model_versions(max_results=10_000)
        if any(one.source == f"models:/{model_id}" for one in versions):  # also where the user registered it by hand
            return
        location = self._client.get_logged_model(model_id).artifact_location
        get_artifact_repository(location).delete_artifacts()  # type: ignore[no-untyped-call]
        self._client.delete_logged_model(model_id)
        _, trials = find_runs(self._client, self._experiment, self._start.study_id)
        self._client.delete_tag(trials[number].info.run_id, MODEL_TAG)

    @_telling
    def study_finished(self, summary: StudySummary) -> None:
        """Write the study's totals and close its run."""
        _, trials = find_runs(self._client, self._experiment, self._start.study_id)
        self._close_left_open(trials, summary.finished)
        values = {"trials_complete": summary.complete, "trials_pruned": summary.pruned, "trials_failed": summary.failed}
        now = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now, 0) for name, value in values.items()]
        tags = []
        if summary.best is not None:
            metrics.append(Metric("best_validation_uar", summary.best[1], now, 0))
            tags.append(RunTag(BEST_TAG, str(summary.best[0])))
        self._client.log_batch(self.parent_run_id, metrics=metrics, tags=tags)
        self._client.set_terminated(self.parent_run_id, "KILLED" if summary.interrupted else "FINISHED")


def _tags_of(start: StudyStart) -> dict[str, str]:
    """What every run of the study is tagged with: the study, its protocol, and the programs that run it."""
    tags = {
        STUDY_TAG: start.study_id,
        STUDY_NAME_TAG: start.definition.name,
        "ser_tune.device": start.device,
        **origin_tags(start.corpus, start.protocol),
    }
    if start.confirms:
        tags[CONFIRMS_TAG] = start.confirms
    if start.notes:
        tags[NOTES_TAG] = "; ".join(start.notes)
    if start.pretraining:
        tags[PRETRAINING_TAG] = start.pretraining
    return tags


def _dataset_of(start: StudyStart) -> DatasetInput:
    """The corpus as MLflow shows it: name, digest, where it was read, how much it holds."""
    corpus = start.corpus
    counts = {"utterances": len(corpus.utterances), "speakers": len(corpus.speakers), "emotions": len(corpus.emotions)}
    return DatasetInput(
        Dataset(
            name=corpus.name,
            digest=corpus.digest[:DATASET_DIGEST],
            source_type="local",
            source=str(start.definition.config.corpus.data or corpus.name),
            profile=json.dumps(counts),
        )
    )
