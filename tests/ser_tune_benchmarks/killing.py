"""A real study that is killed at random moments (`kill -9`), and the same study that nobody kills.

The moments are spread over a session's start and a tenth of the study's training.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import optuna
from mlflow import MlflowClient

from ser_tune.coordination import place_of

from .logged import trained_again
from .rows import Options, Row, project

__all__ = ["MODEL", "SETTINGS", "measure", "predict"]

KILLS, TRIALS = 20, 8
MODEL = "fcn_attention"
SETTINGS = (
    "model.width=0.125",
    "features.n_mels=64",
    "features.hop_s=0.04",
    "segments.frames=64",
    "training.epochs=3",
    "protocol.folds=3",
)
"""Light, because twenty starts take minutes by themselves."""


def measure(options: Options) -> list[Row]:
    """Every number but the first should be 0."""
    kills, trials = (2, 2) if options.quick else (KILLS, TRIALS)
    quiet, killed, first = (options.scratch / name for name in ("quiet", "killed", "first"))
    assert _start(first, 1).wait() == 0  # extracts features
    started = time.monotonic()
    process = _start(quiet, trials)
    while not (quiet / "log").exists() and process.poll() is None:
        time.sleep(0.05)
    start_s = time.monotonic() - started
    assert process.wait() == 0
    training_s = time.monotonic() - started - start_s

    moments, done = random.Random(0), 0
    while done < kills:
        process = _start(killed, trials)
        try:
            process.wait(moments.uniform(0, start_s + training_s / 10))
            break  # it ended by itself
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
    assert _start(killed, trials).wait() == 0

    ours, theirs = ({place_of(one): one for one in _ended(root)} for root in (killed, quiet))
    unlike = [place for place in theirs if _facts(ours.get(place)) != _facts(theirs[place])]
    running = _statuses(killed).count("RUNNING")
    left = list((options.scratch / ".cache" / "folds").glob("*/*"))
    return [
        Row(f"kills of a study of {trials} trials of {MODEL}", done, "", at_least=kills),
        Row("trials too many or too few", abs(len(_ended(killed)) - trials), "", below=1),
        Row("trials unlike those of the study that nobody killed", len(unlike), "", below=1),
        Row("folds trained again after they were stored", trained_again(killed / "log"), "", below=1),
        Row("runs that MLflow has as running", running, "", below=1),
        Row("stored folds of trials that ended, and files that were half-written", len(left), ""),
        Row("exit code of `predict` with the champion", predict(killed, options.scratch / ".cache"), "", below=1),
    ]


def _start(root: Path, trials: int) -> "subprocess.Popen[bytes]":
    root.mkdir(exist_ok=True)
    command = ["study", "--model", MODEL, "--features", "logmelspec", "--trials", str(trials), "--name", "killed"]
    command += [part for setting in SETTINGS for part in ("--set", setting)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.ser_tune_benchmarks.logged", str(root / "log"), "-", *command],
        env=_environment(root),
        stdout=subprocess.DEVNULL,
        stderr=(root / "told").open("ab"),
    )


def _environment(root: Path) -> dict[str, str]:
    return os.environ | {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(root.parent / ".cache")}


def _ended(root: Path) -> list[optuna.trial.FrozenTrial]:
    study = optuna.load_study(study_name="killed", storage=project(root).storage_url)
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return [one for one in study.get_trials() if one.state in states or "failure" in one.user_attrs]


def _facts(trial: optuna.trial.FrozenTrial | None) -> object:
    return None if trial is None else (trial.state, trial.params, trial.value, trial.intermediate_values)


def _statuses(root: Path) -> list[str]:
    client = MlflowClient(project(root).tracking_uri)
    experiments = [one.experiment_id for one in client.search_experiments()]
    return [run.info.status for run in client.search_runs(experiments, max_results=10_000)]


def predict(root: Path, cache: Path, *options: str) -> int:
    """Exit code of `predict` with a project's champion."""
    sound = next(cache.rglob("*.wav"))
    command = [
        sys.executable,
        "-c",
        "from ser_tune.cli import main; main()",
        "predict",
        f"ser-demo-{MODEL}",
        str(sound),
        *options,
    ]
    return subprocess.run(command, env=_environment(root), check=False, capture_output=True).returncode
