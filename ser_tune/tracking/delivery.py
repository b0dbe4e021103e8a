"""Delivery of the outbox's records to MLflow: in order, each once, however often it is tried."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock
from mlflow.entities import Dataset, DatasetInput, Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException

from ..errors import ConfigError, StorageError, TrackingError
from ..project import Project
from .failures import tracking_errors
from .mlflow_internals import MLFLOW_PARENT_RUN_ID, delete_artifacts
from .mlflow_pages import link_study
from .outbox import (
    ARTIFACTS,
    MODEL,
    StudyRecord,
    TrialRecord,
    begin,
    read_record,
    remove_record,
    waiting,
    waiting_trials,
)
from .queries import logged_models, model_versions, search_runs
from .runs import CONFIRMED_TAG, MODEL_TAG, STUDY_NAME_TAG, STUDY_TAG, TRIAL_TAG, attempt_of, best_first, find_runs
from .workspace import Workspace

__all__ = ["Delivery", "deliver_waiting", "open_delivered"]


class Delivery:
    """Delivers records to one tracking store. Several processes may do so at once: they take turns."""

    def __init__(self, workspace: Workspace) -> None:
        """Deliver from a project's outbox to its tracking store, which is opened."""
        self._workspace, self._client = workspace, workspace.client
        self._parents: dict[str, tuple[str, str]] = {}

    def deliver(self, study_id: str | None = None) -> Counter[str]:
        """Deliver what waits, of one study or of all, except for studies that this store does not have.

        Returns:
            How many trials were delivered, by study's name; 0 where only totals waited.

        Raises:
            TrackingError: The store fails; undelivered records stay in the outbox.
        """
        delivered = Counter[str]()
        for folder in waiting(self._workspace.project.outbox, study_id):
            with self.turn():
                record = read_record(folder)
                if record is None or (parent := self._parent(record.study_id, record.corpus)) is None:
                    continue
                if isinstance(record, TrialRecord):
                    self._deliver_trial(folder, record, *parent)
                else:
                    self._deliver_totals(record, *parent)
                remove_record(folder)
                delivered[record.study] += record.is_trial
        return delivered

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Keep other processes from delivering, and turn what fails into a `TrackingError`."""
        uri = self._workspace.project.tracking_uri
        try:
            with tracking_errors(uri), FileLock(self._workspace.project.outbox / ".lock"):
                yield
        except OSError as error:  # of the artifacts' folder or server
            raise TrackingError(f"the tracking store '{uri}' failed: {error}") from None

    def close_runs(self, trials: Mapping[int, Run], statuses: Mapping[int, str]) -> None:
        """Correct the runs of trials whose process was killed before their state was stored in Optuna.

        Args:
            trials: A study's runs, by trial.
            statuses: What theirs should be.
        """
        for number, run in trials.items():
            if run.info.status != (status := statuses.get(number, run.info.status)):
                self._client.set_terminated(run.info.run_id, status)
                if status != "FINISHED":  # it is run again, and stores another model
                    self._forget_model(run)

    def _parent(self, study_id: str, corpus: str) -> tuple[str, str] | None:
        """The experiment and the run of a study; None where this store has neither."""
        if study_id not in self._parents:
            experiment = self._client.get_experiment_by_name(corpus)
            if experiment is None or experiment.lifecycle_stage == "deleted":
                return None
            parent, _ = find_runs(self._workspace, experiment.experiment_id, study_id)
            if parent is None:
                return None
            self._parents[study_id] = (experiment.experiment_id, parent.info.run_id)
        return self._parents[study_id]

    def _deliver_trial(self, folder: Path, record: TrialRecord, experiment: str, parent: str) -> None:
        """Create the run of a trial, or complete a partly delivered run; earlier attempts of the trial lose theirs."""
        workspace, client = self._workspace, self._client
        this = {STUDY_TAG: record.study_id, TRIAL_TAG: str(record.number)}
        # A record that nobody has begun has no run, unless the trial ended before and another process has run it again
        known = record.status == "FAILED" or record.attempt is not None or not (begin(folder) and record.marked)
        begun, is_late = self._begun(record, experiment) if known else (None, False)
        if is_late:
            return
        run = begun or client.create_run(
            experiment,
            start_time=record.began_ms,
            run_name=record.title,
            tags={**record.tags, MLFLOW_PARENT_RUN_ID: parent},
        )
        run_id, tags = run.info.run_id, list[RunTag]()
        client.log_inputs(run_id, [DatasetInput(Dataset(**record.dataset))])
        workspace.store_files(folder / ARTIFACTS, run.info.artifact_uri)
        if (folder / MODEL).is_dir() and MODEL_TAG not in run.data.tags:
            if begun is not None:
                for model in list(logged_models(workspace, [experiment], tags=this)):
                    self._delete_model(model.model_id)
            from .package import log_saved  # torch, which delivery without models does not need

            tags = [RunTag(MODEL_TAG, log_saved(workspace, run, folder / MODEL, name="model", tags=this))]
        params = [Param(path, value) for path, value in record.params.items()]
        client.log_batch(run_id, [Metric(*row) for row in record.metrics], params, tags)
        client.set_terminated(run_id, record.status, end_time=record.ended_ms)
        if record.status != "FINISHED":  # another process has run it again, after its model was delivered
            self._forget_model(run)
        if record.keep_models != "all":
            self._forget_worse(record.study_id, experiment, record.keep_models)

    def _begun(self, record: TrialRecord, experiment: str) -> tuple[Run | None, bool]:
        """The run of a trial's attempt, and whether it is late: a later attempt has a run, and this one loses its own.

        Runs of earlier attempts are deleted.
        """
        own = record.number if record.attempt is None else record.attempt
        this = {STUDY_TAG: record.study_id, TRIAL_TAG: str(record.number)}
        runs = list(search_runs(self._workspace, experiments=[experiment], tags=this))
        last = max(map(attempt_of, runs), default=own)
        for run in runs:
            if attempt_of(run) < max(own, last):
                self._delete_run(run)
        return next((run for run in runs if attempt_of(run) == own == max(own, last)), None), last > own

    def _delete_run(self, run: Run) -> None:
        """Delete the run of an attempt that was superseded, with its model, so that nobody restores it."""
        self._forget_model(run)
        if STUDY_NAME_TAG in run.data.tags:  # by which deleted runs are found, to be restored
            self._client.delete_tag(run.info.run_id, STUDY_NAME_TAG)
        self._client.delete_run(run.info.run_id)

    def _deliver_totals(self, record: StudyRecord, experiment: str, parent: str) -> None:
        """Write a study's totals, and close its run."""
        _, trials = find_runs(self._workspace, experiment, record.study_id)
        later = waiting_trials(self._workspace.project.outbox, record.study_id)  # another process is at them
        self.close_runs({number: trials[number] for number in trials.keys() - later}, dict(record.statuses))
        tags = [RunTag(key, value) for key, value in record.tags.items()]
        self._client.log_batch(parent, [Metric(*row) for row in record.metrics], tags=tags)
        link_study(self._workspace, experiment, record.study_id)
        self._client.set_terminated(parent, record.status, end_time=record.ended_ms)

    def _forget_worse(self, study_id: str, experiment: str, keep: int) -> None:
        """Delete the models that are no longer among a study's best."""
        tags = {STUDY_TAG: study_id}
        found = search_runs(self._workspace, "", [experiment], tags=tags, having=[MODEL_TAG], finished=True)
        with suppress(ConfigError):  # the metric is of a package that is not installed any more: models are kept
            for run in best_first(trial for trial in found if CONFIRMED_TAG not in trial.data.tags)[keep:]:
                self._forget_model(run)

    def _forget_model(self, run: Run) -> None:
        """Delete a run's model, unless a registered version needs it."""
        if (model_id := run.data.tags.get(MODEL_TAG)) is None:
            return
        registered = model_versions(self._workspace, source=f"models:/{model_id}")  # by ser-tune or by hand
        if any(registered):
            return
        self._delete_model(model_id)
        self._client.delete_tag(run.info.run_id, MODEL_TAG)

    def _delete_model(self, model_id: str) -> None:
        try:
            location = self._client.get_logged_model(model_id).artifact_location
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # an interrupted delivery got as far
                return
            raise
        delete_artifacts(location)
        self._client.delete_logged_model(model_id)


def open_delivered(project: Project) -> Workspace:
    """A workspace whose tracking store is open and has everything that waited in the outbox: to read runs.

    Raises:
        StorageError: The store cannot be opened, or fails.
    """
    workspace = Workspace(project)
    _ = workspace.client  # a store that cannot be opened fails here, also where nothing waits
    deliver_waiting(workspace)
    return workspace


def deliver_waiting(workspace: Workspace, study_id: str | None = None) -> Mapping[str, int]:
    """Deliver what waits in the outbox, of one study or all that the tracking store has.

    Returns:
        How many trials were delivered, by study's name.

    Raises:
        StorageError: The store fails; undelivered records stay in the outbox.
    """
    outbox = workspace.project.outbox
    if not waiting(outbox, study_id):
        return {}
    try:
        return Delivery(workspace).deliver(study_id)
    except StorageError as error:
        left = len(waiting(outbox, study_id))
        raise StorageError(f"{error}; {left} records wait in '{outbox}' for `ser-tune sync`") from None
