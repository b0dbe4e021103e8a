"""Real commands on one study: where it is, the processes that train it, and what must hold when it has ended."""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import optuna
import psutil
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState

from ser_tune.coordination import place_of
from ser_tune.project import Project
from ser_tune.tracking.outbox import waiting

from .killing import predict
from .logged import trained_again
from .rows import Row

__all__ = ["EPOCHS", "FOLDS", "Crowd", "Site", "embedded", "rows_of", "wait"]

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
PROGRAM = (sys.executable, "-m", "tests.ser_tune_benchmarks.logged")
PATIENCE_S = 1800.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where a study is: its folder, its stores, and its name."""

    root: Path
    storage: str
    tracking: str
    name: str = "crowd"

    @property
    def project(self) -> Project:
        """The same for functions of `ser_tune.api`."""
        return Project(self.root, self.tracking, self.storage, self.root.parent / ".cache")

    @property
    def log(self) -> Path:
        """The file into which all processes write what becomes of folds."""
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

    def events(self) -> int:
        """How many lines the log has: begun and stored folds, epochs, ended trials."""
        return self.log.read_bytes().count(b"\n")

    def trials(self) -> list[FrozenTrial]:
        """All trials."""
        storage = optuna.storages.RDBStorage(self.storage)
        try:
            return optuna.load_study(study_name=self.name, storage=storage).get_trials(deepcopy=False)
        finally:
            storage.remove_session()
            storage.engine.dispose()


def embedded(root: Path) -> Site:
    """A study in SQLite files of its folder."""
    return Site(root, f"sqlite:///{root}/studies/optuna.db", f"sqlite:///{root}/mlruns/mlflow.db")


class Crowd:
    """`study --workers 2`, and two times `worker`; who ended by a signal is started again."""

    def __init__(self, site: Site, trials: int) -> None:
        """Start the study, and when it trains, the others."""
        self._site = site
        self._commands = [["study", "--trials", str(trials), "--workers", "2"], *[["worker", site.name]] * 2]
        self._processes = [site.start(*self._commands[0])]
        while not site.log.exists():  # the study does
            assert self._processes[0].poll() is None
            time.sleep(0.1)
        self._processes += [site.start(*command) for command in self._commands[1:]]

    def workers(self) -> list[psutil.Process]:
        """The four processes that train, as far as they live."""
        first, *others = self._processes
        found = [psutil.Process(one.pid) for one in others if one.poll() is None]
        with suppress(psutil.NoSuchProcess):  # the first has just ended
            for child in psutil.Process(first.pid).children() if first.poll() is None else ():
                with suppress(psutil.NoSuchProcess):
                    found += [child] if any("spawn_main" in word for word in child.cmdline()) else []
        return found

    def kill(self, victim: psutil.Process) -> None:
        """End one of them by SIGKILL, and wait until it has."""
        with suppress(psutil.NoSuchProcess):
            victim.kill()
        for process in self._processes:
            if process.pid == victim.pid:
                process.wait()  # psutil would take its exit code
                return
        victim.wait(60)

    def mend(self) -> None:
        """Start what has ended, as long as the study has not."""
        for number, process in enumerate(self._processes):
            if process.poll() not in (None, 0):
                self._processes[number] = self._site.start(*self._commands[number])

    def ended(self) -> bool:
        """Whether the first process has ended the study."""
        return self._processes[0].poll() == 0

    def end(self) -> int:
        """Wait for all; returns how many failed."""
        return sum(wait(process) != 0 for process in self._processes)


def wait(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a command; returns its exit code."""
    return process.wait(PATIENCE_S)


def rows_of(title: str, site: Site, trials: int, *, quiet: Site, code: int) -> list[Row]:
    """What must hold of a study that has ended; every number should be 0.

    Args:
        title: What happened to it.
        site: Where it is.
        trials: How many it should have.
        quiet: The same study, of one process.
        code: How many of its commands failed.
    """
    known = site.trials()
    ended = {place_of(one): one for one in known if _is_ended(one)}
    expected = {place_of(one): _facts(one) for one in quiet.trials() if _is_ended(one)}
    unlike = [number for number in expected if number not in ended or _facts(ended[number]) != expected[number]]
    events = Counter(line.partition(" ")[0] for line in site.log.read_text(encoding="utf-8").splitlines())
    numbers = {
        "commands that failed": code,
        "trials too many or too few": abs(sum(map(_is_ended, known)) - trials),
        "places not trained, or twice": abs(len(ended) - trials),
        "scores unlike those of one process": len(unlike),
        "trials left running or waiting": sum(not one.state.is_finished() for one in known),
        "folds trained again after they were stored": trained_again(site.log),
        "folds stored too many or too few": abs(events["stored"] - trials * FOLDS),
        **_tracked(site, known, trials),
        "records in the outbox": len(waiting(site.root / "outbox")),
        "exit code of `predict` with the champion": predict(
            site.root, site.root.parent / ".cache", "--tracking-uri", site.tracking
        ),
    }
    return [Row(f"{title}: {what}", number, "", below=1) for what, number in numbers.items()]


def _is_ended(trial: FrozenTrial) -> bool:
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or "failure" in trial.user_attrs


def _facts(trial: FrozenTrial) -> object:
    return (trial.state, trial.params, trial.value, trial.intermediate_values)


def _tracked(site: Site, known: Sequence[FrozenTrial], trials: int) -> dict[str, int]:
    client = MlflowClient(site.tracking)
    experiments = [one.experiment_id for one in client.search_experiments()]
    study = optuna.load_study(study_name=site.name, storage=site.storage).user_attrs["study_id"]
    runs = client.search_runs(experiments, f"tags.`ser_tune.study_id` = '{study}'", max_results=10_000)
    of_trials = {int(run.data.tags["ser_tune.trial"]): run for run in runs if "ser_tune.trial" in run.data.tags}
    lost = 0
    for trial in known:
        if trial.state == TrialState.COMPLETE:
            run = of_trials.get(place_of(trial))
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
