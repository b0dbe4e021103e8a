"""MLflow's server is away for ten minutes while a real study runs, and while another one ends.

Afterwards every run is compared with its trial in Optuna: there once, with the same state, score, values and curves.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import FrozenTrial, TrialState

from ser_tune.coordination import CURVES, load_study, shown_trials
from ser_tune.tracking import MODEL_TAG, STUDY_NAME_TAG, TRIAL_TAG

from .killing import MODEL, SETTINGS
from .rows import Options, Row, project
from .servers import MlflowServer

__all__ = ["measure"]

AWAY_S, REST_S = 600.0, 300.0
"""How long the server is away, and how much longer the study may search."""
LATE_TRIALS = 6
"""Of the study that ends without a server."""
STATUS = {"COMPLETE": "FINISHED", "PRUNED": "KILLED", "FAIL": "FAILED"}


def measure(options: Options) -> list[Row]:
    """All numbers but the first two should be 0."""
    away_s, rest_s = (5.0, 120.0) if options.quick else (AWAY_S, REST_S)
    root = options.scratch
    server = MlflowServer(root)
    server.start()
    try:
        client = MlflowClient(server.uri)
        process = _study(server, root, "away", 1000, f"study.timeout_s={away_s + rest_s}")
        _wait_until(lambda: len(_runs(client, "away")) > 1, process)  # the study's own, and a trial's
        server.stop()
        before = len(_ended(root, "away"))
        time.sleep(away_s)
        meanwhile = len(_ended(root, "away")) - before
        server.start()
        codes = [process.wait()]
        rows = [
            Row("time without a server", away_s, "s"),
            Row("trials that ended meanwhile", meanwhile, "", at_least=1),
            *_compared(client, root, "away"),
        ]
        process = _study(server, root, "late", LATE_TRIALS)
        _wait_until(lambda: len(_runs(client, "late")) > 1, process)
        server.stop()
        assert process.wait() == 2  # there is no server to register a model
        server.start()
        codes.append(_command(server, root, "sync").wait())
        rows += _compared(client, root, "late")
        codes.append(_study(server, root, "late", LATE_TRIALS).wait())  # has only to promote
        sound = next((root / ".cache").rglob("*.wav"))
        codes.append(_command(server, root, "predict", f"ser-demo-{MODEL}", str(sound)).wait())
        records = [path for path in (root / "outbox").iterdir() if path.name != ".lock"]
    finally:
        server.stop()
    return [
        *rows,
        Row("records left in the outbox", len(records), "", below=1),
        Row("commands that failed", sum(map(bool, codes)), "", below=1),
    ]


def _study(server: MlflowServer, root: Path, name: str, trials: int, *settings: str) -> "subprocess.Popen[bytes]":
    assignments = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
    options = ("--model", MODEL, "--features", "logmelspec", "--trials", str(trials), "--name", name)
    return _command(server, root, "study", *options, *assignments)


def _command(server: MlflowServer, root: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-c", "from ser_tune.cli import main; main()", *arguments, "--tracking-uri", server.uri],
        env=os.environ | {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(root / ".cache")},
        stdout=subprocess.DEVNULL,
        stderr=(root / "told").open("ab"),
    )


def _wait_until(true: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    while not true():
        assert process.poll() is None, "the study ended too early"
        time.sleep(0.5)


def _ended(root: Path, name: str) -> dict[int, FrozenTrial]:
    trials = shown_trials(load_study(name, project(root))[0])
    return {one.number: one for one in trials if one.state.is_finished()}


def _runs(client: MlflowClient, name: str) -> Sequence[Run]:
    """A study's run and those of its trials."""
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, f"tags.`{STUDY_NAME_TAG}` = '{name}'", max_results=5000)
    return list(runs)


def _compared(client: MlflowClient, root: Path, name: str) -> Iterator[Row]:
    trials, runs = _ended(root, name), _runs(client, name)
    of_trials = [run for run in runs if TRIAL_TAG in run.data.tags]
    counts = Counter(int(run.data.tags[TRIAL_TAG]) for run in of_trials)
    odd = [number for number in {*trials, *counts} if counts[number] != 1 or number not in trials]
    unlike = [run for run in of_trials if not _is_like(client, run, trials[int(run.data.tags[TRIAL_TAG])])]
    running = [run for run in runs if run.info.status == "RUNNING"]
    yield Row(f"study '{name}': trials", len(trials), "", at_least=1)
    yield Row(f"study '{name}': trials with no run, or two", len(odd), "", below=1)
    yield Row(f"study '{name}': runs unlike their trials, or with a point twice", len(unlike), "", below=1)
    yield Row(f"study '{name}': runs that MLflow has as running", len(running), "", below=1)


def _is_like(client: MlflowClient, run: Run, trial: FrozenTrial) -> bool:
    """Whether a run has its trial's state, score, values and curves, and every point of a metric once."""
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    points = [(name, one.step, one.timestamp) for name, history in histories.items() for one in history]
    uars = [[one.value for one in histories[f"fold_{fold:02d}/validation_uar"]] for fold in _folds(trial)]
    return (
        run.info.status == STATUS[trial.state.name]
        and len(points) == len({*points})
        and all(run.data.params[path] == str(value) for path, value in trial.params.items())
        and (trial.state != TrialState.COMPLETE or run.data.metrics["validation_uar"] == trial.value)
        and (MODEL_TAG in run.data.tags) == (trial.state == TrialState.COMPLETE)
        and [len(fold) for fold in uars] == [len(fold) for fold in trial.user_attrs.get(CURVES, ())]
        and len(run.inputs.dataset_inputs) == 1
    )


def _folds(trial: FrozenTrial) -> range:
    return range(len(trial.user_attrs.get(CURVES, ())))
