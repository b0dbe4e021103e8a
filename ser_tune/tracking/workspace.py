"""`Workspace`: a project's open stores. MLflow's client and experiments, Optuna's studies, their errors as ours."""

import os
import sqlite3
import tempfile
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import LoggedModel, Metric, Run, RunTag
from mlflow.exceptions import MlflowException

from ..errors import StorageError, TrackingError
from ..project import Project, full_disk
from ..stored_names import database_of
from .failures import FAILURES, PATIENCE, TrackingClient, named, reason_of, tracking_errors
from .mlflow_internals import EXPERIMENT_KIND, follow_moved_artifacts, migration_error, store_artifacts
from .quiet import quiet_mlflow
from .run_tables import has_known_tables
from .shared_files import share_files

if TYPE_CHECKING:
    import optuna

    from ..definition import StudyDefinition

__all__ = ["Workspace"]


class Workspace:
    """A project's tracking store and studies. A store is opened when it is first used."""

    def __init__(self, project: Project) -> None:
        """Keep the project; no store is opened yet.

        Args:
            project: Paths and addresses of the stores.
        """
        self.project = project

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client of the tracking server or database; the embedded database is created where it is missing.

        Raises:
            TrackingError: The database cannot be created, or the server does not answer.
        """
        uri = self.project.tracking_uri
        try:
            return _open(self.project)
        except (OSError, ImportError, sqlite3.Error, migration_error(), *FAILURES) as error:
            raise TrackingError(
                f"the tracking store '{named(uri)}' cannot be opened: {reason_of(error)}{full_disk(uri)}"
            ) from None

    @cached_property
    def tables(self) -> Path | None:
        """The tracking store's database, where its runs can be read as a file; None of a server."""
        found = database_of(self.client.tracking_uri)  # opened, so that an older database is refused as ever
        return found if found is not None and has_known_tables(found) else None

    @property
    def store(self) -> str:
        """The tracking store's address for messages, without a password."""
        return named(self.project.tracking_uri)

    def errors(self) -> AbstractContextManager[None]:
        """A context that turns failures of the tracking store into `TrackingError`; see `tracking_errors`."""
        return tracking_errors(self.project.tracking_uri)

    def experiment(self, corpus: str) -> str:
        """The MLflow identifier of a corpus's experiment; a missing experiment is created.

        Raises:
            StorageError: The experiment was deleted in MLflow.
        """
        found = self.client.get_experiment_by_name(corpus)
        if found is None:
            location = str(self.project.artifacts) if self.project.embedded_tracking else None
            with suppress(MlflowException):  # another process was quicker
                created = self.client.create_experiment(corpus, artifact_location=location, tags=EXPERIMENT_KIND)
                return str(created)
            found = self.client.get_experiment_by_name(corpus)
        if found is None or found.lifecycle_stage == "deleted":
            raise StorageError(
                f"the MLflow experiment '{corpus}' was deleted; restore it with `ser-tune sync --restore STUDY`, or "
                "use another tracking store"
            )
        return str(found.experiment_id)

    def artifact(self, run_id: str, name: str) -> bytes | None:
        """The content of a run's artifact; None if the run has no artifact of this name."""
        with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
            try:
                return Path(self.client.download_artifacts(run_id, name, temporary)).read_bytes()
            except (MlflowException, OSError):
                return None

    def store_files(self, folder: Path, location: str) -> None:
        """Store the files of a folder at a run's or a model's location, without asking for the run or the model."""
        with self.errors():
            store_artifacts(folder, location, self.client.tracking_uri)

    def log_scores(self, run_id: str, scores: Mapping[str, float], tags: Mapping[str, str] | None = None) -> None:
        """Write metrics, with the present time, and tags to a run in a single request."""
        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, value, now_ms, 0) for name, value in scores.items()]
        self.client.log_batch(run_id, metrics, tags=[RunTag(key, value) for key, value in (tags or {}).items()])

    def log_model(self, run: Run, folder: str | Path, *, name: str, tags: dict[str, str] | None = None) -> LoggedModel:
        """Store the files of a folder as a logged model of a run; MLflow marks it ready after the last file.

        On this machine's disk, files that models have in common are stored once.
        """
        made = self.client.create_logged_model(
            run.info.experiment_id, name=name, source_run_id=run.info.run_id, tags=tags
        )
        self.store_files(Path(folder), made.artifact_location)
        if self.project.embedded_tracking:
            share_files(Path(made.artifact_location), self.project.artifacts / "shared")
        return self.client.finalize_logged_model(made.model_id, "READY")

    def study(self, name: str) -> "tuple[optuna.Study, StudyDefinition]":
        """A stored study and its definition.

        Raises:
            StudyError: There is no such study; the message lists the existing studies.
            StorageError: Optuna's storage cannot be opened.
        """
        from ..coordination import load_study  # imports Optuna, which a prediction does not need

        return load_study(name, self.project)


def _open(project: Project) -> MlflowClient:
    """Open the tracking store; create an embedded database, and update its artifact paths if the project was moved."""
    path = database_of(project.tracking_uri)
    if path is not None and project.embedded_tracking:
        path.parent.mkdir(parents=True, exist_ok=True)
    if path is None or not os.access(path.parent, os.W_OK):
        return _client(project.tracking_uri)
    # Two processes that create the tables at once would leave an unusable database
    with FileLock(path.with_name(f".{path.name}.lock")):
        client = _client(project.tracking_uri)
        if project.embedded_tracking:
            with closing(sqlite3.connect(path, timeout=60)) as connection:
                # Write-ahead logging costs one disk flush a transaction instead of four
                connection.execute("PRAGMA journal_mode=WAL")
                follow_moved_artifacts(connection, str(project.artifacts))
        return client


def _client(uri: str) -> MlflowClient:
    quiet_mlflow()
    if uri.startswith("sqlite:///") and "?" not in uri:
        uri += PATIENCE
    previous = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(uri)
    # MLflow also sets the variable, and the variable would apply to every project that this process opens later
    if previous is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = previous
    client = TrackingClient(tracking_uri=uri, registry_uri=uri)
    MlflowClient.search_experiments(client, max_results=1)  # creates the tables, or fails here rather than in a trial
    return client
