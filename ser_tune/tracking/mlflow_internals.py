"""Parts of MLflow that are not its public interface: its tables, its pages, modules without documentation.

No other module imports such a part. They were tried with MLflow 3.17; tests/tracking/test_mlflow_internals.py fails
first where another version changes one.
"""

import base64
import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import mlflow
from mlflow.models.model import MLMODEL_FILE_NAME
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.store.artifact.models_artifact_repo import REGISTERED_MODEL_META_FILE_NAME
from mlflow.store.entities import PagedList
from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor
from mlflow.telemetry import set_telemetry_client
from mlflow.types.schema import Array
from mlflow.utils import environment
from mlflow.utils.git_utils import get_git_commit
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
)

__all__ = [
    "EXPERIMENT_KIND",
    "MLFLOW_GIT_COMMIT",
    "MLFLOW_PARENT_RUN_ID",
    "MLFLOW_RUN_NOTE",
    "MLFLOW_SOURCE_NAME",
    "MLMODEL_FILE_NAME",
    "REGISTERED_MODEL_META_FILE_NAME",
    "TRIED",
    "VIEW",
    "Array",
    "PagedList",
    "busyness",
    "comparison_address",
    "decide_telemetry",
    "delete_artifacts",
    "follow_moved_artifacts",
    "get_git_commit",
    "is_older_schema",
    "migration_error",
    "run_address",
    "saved_view",
    "store_artifacts",
    "system_monitors",
    "unchecked_requirements",
    "version_address",
    "view_address",
]

TRIED = ("3.17",)
"""Versions of MLflow that this module was tried with."""

EXPERIMENT_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Tag of an experiment of training runs."""

ABSOLUTE_PATHS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
"""Table and column of every absolute path below the artifact folder."""

PLACE_TABLE = "ser_tune_artifacts"
"""Our table in MLflow's database: the artifact folder that its paths begin with."""

VIEW = "mlflow.sharedViewState."
"""Start of an experiment's tag that holds a saved view of its run table; the view's key follows."""

_SIDE = "workflowType=machine_learning"
"""Opens a page on its side for training runs, not for agents."""


def follow_moved_artifacts(connection: sqlite3.Connection, folder: str) -> None:
    """Change the absolute paths in MLflow's tables if the artifact folder was moved or copied.

    Args:
        connection: To MLflow's database.
        folder: The artifact folder's present path.
    """
    connection.execute(f"CREATE TABLE IF NOT EXISTS {PLACE_TABLE} (location TEXT)")
    row = connection.execute(f"SELECT location FROM {PLACE_TABLE}").fetchone()
    if row is None:
        connection.execute(f"INSERT INTO {PLACE_TABLE} VALUES (?)", (folder,))
    elif (old := row[0]) != folder:
        for table, column in ABSOLUTE_PATHS:
            connection.execute(
                f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                (folder, len(old) + 1, len(old), old),
            )
        connection.execute(f"UPDATE {PLACE_TABLE} SET location = ?", (folder,))
    connection.commit()


def decide_telemetry() -> None:
    """Start or end MLflow's telemetry by the environment variables of now, as MLflow does when it is imported."""
    set_telemetry_client()  # type: ignore[no-untyped-call]


@contextmanager
def unchecked_requirements() -> Iterator[None]:
    """Within this context, MLflow does not compare the requirements of a model that it writes with what is installed.

    The comparison reads the file lists of all installed packages, which takes a second of each process.
    """
    name = "warn_dependency_requirement_mismatches"
    check = getattr(environment, name)
    try:
        setattr(environment, name, lambda requirements: None)
        yield
    finally:
        setattr(environment, name, check)


def is_older_schema(revision: str) -> bool:
    """Whether a revision of the database's tables is one that the installed MLflow can upgrade."""
    migrations = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    return any(migrations.glob(f"{revision}_*"))


def migration_error() -> type[Exception]:
    """The error of a database whose tables belong to another program, such as Optuna, or to a newer MLflow."""
    from alembic.util import CommandError  # imported by MLflow as well before it raises the error

    return CommandError


def delete_artifacts(location: str) -> None:
    """Delete all artifacts at a location, such as a logged model's."""
    repository: Any = get_artifact_repository(location)
    repository.delete_artifacts()


def store_artifacts(folder: Path, location: str, tracking_uri: str) -> None:
    """Store the files of a folder at a location; MLflow's client would first read all of the run that it is for."""
    repository: Any = get_artifact_repository(location, tracking_uri=tracking_uri)
    repository.log_artifacts(str(folder))


def system_monitors() -> list[BaseMetricsMonitor]:
    """Monitors of processor and memory, and of NVIDIA GPUs where `nvidia-ml-py` is installed."""
    monitors: list[BaseMetricsMonitor] = [CPUMonitor()]  # type: ignore[no-untyped-call]
    with suppress(ImportError, RuntimeError):  # no NVIDIA GPU, or no package to read its state
        monitors.append(GPUMonitor())  # type: ignore[no-untyped-call]
    return monitors


def busyness(monitors: Sequence[BaseMetricsMonitor]) -> dict[str, float]:
    """Measure since the last call: MLflow's names of system metrics to values, in percent and megabytes."""
    values: dict[str, float] = {}
    for monitor in monitors:
        measured: Any = monitor
        measured.collect_metrics()
        values |= {name: float(value) for name, value in measured.aggregate_metrics().items()}
        measured.clear_metrics()
    return values


def run_address(experiment: str, run_id: str) -> str:
    """Address of a run's page, from the `#` on."""
    return f"#/experiments/{experiment}/runs/{run_id}?{_SIDE}"


def version_address(name: str, version: str) -> str:
    """Address of a registered version's page, from the `#` on."""
    return f"#/models/{quote(name)}/versions/{version}?{_SIDE}"


def view_address(experiment: str, key: str) -> str:
    """Address of a saved view of an experiment's run table, from the `#` on."""
    return f"#/experiments/{experiment}/runs?{_SIDE}&viewStateShareKey={key}"


def comparison_address(experiment: str, run_ids: Sequence[str]) -> str:
    """Address of the page that compares runs of an experiment, from the `#` on."""
    listed = quote(json.dumps(run_ids, separators=(",", ":")))
    return f"#/compare-runs?runs={listed}&experiments={quote(json.dumps([experiment]))}&{_SIDE}"


def saved_view(name: str, *, condition: str, order_by: str, ascending: bool, columns: Sequence[str]) -> str:
    """The value of the tag that saves a view of an experiment's run table.

    Args:
        name: The view's, in the list of views.
        condition: Filter of the runs, in MLflow's language.
        order_by: Column that sorts the runs.
        ascending: Whether its least value comes first.
        columns: Columns that are shown.
    """
    state: Mapping[str, object] = {
        "searchFilter": condition,
        "orderByKey": order_by,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(columns),
        "columnOrder": [],
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsHiddenMode": "FIRST_10_RUNS",
        "runsVisibilityMap": {},
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": False,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "globalLineChartConfig": None,
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now_ms = int(time.time() * 1000)
    return json.dumps({"name": name, "createdAt": now_ms, "updatedAt": now_ms, "state": f"deflate;{packed}"})
