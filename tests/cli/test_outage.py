"""A tracking server that is away while a study runs: the search goes on, and everything arrives, once."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.project_copies import copy_project
from tests.warm_processes import COMMAND, WarmMlflowServer, WarmProcess

HELD = """
import os, sys, time
from pathlib import Path
from ser_tune.search import trainer
from ser_tune.tracking import observer

root = Path(sys.argv.pop(1))
os.dup2(os.open(root / "stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
observer.PATIENCE_S = 1.0
train, begun = trainer.train_fold, 0

def train_when_allowed(*arguments):
    global begun
    while begun >= 3 * int((root / "allowed").read_text() or 0):
        time.sleep(0.05)
    begun += 1
    return train(*arguments)

trainer.train_fold = train_when_allowed
"""
"""Writes errors to a file that can be read meanwhile, and trains as many trials of three folds as `allowed` says."""


@pytest.fixture
def server(databases: Path, tmp_path: Path) -> Iterator[WarmMlflowServer]:
    copy_project(databases, tmp_path / "copied")
    (tmp_path / "copied" / "mlruns" / "mlflow.db").rename(tmp_path / "server.db")  # MLflow takes seconds to create it
    server = WarmMlflowServer(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def start(
    root: Path, study_file: Path, corpus_csv: Path, shared_cache: Path, server: WarmMlflowServer
) -> Callable[..., WarmProcess]:
    """Start a command that tracks to the server: `start("sync")`; `start("study", trials=3)`."""

    def _start(command: str, trials: int = 0, allowed: int = 99) -> WarmProcess:
        _allow(root, allowed)
        arguments = [command, "--tracking-uri", server.uri]
        if trials:
            corpus = ("--corpus", "manifest", "--data", str(corpus_csv), "--name", "away", "--trials", str(trials))
            arguments += [
                str(study_file),
                *corpus,
                "--pruner",
                "none",
                "--keep-models",
                "2",
                *("--set", "study.confirm=0", "--set", "training.epochs=1"),
            ]
        environment = {
            "SER_TUNE_ROOT": str(root),
            "SER_TUNE_CACHE": str(shared_cache),
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # the outbox is tried, not MLflow's own retries
        }
        return WarmProcess(HELD + COMMAND, root, *arguments, environment=environment)

    return _start


def _allow(root: Path, trials: int) -> None:
    (root / "allowed").write_text(str(trials), encoding="utf-8")


def _records(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "outbox").glob("*-*") if path.suffix != ".partial")


def _ended(process: WarmProcess, root: Path) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    out, _ = process.communicate(timeout=300)
    assert process.returncode is not None
    return process.returncode, out, (root / "stderr").read_text(encoding="utf-8")


def _wait_until(true: Callable[[], bool], process: WarmProcess) -> None:
    for _ in range(6000):
        if true():
            return
        assert process.poll() is None
        time.sleep(0.02)
    raise TimeoutError


@pytest.mark.slow
def test_a_server_that_is_away_for_a_while_misses_nothing(
    start: Callable[..., WarmProcess], server: WarmMlflowServer, root: Path
) -> None:
    trials = 6
    process = start("study", trials=trials, allowed=2)
    client = MlflowClient(server.uri)

    def runs() -> list[object]:
        return list(client.search_runs(["0", "1"], "tags.`ser_tune.trial` != ''"))

    def is_noted() -> bool:
        return "the study goes on, its trials wait in" in (root / "stderr").read_text(encoding="utf-8")

    _wait_until(lambda: len(runs()) == 2, process)
    server.stop()
    _allow(root, 3)
    _wait_until(is_noted, process)
    known = len(_records(root))
    _allow(root, 4)
    _wait_until(lambda: len(_records(root)) > known, process)  # the search goes on
    server.start()
    _allow(root, trials)
    code, out, err = _ended(process, root)
    assert code == 0, err
    assert "the tracking store answers again, and has all trials" in err
    assert "registered: ser-manifest-alex_net version 1 as champion" in out
    assert not _records(root)
    _everything_is_there(client, trials)


@pytest.mark.slow
def test_what_a_server_missed_at_the_end_is_delivered_by_sync(
    start: Callable[..., WarmProcess], server: WarmMlflowServer, root: Path
) -> None:
    trials = 4
    process = start("study", trials=trials)
    _wait_until(lambda: bool(_records(root)), process)
    server.stop()
    code, _, err = _ended(process, root)
    assert code == 2  # nothing can be promoted
    assert "`ser-tune sync` delivers them" in err
    assert "Traceback" not in err
    assert _records(root)
    server.start()
    code, out, err = _ended(start("sync"), root)
    assert (code, err) == (0, "")
    assert "trials delivered to" in out
    assert not _records(root)
    _everything_is_there(MlflowClient(server.uri), trials)
    assert _ended(start("sync"), root)[1] == "nothing waits\n"
    code, out, _ = _ended(start("study", trials=trials), root)  # it has only to promote
    assert code == 0
    assert "registered: ser-manifest-alex_net version 1 as champion" in out


def _everything_is_there(client: MlflowClient, trials: int) -> None:
    runs = client.search_runs([one.experiment_id for one in client.search_experiments()], max_results=1000)
    assert Counter(run.info.status for run in runs) == {"FINISHED": trials + 1}
    of_trials = [run for run in runs if "ser_tune.trial" in run.data.tags]
    assert sorted(int(run.data.tags["ser_tune.trial"]) for run in of_trials) == list(range(trials))
    (parent,) = [run for run in runs if "ser_tune.trial" not in run.data.tags]
    assert parent.data.metrics["trials_complete"] == trials
    ranked = sorted(
        of_trials, key=lambda run: (-run.data.metrics["validation_uar"], int(run.data.tags["ser_tune.trial"]))
    )
    assert parent.data.tags["ser_tune.best_trial"] == ranked[0].data.tags["ser_tune.trial"]
    assert {run.info.run_id for run in of_trials if "ser_tune.model_id" in run.data.tags} == {
        run.info.run_id for run in ranked[:2]
    }
    for run in of_trials:
        assert run.inputs is not None
        assert len(run.inputs.dataset_inputs) == 1
        assert "validation_predictions.csv" in [one.path for one in client.list_artifacts(run.info.run_id)]
        assert len(client.get_metric_history(run.info.run_id, "validation_uar")) == 1
