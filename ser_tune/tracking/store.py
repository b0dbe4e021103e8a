"""Opening MLflow: the embedded database made once and moved with its folder, experiments, artifacts."""

import contextlib
import logging
import os
import sqlite3
from contextlib import closing

from filelock import FileLock

from ..config import Project
from ..errors import StorageError

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
for _noisy in ("alembic", "mlflow.store.db.utils", "mlflow.utils.environment"):
    # Each first use would tell of forty database migrations
    logging.getLogger(_noisy).setLevel(logging.ERROR)

import mlflow  # noqa: E402 - telemetry is decided on import
from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

__all__ = ["experiment_of", "open_tracking"]

EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Has MLflow's pages open on training runs; without it they open on its tools for language models."""

ABSOLUTE_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
"""Where MLflow stores absolute paths below the artifact folder."""


def open_tracking(project: Project) -> MlflowClient:
    """A client of the project's tracking server or database, which is created where it is missing.

    Raises:
        StorageError: The database cannot be created or the server does not answer.
    """
    try:
        if project.embedded_tracking:
            folder = project.root / "mlruns"
            folder.mkdir(parents=True, exist_ok=True)
            # Two processes that create the tables at once would leave an unusable database
            with FileLock(folder / ".mlflow.db.lock"):
                client = _client(project)
                with closing(sqlite3.connect(folder / "mlflow.db")) as connection:
                    # Write-ahead logging costs one disk flush a transaction instead of four
                    connection.execute("PRAGMA journal_mode=WAL")
                    _follow_moved_folder(connection, project)
        else:
            client = _client(project)
    except (OSError, sqlite3.Error, MlflowException) as error:
        reason = str(error).splitlines()[0]
        raise StorageError(f"the tracking store '{project.tracking_uri}' cannot be opened: {reason}") from None
    return client


def _client(project: Project) -> MlflowClient:
    mlflow.set_tracking_uri(project.tracking_uri)
    client = MlflowClient(tracking_uri=project.tracking_uri, registry_uri=project.tracking_uri)
    client.search_experiments(max_results=1)  # creates the tables, or fails here rather than in a trial
    return client


def _follow_moved_folder(connection: sqlite3.Connection, project: Project) -> None:
    """Where the project's folder was moved or copied, point its paths at the new place."""
    known = "ser_tune_artifacts"
    connection.execute(f"CREATE TABLE IF NOT EXISTS {known} (location TEXT)")
    row = connection.execute(f"SELECT location FROM {known}").fetchone()
    here = str(project.artifacts)
    if row is None:
        connection.execute(f"INSERT INTO {known} VALUES (?)", (here,))
    elif row[0] != here:
        for table, column in ABSOLUTE_PATHS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (here, len(row[0]) + 1, len(row[0]), row[0]),
            )
        connection.execute(f"UPDATE {known} SET location = ?", (here,))
    connection.commit()


def experiment_of(client: MlflowClient, project: Project, corpus: str) -> str:
    """The identifier of a corpus's experiment, which is created where it is missing."""
    found = client.get_experiment_by_name(corpus)
    if found is None:
        location = str(project.artifacts) if project.embedded_tracking else None
        with contextlib.suppress(MlflowException):  # another process was quicker
            return str(client.create_experiment(corpus, artifact_location=location, tags=EXPERIMENT_KIND))
        found = client.get_experiment_by_name(corpus)
    if found is None or found.lifecycle_stage == "deleted":
        raise StorageError(f"the MLflow experiment '{corpus}' was deleted; restore it, or use another tracking store")
    return str(found.experiment_id)
