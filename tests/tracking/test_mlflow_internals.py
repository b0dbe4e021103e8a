"""What ser_tune uses of MLflow beyond its public interface; a new MLflow that changes a part fails here first."""

import ast
import base64
import json
import os
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.entities import Dataset, DatasetInput

import ser_tune
from ser_tune.project import Project
from ser_tune.tracking import Workspace, mlflow_internals

ROOM = Path(ser_tune.__file__).parent
PUBLIC = (
    *("mlflow", "mlflow.entities", "mlflow.entities.model_registry", "mlflow.exceptions", "mlflow.models"),
    *("mlflow.pyfunc", "mlflow.types"),
)
"""Modules of MLflow's documented interface."""


def test_this_version_of_mlflow_was_tried() -> None:
    installed = version("mlflow")
    assert installed.rpartition(".")[0] in mlflow_internals.TRIED, (
        f"MLflow {installed} was not tried: run tests/tracking and tests/browser, look at the pages of `ser-tune ui`, "
        "then add it to mlflow_internals.TRIED"
    )


@pytest.mark.slow
def test_no_other_module_imports_private_parts() -> None:
    found: set[tuple[str, str]] = set()
    for path in ROOM.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            private = {name for name in names if name.split(".")[0] == "mlflow" and name not in PUBLIC}
            found |= {(path.relative_to(ROOM).as_posix(), name) for name in private}
    assert {path for path, _ in found} == {"tracking/mlflow_internals.py"}, sorted(found)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A project whose store has one of everything that can have a path."""
    root = tmp_path_factory.mktemp("stored")
    workspace = Workspace(Project(root, f"sqlite:///{root}/mlruns/mlflow.db", "sqlite://", root / ".cache"))
    client, experiment = workspace.client, workspace.experiment("emodb")
    run = client.create_run(experiment).info
    client.log_inputs(run.run_id, [DatasetInput(Dataset("emodb", "0", "local", "emodb"))])
    client.log_dict(run.run_id, {}, "file.json")
    model = client.create_logged_model(experiment, name="model", source_run_id=run.run_id)
    (root / "weights").mkdir()
    (root / "weights" / "MLmodel").write_text("1", encoding="utf-8")
    client.log_model_artifacts(model.model_id, str(root / "weights"))
    client.finalize_logged_model(model.model_id, "READY")
    client.create_registered_model("ser-emodb-x")
    client.create_model_version("ser-emodb-x", f"models:/{model.model_id}", run.run_id, model_id=model.model_id)
    return workspace


@pytest.mark.slow
def test_every_path_in_mlflows_tables_follows_a_moved_folder(stored: Workspace) -> None:
    place = str(stored.project.artifacts)
    with closing(sqlite3.connect(stored.project.root / "mlruns" / "mlflow.db")) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = [(table, row[1]) for table in tables for row in connection.execute(f"PRAGMA table_info({table})")]
        holding = {
            (table, column)
            for table, column in columns
            if any(place in str(row[0]) for row in connection.execute(f"SELECT {column} FROM {table}"))
        }
    ours = {(mlflow_internals.PLACE_TABLE, "location")}
    assert ours < holding <= ours | set(mlflow_internals.ABSOLUTE_PATHS)
    assert set(mlflow_internals.ABSOLUTE_PATHS) <= set(columns)


def test_the_files_of_a_deleted_model_are_gone(stored: Workspace) -> None:
    (experiment,) = [
        experiment.experiment_id for experiment in stored.client.search_experiments(filter_string="name = 'emodb'")
    ]
    made = stored.client.create_logged_model(experiment, name="model")
    stored.client.log_model_artifacts(made.model_id, str(stored.project.root / "weights"))
    files = Path(made.artifact_location)
    assert (files / "MLmodel").exists()
    mlflow_internals.delete_artifacts(made.artifact_location)
    assert not files.exists() or not any(files.iterdir())


def test_mlflow_writes_its_note_on_the_version_where_digests_leave_it_out(stored: Workspace, tmp_path: Path) -> None:
    mlflow.set_tracking_uri(stored.client.tracking_uri)
    folder = mlflow.artifacts.download_artifacts("models:/ser-emodb-x/1", dst_path=str(tmp_path))
    assert {path.name for path in Path(folder).iterdir()} == {
        "MLmodel",
        mlflow_internals.REGISTERED_MODEL_META_FILE_NAME,
    }


def test_mlflow_names_its_migrations_by_their_revision() -> None:
    assert mlflow_internals.is_older_schema("451aebb31d03")  # MLflow 0.9
    assert not mlflow_internals.is_older_schema("0" * 12)


def test_system_metrics_have_the_names_of_mlflows_pages() -> None:
    measured = mlflow_internals.busyness(mlflow_internals.system_monitors())
    assert {
        "cpu_utilization_percentage",
        "system_memory_usage_megabytes",
        "system_memory_usage_percentage",
    } <= measured.keys()
    assert all(isinstance(value, float) for value in measured.values())


def test_mlflows_pages_read_saved_views_and_addresses_of_this_form() -> None:
    value = json.loads(
        mlflow_internals.saved_view("best", condition="", order_by="metrics.`uar`", ascending=False, columns=["a"])
    )
    kind, _, packed = value["state"].partition(";")
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    assert (state["orderByKey"], state["orderByAsc"], state["selectedColumns"]) == ("metrics.`uar`", False, ["a"])
    addresses = mlflow_internals.view_address("1", "k") + mlflow_internals.comparison_address("1", ["r"])
    names = {mlflow_internals.VIEW.removesuffix("."), f"{kind};", "createdAt", *state}
    names |= {"viewStateShareKey", "workflowType", "compare-runs", *mlflow_internals.EXPERIMENT_KIND.values()}
    assert {"viewStateShareKey", "workflowType", "compare-runs"} <= {name for name in names if name in addresses}
    missing = set(names)
    for script in (Path(mlflow.__file__).parent / "server" / "js" / "build" / "static" / "js").glob("*.js"):
        content = script.read_text(encoding="utf-8", errors="replace")
        missing -= {name for name in missing if name in content}
    assert not missing


@pytest.mark.slow
def test_importing_the_room_changes_no_setting_of_the_process() -> None:
    """MLflow and Optuna are imported before, whose own imports have effects."""
    script = (
        "import importlib, logging, os, pkgutil, warnings\n"
        "import mlflow.pyfunc, mlflow.types, optuna, sqlalchemy, torch\n"
        "def settings():\n"
        "    loggers = {name: logger.level for name, logger in logging.root.manager.loggerDict.items()\n"
        "               if isinstance(logger, logging.Logger) and logger.level}\n"
        "    return [*os.environ.items(), *loggers.items(), *map(str, warnings.filters)]\n"
        "before = settings()\n"
        "import ser_tune.tracking as room\n"
        "for module in pkgutil.iter_modules(room.__path__):\n"
        "    importlib.import_module(f'ser_tune.tracking.{module.name}')\n"
        "after = settings()\n"
        "assert before == after, (set(before) ^ set(after), len(before), len(after))\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW")}
    subprocess.run([sys.executable, "-W", "default", "-c", script], env=environment, check=True)


def test_requirements_are_checked_again_after_the_context() -> None:
    warned = mlflow_internals.environment.warn_dependency_requirement_mismatches
    with mlflow_internals.unchecked_requirements():
        assert mlflow_internals.environment.warn_dependency_requirement_mismatches is not warned
    assert mlflow_internals.environment.warn_dependency_requirement_mismatches is warned
