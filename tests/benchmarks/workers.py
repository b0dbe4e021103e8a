"""Four workers on one study with PostgreSQL and MLflow's server, killed at random moments; and servers that restart.

The same study, trained by one process without servers, must give the same scores to the last bit.
"""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState

from ser_tune import api
from ser_tune.config import Project
from ser_tune.study import place_of

from .rows import Options, Row
from .servers import MlflowServer, PostgreSQL

__all__ = ["measure"]

KILLS, TRIALS, STARTS = 20, 30, 24
MODEL, EPOCHS, FOLDS = "fcn_attention", 6, 3
STUDY = ("--model", MODEL, "--features", "logmelspec", "--sampler", "random", "--pruner", "none")
SETTINGS = (
    "model.width=0.125",
    "features.n_mels=64",
    "features.hop_s=0.04",
    "segments.frames=64",
    f"training.epochs={EPOCHS}",
    "training.threads=1",
    "training.precision=float32",
    f"protocol.folds={FOLDS}",
)
PROGRAM = (sys.executable, "-m", "tests.benchmarks.logged")
PATIENCE_S = 1800.0
QUIET_S = 30.0
"""A worker is killed where nothing happened for so long, too: others are starting."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a study is: its folder, its stores, and its name."""

    root: Path
    storage: str
    tracking: str
    name: str = "crowd"

    @property
    def project(self) -> Project:
        return Project(self.root, self.tracking, self.storage, self.root.parent / ".cache")

    @property
    def log(self) -> Path:
        return self.root / "log"

    def start(self, command: str, *words: str) -> "subprocess.Popen[bytes]":
        """Start `study`, or any other command."""
        self.root.mkdir(exist_ok=True)
        where = ("--storage", self.storage, "--tracking-uri", self.tracking)
        if command == "study":
            words = (*STUDY, "--name", self.name, *words, *(part for one in SETTINGS for part in ("--set", one)))
        with (self.root / "told").open("ab") as told:
            return subprocess.Popen(
                [*PROGRAM, str(self.log), "-", command, *words, *where],
                env=os.environ | {"SER_TUNE_ROOT": str(self.root), "SER_TUNE_CACHE": str(self.root.parent / ".cache")},
                stdout=told,
                stderr=told,
            )

    def trials(self) -> list[FrozenTrial]:
        """All trials."""
        storage = optuna.storages.RDBStorage(self.storage)
        try:
            return optuna.load_study(study_name=self.name, storage=storage).get_trials(deepcopy=False)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def measure(options: Options) -> list[Row]:
    """Every number but those of kills and stops should be 0."""
    kills, trials = (3, 6) if options.quick else (KILLS, TRIALS)
    quiet = _embedded(options.scratch / "quiet")
    assert _wait(_embedded(options.scratch / "first").start("study", "--trials", "1")) == 0  # extracts features
    assert _wait(quiet.start("study", "--trials", str(trials))) == 0
    four = _embedded(options.scratch / "four")
    code = _wait(four.start("study", "--trials", str(trials), "--workers", "4"))
    rows = _rows("4 workers", four, trials, quiet, code)
    with _servers(options.scratch) as (database, server):
        killed = Place(options.scratch / "killed", database.database("killed"), server.uri)
        rows += _killed(killed, trials, kills, quiet)
        away = Place(options.scratch / "away", database.database("away"), server.uri)
        rows += _away(away, trials, database, server, quiet)
    return rows


def _embedded(root: Path) -> Place:
    return Place(root, f"sqlite:///{root}/studies/optuna.db", f"sqlite:///{root}/mlruns/mlflow.db")


@contextmanager
def _servers(scratch: Path) -> Iterator[tuple[PostgreSQL, MlflowServer]]:
    folder = scratch / "server"
    folder.mkdir()
    database, server = PostgreSQL(scratch / "postgresql"), MlflowServer(folder)
    server.start()
    try:
        yield database, server
    finally:
        server.stop()
        database.stop()


class _Crowd:
    """`study --workers 2`, and two times `worker`; who ended by a signal is started again."""

    def __init__(self, place: Place, trials: int) -> None:
        self._place = place
        self._commands = [["study", "--trials", str(trials), "--workers", "2"], *[["worker", place.name]] * 2]
        self._processes = [place.start(*self._commands[0])]
        while not place.log.exists():  # the study does
            assert self._processes[0].poll() is None
            time.sleep(0.1)
        self._processes += [place.start(*command) for command in self._commands[1:]]

    def workers(self) -> list[psutil.Process]:
        """The four processes that train, as far as they live."""
        first, *others = self._processes
        found = [psutil.Process(one.pid) for one in others if one.poll() is None]
        if first.poll() is None:
            children = psutil.Process(first.pid).children()
            found += [one for one in children if any("spawn_main" in word for word in one.cmdline())]
        return found

    def mend(self) -> None:
        """Start what has ended, as long as the study has not."""
        for number, process in enumerate(self._processes):
            if process.poll() not in (None, 0):
                self._processes[number] = self._place.start(*self._commands[number])

    def ended(self) -> bool:
        """Whether the first process has ended the study."""
        return self._processes[0].poll() == 0

    def end(self) -> int:
        """Wait for all; returns how many failed."""
        return sum(_wait(process) != 0 for process in self._processes)


def _killed(place: Place, trials: int, kills: int, quiet: Place) -> list[Row]:
    moments, done, wrong = random.Random(0), 0, 0
    crowd = _Crowd(place, trials)
    while done < kills and not crowd.ended():
        until, events = time.monotonic() + QUIET_S, _events(place) + moments.randint(0, 2 * EPOCHS * FOLDS)
        while _events(place) < events and time.monotonic() < until:
            time.sleep(moments.uniform(0, 0.2))
        if workers := crowd.workers():
            victim = moments.choice(workers)
            victim.kill()
            psutil.wait_procs([victim], timeout=60)
            done += 1
            (status,) = api.status(place.name, project=place.project)
            wrong += victim.pid in [one.process for one in status.workers] or status.total != trials
        crowd.mend()
    code = crowd.end()
    return [
        Row(f"kills among 4 workers of a study of {trials} trials", done, "", at_least=kills),
        Row("killed workers in `status`", wrong, "", below=1),
        *_rows("killed", place, trials, quiet, code),
    ]


def _away(place: Place, trials: int, database: PostgreSQL, server: MlflowServer, quiet: Place) -> list[Row]:
    crowd, stops = _Crowd(place, trials), 0
    for one in (database, server, database, server):
        known = len(place.trials())
        while len(place.trials()) < known + max(1, trials // 10) and not crowd.ended():
            time.sleep(0.5)
        stops += not crowd.ended()
        one.stop()
        time.sleep(10.0)
        one.start()
    code = crowd.end()
    return [
        Row("stops of PostgreSQL and MLflow's server", stops, "", at_least=4),
        *_rows("servers away", place, trials, quiet, code),
    ]


def _events(place: Place) -> int:
    """How many lines the log has: begun and stored folds, epochs, ended trials."""
    return place.log.read_bytes().count(b"\n")


def _wait(process: "subprocess.Popen[bytes]") -> int:
    return process.wait(PATIENCE_S)


def _rows(title: str, place: Place, trials: int, quiet: Place, code: int) -> list[Row]:
    known = place.trials()
    ended = {place_of(one): one for one in known if _is_ended(one)}
    expected = {place_of(one): _facts(one) for one in quiet.trials() if _is_ended(one)}
    unlike = [number for number in expected if number not in ended or _facts(ended[number]) != expected[number]]
    events = Counter(line.partition(" ")[0] for line in place.log.read_text(encoding="utf-8").splitlines())
    numbers = {
        "commands that failed": code,
        "trials too many or too few": abs(sum(map(_is_ended, known)) - trials),
        "places not trained, or twice": abs(len(ended) - trials),
        "scores unlike those of one process": len(unlike),
        "trials left running or waiting": sum(not one.state.is_finished() for one in known),
        "folds trained again after they were stored": _trained_again(place.log),
        "folds stored too many or too few": abs(events["stored"] - trials * FOLDS),
        **_tracked(place, known, trials),
        "records in the outbox": len(list((place.root / "outbox").glob("*-*"))),
        "exit code of `predict` with the champion": _predict(place),
    }
    return [Row(f"{title}: {what}", number, "", below=1) for what, number in numbers.items()]


def _is_ended(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "failure" in trial.user_attrs


def _facts(trial: FrozenTrial) -> object:
    return (trial.state, trial.params, trial.value, trial.intermediate_values)


def _trained_again(log: Path) -> int:
    stored, again = set[str](), 0
    for line in log.read_text(encoding="utf-8").splitlines():
        event, _, key = line.partition(" ")
        again += event == "start" and key in stored
        if event == "stored":
            stored.add(key)
    return again


def _tracked(place: Place, known: Sequence[FrozenTrial], trials: int) -> dict[str, int]:
    client = MlflowClient(place.tracking)
    experiments = [one.experiment_id for one in client.search_experiments()]
    study = optuna.load_study(study_name=place.name, storage=place.storage).user_attrs["study_id"]
    runs = client.search_runs(experiments, f"tags.`ser_tune.study_id` = '{study}'", max_results=10_000)
    of_trials = {int(run.data.tags["ser_tune.trial"]): run for run in runs if "ser_tune.trial" in run.data.tags}
    lost = 0
    for trial in known:
        if trial.state == TrialState.COMPLETE:
            run = of_trials.get(trial.number)
            lost += run is None or run.info.status != "FINISHED" or run.data.metrics["validation_uar"] != trial.value
            for fold in range(FOLDS if run else 0):
                history = client.get_metric_history(run.info.run_id, f"fold_{fold:02d}/train_loss")
                lost += [one.step for one in history] != list(range(1, EPOCHS + 1))
    numbered = sum("ser_tune.trial" in run.data.tags for run in runs)
    return {
        "parent runs but one": abs(len(runs) - numbered - 1),
        "runs of one trial but one": numbered - len(of_trials),
        "runs that MLflow has as running": sum(run.info.status == "RUNNING" for run in runs),
        "lost metrics": lost,
    }


def _predict(place: Place) -> int:
    sound = next((place.root.parent / ".cache").rglob("*.wav"))
    command = [
        sys.executable,
        "-c",
        "from ser_tune.cli import main; main()",
        "predict",
        f"ser-demo-{MODEL}",
        str(sound),
    ]
    environment = os.environ | {"SER_TUNE_ROOT": str(place.root)}
    return subprocess.run(
        [*command, "--tracking-uri", place.tracking], env=environment, check=False, capture_output=True
    ).returncode
