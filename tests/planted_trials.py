"""A finished study with many more trials: copies of its best trial, with scores of their own, in both databases."""

import shutil
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from ser_tune.project import Project

__all__ = ["plant_trials"]

GAP = 1e-6
"""The loss of each copy against the copy before: the best trial stays the best."""
TRIAL, MODEL = "ser_tune.trial", "ser_tune.model_id"


def plant_trials(project: Project, study: str, number: int, *, trials: int) -> None:
    """Copy a complete trial until its study has so many trials; the copies have neither models nor test scores.

    Args:
        project: Its databases are SQLite files.
        study: The study's name.
        number: Of the trial.
        trials: In total.
    """
    with closing(sqlite3.connect(project.storage_url.removeprefix("sqlite:///"))) as optuna, optuna:
        first = _plant_in_optuna(optuna, study, number, trials)
    with closing(sqlite3.connect(project.tracking_uri.removeprefix("sqlite:///"))) as mlflow, mlflow:
        _plant_in_mlflow(mlflow, study, number, range(first, trials))


def _copy(table: str, key: str, columns: dict[str, str]) -> Callable[[sqlite3.Connection, object, object], None]:
    """A function that copies the rows of a table that belong to one parent to another one.

    Args:
        table: Of the rows.
        key: The column with the parent's identifier.
        columns: Every column that is copied as it is, to an SQL expression of its value.
    """
    names, values = ", ".join(columns), ", ".join(columns.values())

    def copied(database: sqlite3.Connection, old: object, new: object) -> None:
        database.execute(
            f"INSERT INTO {table} ({key}, {names}) SELECT ?, {values} FROM {table} WHERE {key} = ?", (new, old)
        )

    return copied


def _columns(database: sqlite3.Connection, table: str, *but: str) -> dict[str, str]:
    return {name: name for _, name, *_ in database.execute(f"PRAGMA table_info({table})") if name not in but}


def _plant_in_optuna(database: sqlite3.Connection, study: str, number: int, trials: int) -> int:
    (study_id,) = database.execute("SELECT study_id FROM studies WHERE study_name = ?", (study,)).fetchone()
    (trial,) = database.execute(
        "SELECT trial_id FROM trials WHERE study_id = ? AND number = ?", (study_id, number)
    ).fetchone()
    (first,) = database.execute("SELECT max(number) + 1 FROM trials WHERE study_id = ?", (study_id,)).fetchone()
    keys = {
        "trial_params": "param_id",
        "trial_values": "trial_value_id",
        "trial_user_attributes": "trial_user_attribute_id",
        "trial_system_attributes": "trial_system_attribute_id",
        "trial_intermediate_values": "trial_intermediate_value_id",
    }
    children = [_copy(table, "trial_id", _columns(database, table, key, "trial_id")) for table, key in keys.items()]
    for made in range(first, trials):
        database.execute(
            "INSERT INTO trials (number, study_id, state, datetime_start, datetime_complete) "
            "SELECT ?, study_id, state, datetime_start, datetime_complete FROM trials WHERE trial_id = ?",
            (made, trial),
        )
        new = database.execute("SELECT last_insert_rowid()").fetchone()[0]
        for copied in children:
            copied(database, trial, new)
        less = GAP * (made - first + 1)
        database.execute("UPDATE trial_values SET value = value - ? WHERE trial_id = ?", (less, new))
        place = "UPDATE trial_user_attributes SET value_json = ? WHERE trial_id = ? AND key = 'place'"
        database.execute(place, (str(made), new))
    return int(first)


def _plant_in_mlflow(database: sqlite3.Connection, study: str, number: int, planted: range) -> None:
    found = database.execute(
        "SELECT run_uuid, artifact_uri FROM runs "
        "JOIN tags AS trial USING (run_uuid) JOIN tags AS study USING (run_uuid) "
        "WHERE trial.key = ? AND trial.value = ? AND study.key = 'ser_tune.study' AND study.value = ?",
        (TRIAL, str(number), study),
    )
    old, location = found.fetchone()
    parent = _copy("runs", "run_uuid", _columns(database, "runs", "run_uuid"))
    children = [
        _copy(table, "run_uuid", _columns(database, table, "run_uuid"))
        for table in ("latest_metrics", "metrics", "params", "tags")
    ]
    for made in planted:
        new = uuid.uuid4().hex
        place = location.replace(old, new)
        parent(database, old, new)
        for copied in children:
            copied(database, old, new)
        database.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (place, new))
        database.execute("UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", (str(made), new, TRIAL))
        database.execute("DELETE FROM tags WHERE run_uuid = ? AND key IN (?, 'ser_tune.test')", (new, MODEL))
        less = GAP * (made - planted.start + 1)
        for table in ("latest_metrics", "metrics"):
            lower = f"UPDATE {table} SET value = value - ? WHERE run_uuid = ? AND key LIKE 'validation%'"
            database.execute(lower, (less, new))
            database.execute(f"DELETE FROM {table} WHERE run_uuid = ? AND key LIKE 'test%'", (new,))
        shutil.copytree(Path(location), Path(place))
