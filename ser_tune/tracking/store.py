"""Opening MLflow: the embedded database made once and moved with its folder, experiments, artifacts."""

import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..config import Project, full_disk
from ..errors import StorageError, TrackingError
from .outbox import waiting

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# Seven times are four minutes, in which a study that is to start says nothing; one that runs has its outbox
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
for _noisy in (
    "alembic",
    "mlflow.store",
    "mlflow.utils.databricks_utils",
    "mlflow.utils.environment",
    "urllib3.connectionpool",
):
    # Each first use would tell of forty database migrations, each call to a server that is away of four tries
    logging.getLogger(_noisy).setLevel(logging.ERROR)

# Shows the traceback of every error, which it also raises
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

import mlflow  # noqa: E402 - telemetry is decided on import
from mlflow import MlflowClient  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402
from sqlalchemy import Engine, event  # noqa: E402

from .failures import FAILURES, TrackingClient, named, reason_of  # noqa: E402

__all__ = ["deliver_waiting", "experiment_of", "open_delivered", "open_tracking"]

LOCKED_S = 60.0
"""For how long a SQLite database is waited for that another program holds locked, to be read or written."""
_ours = set[str]()
"""Files of the databases that this process opened as tracking stores."""

EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Says that the runs are training runs. Which of its two sides MLflow's pages open on, their address decides."""

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
        TrackingError: The database cannot be created or the server does not answer.
    """
    try:
        path = Path(project.tracking_uri.removeprefix("sqlite:///"))
        if project.embedded_tracking:
            path.parent.mkdir(parents=True, exist_ok=True)
        if not project.tracking_uri.startswith("sqlite:///") or not os.access(path.parent, os.W_OK):
            return _client(project)
        # Two processes that create the tables at once would leave an unusable database
        with FileLock(path.with_name(f".{path.name}.lock")):
            client = _client(project)
            if not project.embedded_tracking:
                return client
            with closing(sqlite3.connect(path, timeout=LOCKED_S)) as connection:
                # Write-ahead logging costs one disk flush a transaction instead of four
                connection.execute("PRAGMA journal_mode=WAL")
                _follow_moved_folder(connection, project)
    except (OSError, ImportError, sqlite3.Error, *FAILURES) as error:
        uri = project.tracking_uri
        raise TrackingError(
            f"the tracking store '{named(uri)}' cannot be opened: {reason_of(error)}{full_disk(uri)}"
        ) from None
    return client


def open_delivered(project: Project) -> MlflowClient:
    """The same, after what waits in the project's outbox is delivered: for whatever reads runs.

    Raises:
        StorageError: The store cannot be opened, or fails.
    """
    client = open_tracking(project)
    deliver_waiting(client, project)
    return client


def deliver_waiting(client: MlflowClient, project: Project, study_id: str | None = None) -> Mapping[str, int]:
    """Deliver what waits in the outbox.

    Args:
        client: MLflow.
        project: Whose outbox.
        study_id: Of one study; None is all that the tracking store has.

    Returns:
        How many trials were delivered, by study's name.

    Raises:
        StorageError: The store fails; undelivered records stay in the outbox.
    """
    if not waiting(project.outbox, study_id):
        return {}
    from .delivery import Delivery  # torch: most often, there is nothing to do

    try:
        return Delivery(client, project).deliver(study_id)
    except StorageError as error:
        left = len(waiting(project.outbox, study_id))
        raise StorageError(f"{error}; {left} records wait in '{project.outbox}' for `ser-tune sync`") from None


def _client(project: Project) -> MlflowClient:
    told = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(project.tracking_uri)
    # MLflow also sets the variable, which would decide for every project that this process opens later
    if told is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = told
    if project.tracking_uri.startswith("sqlite:///"):
        _ours.add(project.tracking_uri.removeprefix("sqlite:///"))
    client = TrackingClient(tracking_uri=project.tracking_uri, registry_uri=project.tracking_uri)
    MlflowClient.search_experiments(client, max_results=1)  # creates the tables, or fails here rather than in a trial
    return client


@event.listens_for(Engine, "do_connect")
def _wait_for_lock(_: object, __: object, arguments: list[str], options: dict[str, Any]) -> None:
    """Have MLflow's connections to our stores wait; it leaves the five seconds of Python's driver."""
    if arguments and str(arguments[0]) in _ours:
        options.setdefault("timeout", LOCKED_S)


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
        with suppress(MlflowException):  # another process was quicker
            return str(client.create_experiment(corpus, artifact_location=location, tags=EXPERIMENT_KIND))
        found = client.get_experiment_by_name(corpus)
    if found is None or found.lifecycle_stage == "deleted":
        raise StorageError(
            f"the MLflow experiment '{corpus}' was deleted; restore it with `ser-tune sync --restore STUDY`, or use "
            "another tracking store"
        )
    return str(found.experiment_id)
