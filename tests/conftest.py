"""A project that runs in moments: a corpus of sixteen short sounds, a network of a few maps, databases made once."""

import contextlib
import csv
import gc
import io
import json
import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from filelock import FileLock

from tests.project_copies import copy_project

collect_ignore = ["ser_tune_benchmarks", "bits"]  # programs, run as `python -m tests.ser_tune_benchmarks`

# Two threads that wait for each other on busy cores take ten times as long over a tiny network as one
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Pytest's workers and the processes that tests start would compile this package and the tests again, each for itself
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = [
    "tests.closed_files",
    "tests.database_counts",
    "tests.opened_studies",
    "tests.probed_projects",
    "tests.tiny_checkpoints",
    "tests.tiny_studies",
]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Keep garbage collection away from what is imported: a million objects, a second a time, and all stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_unconfigure() -> None:
    """Let the end of the process find its garbage: nanobind complains of what is left."""
    gc.unfreeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run files of few tests first: they start processes; files of many short tests then end both workers together."""
    sizes = Counter(item.path for item in items)
    items.sort(key=lambda item: (sizes[item.path], item.path))


SPEAKERS, EMOTIONS = ("ada", "bob", "cyd", "dan"), ("anger", "joy")
TINY = """
model: {name: alex_net, width: 0.04, dropout: 0.0}
features: {name: logmelspec, n_mels: 64, hop_s: 0.005}
segments: {frames: 64}
loss: {class_weighting: none}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 3, batch_size: 2, precision: float32, device: cpu}
protocol: {folds: 3}
study: {trials: 2, startup_trials: 2, race_after: 2}
search:
  optimizer.learning_rate: {low: 1e-3, high: 3e-2, log: true}
  optimizer.weight_decay: {low: 1e-5, high: 1e-2, log: true}
"""
"""A study file: trials of a fifth of a second, whose scores differ."""


@dataclass(frozen=True)
class Told:
    """How a command ended."""

    code: int
    out: str
    err: str

    def refused(self, message: str) -> None:
        """Fail unless it ended with one line that says what is wrong, and no traceback."""
        *before, last = self.err.splitlines()
        assert self.code == 2, self.err
        assert self.out == ""
        assert last.startswith("error: ")
        assert message in last
        assert not [line for line in before if "Traceback" in line or "Error" in line or "Warning" in line]


@dataclass(frozen=True)
class Finished:
    """A project after one study, run through the command line."""

    root: Path
    args: tuple[str, ...]
    """The command without `study`."""
    told: Told
    csv: Path


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task and the metrics of `tests.plugged`, as an installed package brings them."""
    metrics = {"drift": "DRIFT", "error": "ERROR", "of_many": "OF_MANY", "shortfall": "SHORTFALL"}
    groups = {"ser_tune.tasks": {"levels": "LEVELS"}, "ser_tune.metrics": metrics}

    def of(group: str) -> dict[str, tuple[EntryPoint, ...]]:
        points = groups.get(group, {})
        return {name: (EntryPoint(name, f"tests.plugged:{value}", group),) for name, value in points.items()}

    monkeypatch.setattr("ser_tune.components._plugins", of)


@pytest.fixture(autouse=True)
def _no_project_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's shell says about projects must not reach a test."""
    for name in ("SER_TUNE_ROOT", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)


def write_corpus(folder: Path, speakers: Sequence[str] = SPEAKERS, *, seed: int = 0) -> Path:
    """Two noisy tones of each emotion by every speaker, and the table that names them."""
    rng = np.random.default_rng(seed)
    rows = []
    folder.mkdir(parents=True, exist_ok=True)
    for speaker in speakers:
        for emotion, pitch_hz in zip(EMOTIONS, (1200.0, 400.0), strict=True):
            for number, length in enumerate((5600, 7200)):
                time_s = np.arange(length) / 16_000
                sound = 0.2 * np.sin(2 * np.pi * pitch_hz * rng.uniform(0.9, 1.1) * time_s)
                name = f"{speaker}_{emotion}_{number}.wav"
                soundfile.write(folder / name, sound + rng.normal(0.0, 0.05, length), 16_000)
                rows.append((name, speaker, emotion))
    table = folder / "manifest.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("path", "speaker", "emotion"), *rows])
    return table


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], object]], Path]:
    """A folder that is filled once for all of pytest's processes: `once(name, fill)`."""
    own = tmp_path_factory.getbasetemp()
    everybodys = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def _once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, complete = everybodys / name, everybodys / f"{name}.complete"
        with FileLock(everybodys / f"{name}.lock"):
            if not complete.exists():
                folder.mkdir()
                fill(folder)
                complete.touch()
        return folder

    return _once


@pytest.fixture(scope="session")
def corpus_csv(once: Callable[..., Path]) -> Path:
    """The tiny corpus; do not change it."""
    return once("corpus", write_corpus) / "manifest.csv"


@pytest.fixture(scope="session")
def make_corpus() -> Callable[..., Path]:
    """Write a corpus like the tiny one."""
    return write_corpus


@pytest.fixture(scope="session")
def shared_cache(once: Callable[..., Path]) -> Path:
    """The feature cache of all tiny studies."""
    return once("cache", lambda folder: None)


@pytest.fixture(scope="session")
def call(shared_cache: Path) -> Callable[..., Told]:
    """Run a command in this process: `call(root, "models", "--json")`."""

    def _call(root: Path, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> Told:
        from ser_tune.cli import main

        out, err = io.StringIO(), io.StringIO()
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr("sys.argv", ["ser-tune", *map(str, arguments)])
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)
            for name, value in {"SER_TUNE_CACHE": str(shared_cache), **(environment or {})}.items():
                patch.setenv(name, value)
            patch.chdir(root)
            with pytest.raises(SystemExit) as ended:
                main()
        code = ended.value.code
        return Told(code if isinstance(code, int) else int(bool(code)), out.getvalue(), err.getvalue())

    return _call


@pytest.fixture(scope="session")
def _migrations() -> Iterator[None]:
    """Load migrations once: MLflow and Optuna load every file of them whenever they open a database."""
    from alembic.util import pyfiles

    load = pyfiles.load_module_py
    loaded = cache(load)
    with pytest.MonkeyPatch.context() as patch:
        # Only `env.py` acts when it is loaded
        patch.setattr(pyfiles, "load_module_py", lambda name, path: (load if name == "env_py" else loaded)(name, path))
        yield


@pytest.fixture(scope="session")
def databases(once: Callable[..., Path], _migrations: None) -> Path:
    """A project with empty databases: creating them takes seconds, a copy does not."""

    def _create(root: Path) -> None:
        from ser_tune.coordination import open_storage
        from ser_tune.project import Project
        from ser_tune.tracking import Workspace

        urls = (f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db")
        project = Project(root, *urls, cache=root / ".cache")
        Workspace(project).client.search_experiments()
        open_storage(project)
        for url in urls:  # into the files that are copied: open connections keep their pages in a file beside them
            with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    return once("databases", _create)


@pytest.fixture
def root(databases: Path, tmp_path: Path) -> Path:
    """The root of a project in which nothing ran yet."""
    return copy_project(databases, tmp_path / "project")


@pytest.fixture
def project(root: Path, shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same as the rooms below the command line see it."""
    from ser_tune.project import Project

    monkeypatch.setenv("SER_TUNE_CACHE", str(shared_cache))
    monkeypatch.setenv("SER_TUNE_ROOT", str(root))
    return Project.locate()


@pytest.fixture(scope="session")
def study_file(once: Callable[..., Path]) -> Path:
    """The tiny study's file, which names no corpus."""
    return once("study", lambda folder: (folder / "tiny.yaml").write_text(TINY, encoding="utf-8")) / "tiny.yaml"


@pytest.fixture(scope="session")
def tiny(corpus_csv: Path, study_file: Path) -> Callable[..., Any]:
    """Define a tiny study: `tiny(name="a", **{"study.trials": 3})`."""
    from ser_tune.definition import StudyDefinition
    from ser_tune.search import define_study

    def _tiny(file: Path = study_file, **settings: object) -> StudyDefinition:
        flags: dict[str, object] = {"corpus.name": "manifest", "corpus.data": corpus_csv}
        return define_study(file, flags=flags | settings)

    return _tiny


@pytest.fixture(scope="session")
def finish(
    databases: Path, once: Callable[..., Path], call: Callable[..., Told], study_file: Path, corpus_csv: Path
) -> Callable[..., Finished]:
    """Run a study of three trials, whose seed makes them unlike; do not change its project: `finish("finished")`."""

    def _finish(name: str, file: Path = study_file, csv: Path = corpus_csv, *settings: str) -> Finished:
        corpus = ("--corpus", "manifest", "--data", str(csv), *settings)
        args = (str(file), *corpus, "--name", "first", "--set", "seed=3", "--trials", "3", "--pruner", "none")

        def _run(folder: Path) -> None:
            copy_project(databases, folder / "project")
            told = call(folder / "project", "study", *args)
            assert told.code == 0, told.err
            (folder / "told.json").write_text(json.dumps(asdict(told)), encoding="utf-8")

        folder = once(name, _run)
        told = Told(**json.loads((folder / "told.json").read_text(encoding="utf-8")))
        return Finished(root=folder / "project", args=args, told=told, csv=csv)

    return _finish


@pytest.fixture(scope="session")
def finished(finish: Callable[..., Finished]) -> Finished:
    """A study of three trials that has promoted its best; do not change its project."""
    return finish("finished")


@pytest.fixture
def finished_copy(finished: Finished, tmp_path: Path) -> Iterator[Finished]:
    """The finished study's project, in another folder, to be changed at will."""
    from mlflow.tracking._tracking_service import utils

    # MLflow remembers where a run's artifacts are for as long as a process lives: in the folder that was copied,
    # and afterwards in the copy, where the next test would write the artifacts of the project that was copied
    utils._artifact_repos_cache.clear()
    root = copy_project(finished.root, tmp_path / "moved")
    yield Finished(root=root, args=finished.args, told=finished.told, csv=finished.csv)
    utils._artifact_repos_cache.clear()


@dataclass
class Recorder:
    """Records a study's events; `mixed` into an observer by the fixture."""

    started: list[Any] = field(default_factory=list)
    trials: list[tuple[int, Any, dict[str, Any]]] = field(default_factory=list)
    epochs: list[tuple[int, Any]] = field(default_factory=list)
    stored: list[tuple[int, int]] = field(default_factory=list)
    outcomes: list[Any] = field(default_factory=list)
    summaries: list[Any] = field(default_factory=list)


@pytest.fixture
def recorder() -> Iterator[Any]:
    """An observer that keeps what it is told; set `on_epoch` or `on_trial` to interfere."""
    from ser_tune.search import StudyObserver

    class RecordingObserver(Recorder, StudyObserver):
        on_trial: Callable[[int], None] = staticmethod(lambda number: None)
        on_epoch: Callable[[int, int], None] = staticmethod(lambda fold, epoch: None)

        def study_started(self, start: Any) -> None:
            self.started.append(start)

        def trial_started(self, number: int, config: Any, sampled: Any) -> None:
            self.trials.append((number, config, dict(sampled)))
            self.on_trial(number)

        def epoch_finished(self, trial: int, fold: int, report: Any) -> None:
            self.epochs.append((fold, report))
            self.on_epoch(fold, report.epoch)

        def fold_finished(self, trial: int, fold: Any, *, stored: bool) -> None:
            if stored:
                self.stored.append((trial, fold.fold.number))

        def trial_finished(self, outcome: Any) -> None:
            self.outcomes.append(outcome)

        def study_finished(self, summary: Any) -> None:
            self.summaries.append(summary)

    return RecordingObserver()


@pytest.fixture
def ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task and the metrics of `tests.ranks`, as an installed package brings them."""
    from tests.ranks import POINTS

    def of(group: str) -> dict[str, tuple[EntryPoint, ...]]:
        points = POINTS.get(group, {})
        return {name: (EntryPoint(name, f"tests.ranks:{value}", group),) for name, value in points.items()}

    monkeypatch.setattr("ser_tune.components._plugins", of)
