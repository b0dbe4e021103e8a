"""Runs read from the tables of a local MLflow database: as MLflow's own search returns them, in a tenth of its time.

MLflow makes an object of its database layer of every metric, parameter and tag. A study of 1,000 trials has 150,000 of
them, and every command that compares trials reads them all.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow.entities import Metric, Param, Run, RunData, RunInfo, RunTag

from ..stored_names import opened

__all__ = ["has_known_tables", "read_runs"]

REVISION = "dc11669786a5"
"""The revision of the tables of MLflow 3.17. Tables of another one are not read here; a test
fails first where another MLflow has one."""


def has_known_tables(database: Path) -> bool:
    """Whether a file is a database of MLflow whose tables `read_runs` can read."""
    try:
        with opened(database) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
            return [revision for (revision,) in found] == [REVISION]
    except sqlite3.Error:
        return False


def read_runs(
    database: Path,
    experiments: Sequence[str],
    *,
    tags: Mapping[str, str],
    having: Sequence[str] = (),
    finished: bool = False,
) -> list[Run]:
    """Runs that are not deleted, newest first, without their datasets.

    Args:
        database: MLflow's.
        experiments: Identifiers of the experiments that are searched.
        tags: Tags that a run has.
        having: Names of tags that it has, whatever their value.
        finished: Whether its status must be `FINISHED`.
    """
    chosen, values = _condition(experiments, tags, having, finished=finished)
    ids = f"SELECT run_uuid FROM runs WHERE {chosen}"
    with opened(database) as connection:
        connection.execute("BEGIN")  # all tables as of one moment
        infos = connection.execute(
            "SELECT run_uuid, name, experiment_id, user_id, status, start_time, end_time, lifecycle_stage, "
            f"artifact_uri FROM runs WHERE {chosen} ORDER BY start_time DESC, run_uuid",
            values,
        ).fetchall()
        metrics, params, own = defaultdict(list), defaultdict(list), defaultdict(list)
        rows = f"SELECT run_uuid, key, value, timestamp, step, is_nan FROM latest_metrics WHERE run_uuid IN ({ids})"
        for run, key, value, timestamp, step, is_nan in connection.execute(rows, values):
            metrics[run].append(Metric(key, float("nan") if is_nan else value, timestamp, step))
        for run, key, value in connection.execute(
            f"SELECT run_uuid, key, value FROM params WHERE run_uuid IN ({ids})", values
        ):
            params[run].append(Param(key, value))
        for run, key, value in connection.execute(
            f"SELECT run_uuid, key, value FROM tags WHERE run_uuid IN ({ids})", values
        ):
            own[run].append(RunTag(key, value))
    return [
        Run(
            RunInfo(
                run_id=run,
                run_name=name,
                experiment_id=str(experiment),
                user_id=user,
                status=status,
                start_time=start,
                end_time=end,
                lifecycle_stage=stage,
                artifact_uri=location,
            ),
            RunData(metrics[run], params[run], own[run]),
        )
        for run, name, experiment, user, status, start, end, stage, location in infos
    ]


def _condition(
    experiments: Sequence[str], tags: Mapping[str, str], having: Sequence[str], *, finished: bool
) -> tuple[str, list[object]]:
    """The condition on a row of `runs`, and its values."""
    parts = ["lifecycle_stage = 'active'", f"experiment_id IN ({', '.join('?' * len(experiments))})"]
    values: list[object] = list(map(int, experiments))
    if finished:
        parts.append("status = 'FINISHED'")
    named = "EXISTS (SELECT 1 FROM tags WHERE tags.run_uuid = runs.run_uuid AND tags.key = ?"
    for key, value in tags.items():
        parts.append(f"{named} AND tags.value = ?)")
        values += [key, value]
    for key in having:
        parts.append(f"{named})")
        values.append(key)
    return " AND ".join(parts), values
