"""The MLflow observer of a study: one parent run a study, one child run a trial."""

import json
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, Run
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NOTE

from ..architectures import ARCHITECTURES
from ..config import Project, Value, flatten
from ..errors import StorageError
from ..prediction import Predictor
from ..study import StudyObserver, StudyStart, StudySummary, TrialOutcome
from ..training import AnyTrial, recipe_of
from .courier import Courier
from .delivery import Delivery, log_params
from .outbox import ARTIFACTS, MODEL, MetricRow, StudyRecord, TrialRecord, sweep, waiting_trials, write_record
from .package import save_predictor
from .predictions import write_predictions
from .report import curves, draw_confusion, held_out_of, score_metrics
from .runs import (
    BEST_TAG,
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
from .store import experiment_of

__all__ = ["CONFIG_FILE", "STUDY_FILE", "TrackingObserver"]

CONFIG_FILE, STUDY_FILE = "config.yaml", "study.json"
"""A trial's concrete configuration, and the study that it belongs to: what it takes to train it again."""
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}
DATASET_DIGEST = 36
"""MLflow's limit."""
HEADROOM = 1.05
"""Disk is estimated with a margin for pictures, tables and the file system's blocks."""
PATIENCE_S = 30.0
"""At a study's end, how long a tracking store that fails is tried again."""

_log = logging.getLogger(__name__)


class TrackingObserver(StudyObserver):
    """Writes a study to MLflow. A trial that ended is put into the outbox, and delivered while the study goes on."""

    def __init__(self, client: MlflowClient, project: Project) -> None:
        """Watch one study.

        Args:
            client: MLflow, opened.
            project: Where outbox and artifacts are.
        """
        self._client, self._project = client, project

    def study_started(self, start: StudyStart) -> None:
        """Open the parent run, or open it again; deliver what waits, and correct the runs of trials that were killed.

        Raises:
            StorageError: The models cannot fit on the disk, or the tracking store fails.
        """
        self._start = start
        self._refuse_full_disk(start)
        self._tags = _tags_of(start)
        self._dataset = _dataset_of(start)
        sweep(self._project.outbox)
        delivery = Delivery(self._client, self._project)
        with delivery.turn():
            experiment = experiment_of(self._client, self._project, start.corpus.name)
            parent, _ = find_runs(self._client, experiment, start.study_id)
            self.parent_run_id: str = (parent or self._open_parent(start, experiment)).info.run_id
        delivery.deliver(start.study_id)
        with delivery.turn():
            _, trials = find_runs(self._client, experiment, start.study_id)
            later = waiting_trials(self._project.outbox, start.study_id)  # another process has just put them there
            statuses = {number: STATUS[state] for number, state in start.finished.items() if number not in later}
            delivery.close_runs(trials, statuses)
            if parent is not None and start.trials_to_run:
                self._client.set_terminated(self.parent_run_id, "RUNNING")
        self._stored = [
            (trial.data.metrics["validation_uar"], number)
            for number, trial in trials.items()
            if MODEL_TAG in trial.data.tags and start.finished.get(number) == "COMPLETE"
        ]
        self._courier = Courier(delivery, self._project, start.study_id)

    def _refuse_full_disk(self, start: StudyStart) -> None:
        settings = start.definition.config.study
        if not self._project.embedded_tracking or not start.trials_to_run:
            return
        # one more than is kept: the newest model is written before the worst is deleted
        kept = settings.keep_models if settings.keep_models == "all" else settings.keep_models + 1
        models = start.trials_to_run if kept == "all" else min(kept, start.trials_to_run)
        needed = int((models + 1) * start.largest_trial_bytes * HEADROOM)  # the newest is in the outbox, too
        free = shutil.disk_usage(self._project.root).free
        if needed > free:
            fitting = int(free / (start.largest_trial_bytes * HEADROOM)) - 2
            advice = f"pass --keep-models {fitting} or fewer" if fitting >= 1 else "free some space"
            raise StorageError(
                f"the models of {models} trials can take {needed / 1e9:.1f} GB "
                f"({len(start.folds)} networks of up to {start.largest_trial_bytes / len(start.folds) / 1e6:.0f} MB a "
                f"trial), but '{self._project.root}' has {free / 1e9:.1f} GB free; {advice}"
            )

    def _open_parent(self, start: StudyStart, experiment: str) -> Run:
        config = start.definition.config
        note = (
            f"Study of {config.model.name} with {config.features.name} on {config.corpus.name}. "
            "Trials are ranked by their pooled validation UAR; test speakers are scored for promoted trials only."
        )
        run = self._client.create_run(
            experiment,
            run_name=start.definition.name,
            tags={**self._tags, MLFLOW_RUN_NOTE: note},
        )
        params = flatten(config.model_dump(mode="json", exclude={"search"})) | {
            f"search.{path}": str(span) for path, span in start.definition.search.items()
        }
        log_params(self._client, run.info.run_id, {path: str(value) for path, value in params.items()})
        self._client.log_inputs(run.info.run_id, [DatasetInput(Dataset(**self._dataset))])
        return run

    def trial_started(self, number: int, config: AnyTrial, sampled: Mapping[str, Value]) -> None:
        """Note the time."""
        self._began_ms = _now_ms()

    def trial_finished(self, outcome: TrialOutcome) -> None:
        """Put metrics, tables and model into the outbox; after it, all of them are on disk.

        Raises:
            StorageError: The disk is full.
        """
        try:
            with write_record(self._project.outbox, self._record_of(outcome)) as folder:
                self._write_artifacts(folder / ARTIFACTS, outcome)
                if outcome.state == "COMPLETE" and self._is_kept(outcome):
                    self._write_model(folder / MODEL, outcome)
        except OSError as error:
            raise StorageError(
                f"trial {outcome.number} could not be stored in '{self._project.outbox}': {error.strerror or error}; "
                "make room, and the same command goes on from here"
            ) from None
        self._courier.notify()

    def _record_of(self, outcome: TrialOutcome) -> TrialRecord:
        config = outcome.config
        takes = ARCHITECTURES.get(config.model.name).takes
        params = flatten(config.model_dump(mode="json"))
        tags = {**self._tags, TRIAL_TAG: str(outcome.number)}
        if outcome.reason:
            tags["ser_tune.reason"] = outcome.reason
        return TrialRecord(
            study_id=self._start.study_id,
            study=self._start.definition.name,
            corpus=self._start.corpus.name,
            number=outcome.number,
            tags=tags,
            params={path: str(value) for path, value in params.items() if takes(path)},
            metrics=self._metrics_of(outcome),
            dataset=self._dataset,
            status=STATUS[outcome.state],
            began_ms=self._began_ms,
            ended_ms=_now_ms(),
            keep_models=self._start.definition.config.study.keep_models,
        )

    def _metrics_of(self, outcome: TrialOutcome) -> list[MetricRow]:
        scores = {"folds_finished": float(len(outcome.folds)), "trial_seconds": outcome.seconds}
        if outcome.scores is not None:
            side = "validation" if outcome.state == "COMPLETE" else "partial_validation"
            scores |= score_metrics(outcome.scores, self._start.corpus.emotions, side)
        rows = [(one.key, float(one.value), one.timestamp, one.step) for one in curves(outcome.folds)]
        return rows + _rows(scores)

    def _write_artifacts(self, folder: Path, outcome: TrialOutcome) -> None:
        corpus = self._start.corpus
        folder.mkdir()
        config = outcome.config.model_dump(mode="json")
        (folder / CONFIG_FILE).write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
        (folder / STUDY_FILE).write_text(self._start.definition.as_json(), encoding="utf-8")
        if outcome.state == "COMPLETE" and outcome.scores is not None:
            held_out = held_out_of(outcome.folds, corpus, outcome.scores)
            write_predictions(folder / "validation_predictions.csv", held_out, corpus)
            title = f"validation, UAR {outcome.scores.uar:.3f}"
            draw_confusion(folder / "validation_confusion.png", held_out, corpus.emotions, title)

    def _is_kept(self, outcome: TrialOutcome) -> bool:
        """Whether the trial is among the study's best, whose models are kept."""
        assert outcome.scores is not None
        keep = self._start.definition.config.study.keep_models
        self._stored.append((outcome.scores.uar, outcome.number))
        if keep == "all":
            return True
        self._stored.sort(key=lambda one: (-one[0], one[1]))
        del self._stored[keep:]
        return (outcome.scores.uar, outcome.number) in self._stored

    def _write_model(self, folder: Path, outcome: TrialOutcome) -> None:
        aggregation = self._start.definition.config.protocol.aggregation
        recipe = recipe_of(outcome.config, self._start.corpus.emotions, aggregation)
        fitted = [one.fitted for one in outcome.folds]
        save_predictor(Predictor(recipe, [one.network for one in fitted], [one.scaling for one in fitted]), folder)

    def study_finished(self, summary: StudySummary) -> None:
        """Put the study's totals into the outbox, and deliver all that waits, unless the tracking store fails.

        Raises:
            StorageError: The disk is full.
        """
        values = {"trials_complete": summary.complete, "trials_pruned": summary.pruned, "trials_failed": summary.failed}
        scores = {name: float(value) for name, value in values.items()}
        tags = {}
        if summary.best is not None:
            scores["best_validation_uar"] = summary.best[1]
            tags[BEST_TAG] = str(summary.best[0])
        record = StudyRecord(
            study_id=self._start.study_id,
            study=self._start.definition.name,
            corpus=self._start.corpus.name,
            tags=tags,
            metrics=_rows(scores),
            status="KILLED" if summary.interrupted else "FINISHED",
            ended_ms=_now_ms(),
            statuses=[(number, STATUS[state]) for number, state in summary.finished.items()],
        )
        try:
            with write_record(self._project.outbox, record):
                pass
        except OSError as error:
            raise StorageError(
                f"the end of study '{summary.name}' could not be stored in '{self._project.outbox}': "
                f"{error.strerror or error}; make room, and the same command goes on from here"
            ) from None
        finally:
            self._courier.close(0.0 if summary.interrupted else PATIENCE_S)
        if left := len(waiting_trials(self._project.outbox, self._start.study_id)):
            _log.warning(
                "note: %d trials of study '%s' wait in '%s'; `ser-tune sync` delivers them, or the same command",
                left,
                summary.name,
                self._project.outbox,
            )


def _now_ms() -> int:
    return int(time.time() * 1000)


def _rows(metrics: Mapping[str, float]) -> list[MetricRow]:
    """Metrics of now, at step 0."""
    return [(name, float(value), _now_ms(), 0) for name, value in metrics.items()]


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


def _dataset_of(start: StudyStart) -> dict[str, str]:
    """The corpus as MLflow shows it: name, digest, where it was read, how much it holds."""
    corpus = start.corpus
    counts = {"utterances": len(corpus.utterances), "speakers": len(corpus.speakers), "emotions": len(corpus.emotions)}
    return {
        "name": corpus.name,
        "digest": corpus.digest[:DATASET_DIGEST],
        "source_type": "local",
        "source": str(start.definition.config.corpus.data or corpus.name),
        "profile": json.dumps(counts),
    }
