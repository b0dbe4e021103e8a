"""Runs that are read from the tables of MLflow's database are those of MLflow's own search."""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities import Run

from ser_tune.coordination import read_statuses
from ser_tune.errors import TrackingError
from ser_tune.report import report
from ser_tune.results import leaderboard
from ser_tune.tracking import Workspace, search_runs
from ser_tune.tracking.run_tables import has_known_tables
from tests.opened_studies import Opened
from tests.planted_trials import plant_trials


def _content(run: Run) -> Mapping[str, object]:
    metrics = {name: repr(value) for name, value in run.data.metrics.items()}  # NaN is not equal to itself
    return {**vars(run.info), "metrics": metrics, "params": run.data.params, "tags": run.data.tags}


def _asked(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, **how: Any) -> list[Mapping[str, object]]:
    """The runs as MLflow finds them."""
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "tables", None)
        return [_content(run) for run in search_runs(workspace, **how)]


def test_runs_are_those_that_mlflow_finds(located: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace, client = located.workspace, located.workspace.client
    experiment = client.create_experiment("odd")
    for number, tags in enumerate(({"kind": 'it\'s "odd" `too` \\'}, {"kind": "plain"}, {"other": ""})):
        run = client.create_run(experiment, start_time=number // 2, tags=tags)
        client.log_metric(run.info.run_id, "loss", (float("nan"), float("inf"), -0.0)[number])
        client.set_terminated(run.info.run_id, ("FINISHED", "FAILED", "FINISHED")[number])
    gone = client.create_run(experiment, tags={"kind": "plain"})
    client.delete_run(gone.info.run_id)
    client.delete_experiment(client.create_experiment("gone"))
    client.create_run(client.create_experiment("empty"))

    assert workspace.tables is not None
    study = {"ser_tune.study": "first"}
    asked: tuple[Mapping[str, Any], ...] = (
        *({}, {"experiments": [experiment]}, {"finished": True}, {"experiments": []}),
        *({"tags": study}, {"tags": study, "having": ["ser_tune.trial"]}, {"having": ["protocol.corpus"]}),
        *({"tags": {"kind": 'it\'s "odd" `too` \\'}}, {"tags": {"kind": "plain"}}, {"tags": {"other": ""}}),
    )
    for how in asked:
        found = [_content(run) for run in search_runs(workspace, **how)]
        assert found == _asked(workspace, monkeypatch, **how), how
    assert len(list(search_runs(workspace))) == len(located.runs) + 1 + 3 + 1


def test_tables_of_another_version_are_left_to_mlflow(copied: Opened, tmp_path: Path) -> None:
    database = Path(copied.project.tracking_uri.removeprefix("sqlite:///"))
    assert has_known_tables(database), "this MLflow's tables were not tried: look at run_tables.REVISION"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'other'")
    assert not has_known_tables(database)
    assert not has_known_tables(tmp_path / "missing.db")
    (tmp_path / "text.db").write_text("no database" * 100)
    assert not has_known_tables(tmp_path / "text.db")


def test_a_damaged_database_is_named(copied: Opened) -> None:
    assert copied.workspace.tables is not None
    with closing(sqlite3.connect(copied.workspace.tables)) as connection, connection:
        connection.execute("ALTER TABLE latest_metrics RENAME TO lost")
    with pytest.raises(TrackingError, match=r"^the tracking store '.*' failed: no such table: latest_metrics"):
        list(search_runs(copied.workspace))


@pytest.mark.slow
def test_what_reads_a_study_asks_as_much_of_60_trials_as_of_180(
    copied: Opened, statements: Callable[[str], int]
) -> None:
    """Files are read of the best 50 trials alone."""
    project, asked = copied.project, []
    for trials in (60, 180):
        plant_trials(project, "first", copied.best, trials=trials)
        workspace = Workspace(project)
        before = {part: statements(part) for part in ("optuna", "mlflow")}
        (status,) = read_statuses(project)
        assert status.complete >= trials - 1
        (entry,) = leaderboard(workspace).entries
        assert (entry.trials, entry.rank) == (status.complete, 1)
        found = report(workspace, "first", with_audio=False)
        assert found.search is not None
        assert len(found.search.trials) == trials
        asked.append({part: statements(part) - count for part, count in before.items()})
    assert all(asked[1][part] <= count for part, count in asked[0].items()), asked
