"""The MLflow observer of a study: one parent run a study, one child run a trial."""

import logging
import shutil
from collections.abc import Mapping, Sequence, Set

from mlflow.entities import Dataset, DatasetInput, Param, Run

from ..config import Value, flatten
from ..errors import StorageError, StudyError
from ..metrics import Ranking
from ..search import StudyObserver, StudyStart, StudySummary, TrialOutcome
from ..training import AnyTrial
from .courier import Courier
from .deletions import what_was_deleted
from .delivery import Delivery
from .mlflow_internals import MLFLOW_RUN_NOTE
from .mlflow_pages import save_view
from .open_runs import close_abandoned, process_tag
from .outbox import ARTIFACTS, MODEL, MetricRow, sweep, waiting_trials, write_record
from .runs import CONFIRMED_TAG, MODEL_TAG, find_runs, score_of
from .system import SystemSampler
from .trial_records import (
    STATUS,
    dataset_of,
    now_ms,
    study_record,
    tags_of,
    trial_record,
    write_artifacts,
    write_model,
)
from .workspace import Workspace

__all__ = ["TrackingObserver"]

HEADROOM = 1.05
"""Disk is estimated with a margin for pictures, tables and the file system's blocks."""
PATIENCE_S = 30.0
"""At a study's end, how long a tracking store that fails is tried again."""

_log = logging.getLogger(__name__)


class TrackingObserver(StudyObserver):
    """Writes a study to MLflow. A trial that ended is put into the outbox, and delivered while the study goes on."""

    def __init__(self, workspace: Workspace) -> None:
        """Watch one study; opens the tracking store."""
        self._workspace, self._client = workspace, workspace.client
        self._system: SystemSampler | None = None

    def study_started(self, start: StudyStart) -> None:
        """Open the parent run, or open it again; deliver what waits, and correct the runs of trials that were killed.

        Raises:
            StorageError: The models cannot fit on the disk, or the tracking store fails.
        """
        self._start = start
        self._refuse_full_disk(start)
        self._tags = tags_of(start)
        sweep(self._workspace.project.outbox)
        delivery = Delivery(self._workspace)
        with delivery.turn():
            experiment = self._workspace.experiment(start.corpus.name)
            close_abandoned(self._workspace)
            parent, _ = find_runs(self._workspace, experiment, start.study_id)
            if parent is None and start.finished:
                self._refuse_deleted(start)
            run = parent or self._open_parent(start, experiment)
            self.parent_run_id: str = run.info.run_id
            save_view(self._workspace, self._client.get_run(run.info.run_id))
        delivery.deliver(start.study_id)
        with delivery.turn():
            _, trials = find_runs(self._workspace, experiment, start.study_id)
            later = waiting_trials(
                self._workspace.project.outbox, start.study_id
            )  # another process has just put them there
            statuses = {number: STATUS[state] for number, state in start.finished.items() if number not in later}
            delivery.close_runs(trials, statuses)
            gone = {number for number, state in start.finished.items() if state == "COMPLETE"} - set(trials) - later
            if gone:
                self._refuse_deleted(start, gone)
            if parent is not None and start.trials_to_run:
                self._client.set_terminated(self.parent_run_id, "RUNNING")
                for key, value in process_tag().items():
                    self._client.set_tag(self.parent_run_id, key, value)
        self._stored = [
            (score_of(trial, "validation"), number)
            for number, trial in trials.items()
            if MODEL_TAG in trial.data.tags
            and CONFIRMED_TAG not in trial.data.tags
            and start.finished.get(number) == "COMPLETE"
        ]
        self._courier = Courier(delivery, self._workspace.project.outbox, start.study_id)

    def _refuse_deleted(self, start: StudyStart, trials: Set[int] = frozenset()) -> None:
        """Report deleted runs of the study in MLflow, before training if the best trial cannot be promoted.

        Args:
            start: Of the study.
            trials: Complete ones without a run; none where the study's own run is gone.

        Raises:
            StudyError: The study's own run was deleted, or that of its best trial.
        """
        deleted = what_was_deleted(self._workspace, start.definition.name, start.study_id)
        best = start.before.best
        if deleted and (not trials or best is None or best[0] in trials):
            raise StudyError(deleted)
        if deleted:
            _log.warning("note: %s", deleted)

    def _refuse_full_disk(self, start: StudyStart) -> None:
        settings = start.definition.config.study
        if not self._workspace.project.embedded_tracking or not start.trials_to_run:
            return
        # one more than is kept: the newest model is written before the worst is deleted
        kept = settings.keep_models if settings.keep_models == "all" else settings.keep_models + 1
        models = start.trials_to_run if kept == "all" else min(kept, start.trials_to_run)
        needed = int((models + 1) * start.largest_trial_bytes * HEADROOM)  # the newest is in the outbox, too
        free = shutil.disk_usage(self._workspace.project.root).free
        if needed > free:
            fitting = int(free / (start.largest_trial_bytes * HEADROOM)) - 2
            advice = f"pass --keep-models {fitting} or fewer" if fitting >= 1 else "free some space"
            raise StorageError(
                f"the models of {models} trials can take {needed / 1e9:.1f} GB "
                f"({len(start.folds)} networks of up to {start.largest_trial_bytes / len(start.folds) / 1e6:.0f} MB a "
                f"trial), but '{self._workspace.project.root}' has {free / 1e9:.1f} GB free; {advice}"
            )

    def _open_parent(self, start: StudyStart, experiment: str) -> Run:
        config, score = start.definition.config, start.definition.objective.title
        note = (
            f"Study of {config.model.name} with {config.features.name} on {config.corpus.shown}. "
            f"Trials are ranked by their pooled validation {score}; test speakers are scored for promoted trials only."
        )
        run = self._client.create_run(
            experiment,
            run_name=start.definition.name,
            tags={**self._tags, **process_tag(), MLFLOW_RUN_NOTE: note},
        )
        params = flatten(config.model_dump(mode="json", exclude={"search"})) | {
            f"search.{path}": str(span) for path, span in start.definition.search.items()
        }
        self._client.log_batch(run.info.run_id, params=[Param(path, str(value)) for path, value in params.items()])
        self._client.log_inputs(run.info.run_id, [DatasetInput(Dataset(**dataset_of(start)))])
        return run

    def trial_started(self, number: int, config: AnyTrial, sampled: Mapping[str, Value]) -> None:
        """Note the time, and begin to measure how busy the machine is."""
        self._began_ms = now_ms()
        self._measured()  # of a trial that an error ended
        self._system = SystemSampler()

    def _measured(self) -> Sequence[MetricRow]:
        """Load of the machine since the trial's start."""
        rows = self._system.stop() if self._system else ()
        self._system = None
        return rows

    def trial_finished(self, outcome: TrialOutcome) -> None:
        """Put metrics, tables and model into the outbox; after it, all of them are on disk.

        Raises:
            StorageError: The disk is full.
        """
        record = trial_record(self._start, self._tags, outcome, self._began_ms, self._measured())
        outbox = self._workspace.project.outbox
        try:
            with write_record(outbox, record) as folder:
                write_artifacts(folder / ARTIFACTS, self._start, outcome)
                if outcome.state == "COMPLETE" and self._is_kept(outcome):
                    write_model(folder / MODEL, self._start, outcome)
        except OSError as error:
            raise StorageError(
                f"trial {outcome.number} could not be stored in '{outbox}': {error.strerror or error}; "
                "make room, and the same command goes on from here"
            ) from None
        self._courier.notify()

    def _is_kept(self, outcome: TrialOutcome) -> bool:
        """Whether the trial is among the study's best, whose models are kept."""
        assert outcome.scores is not None
        if outcome.confirms is not None:  # the promoted trial is chosen only at the end
            return True
        keep, objective = self._start.definition.config.study.keep_models, self._start.definition.objective
        new = (outcome.scores[objective.name].value, outcome.number)
        self._stored.append(new)
        if keep == "all":
            return True
        ranked = Ranking(objective).best_first(self._stored, lambda stored: stored[0], lambda stored: stored[1])
        self._stored = ranked[:keep]
        return new in self._stored

    def study_finished(self, summary: StudySummary) -> None:
        """Put the study's totals into the outbox, and deliver all that waits, unless the tracking store fails.

        Raises:
            StorageError: The disk is full.
        """
        self._measured()
        try:
            if not summary.running:  # else the last process ends the study
                with write_record(self._workspace.project.outbox, study_record(self._start, summary)):
                    pass
        except OSError as error:
            raise StorageError(
                f"the end of study '{summary.name}' could not be stored in '{self._workspace.project.outbox}': "
                f"{error.strerror or error}; make room, and the same command goes on from here"
            ) from None
        finally:
            self._courier.close(0.0 if summary.interrupted else PATIENCE_S)
        if left := len(waiting_trials(self._workspace.project.outbox, self._start.study_id)):
            _log.warning(
                "note: trials of study '%s' wait in '%s' (%d); `ser-tune sync` delivers them, or the same command",
                summary.name,
                self._workspace.project.outbox,
                left,
            )
