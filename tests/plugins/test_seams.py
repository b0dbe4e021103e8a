"""A task and a metric of somebody else's, those of docs/new_task.md and docs/new_metric.md, go through every room."""

import http.client
import itertools
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import assume, given
from hypothesis import strategies as st

from ser_tune.project import Project
from ser_tune.tracking import Workspace
from tests.conftest import Told
from tests.docs.blocks import ROOT, blocks
from tests.warm_processes import COMMAND, WarmProcess

DOCUMENTED = {
    block.file_name: block.text
    for page in ("new_task", "new_metric")
    for block in blocks(ROOT / "docs" / f"{page}.md")
    if block.file_name
}
PACKAGE = DOCUMENTED | {
    "pyproject.toml": """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "my-package"
version = "1.0"
dependencies = ["ser-tune"]

[project.entry-points."ser_tune.tasks"]
ordinal = "my_package.ordinal:TASK"

[project.entry-points."ser_tune.metrics"]
quadratic_kappa = "my_package.quadratic_kappa:METRIC"
""",
    "my_package/__init__.py": "",
}
NAME = "ser-demo-light_cnn"
STUDY = """
model: {name: light_cnn, width: 0.25, dropout: 0.0}
features: {name: logmelspec, n_mels: 32, hop_s: 0.02}
segments: {frames: 64}
task: {name: ordinal}
optimizer: {name: adam, learning_rate: 0.003}
training: {epochs: 4, batch_size: 4, precision: float32, device: cpu, selection: best_validation_score}
protocol: {folds: 3}
study: {trials: 6, startup_trials: 2, race_after: 2, sampler: random, objectives: [quadratic_kappa]}
search:
  optimizer.learning_rate: [1.0e-2, 3.0e-3, 1.0e-3, 3.0e-4]
"""
EMOTIONS = ("sadness", "neutral", "happiness", "anger")


@dataclass(frozen=True)
class World:
    """A project in which the package is installed."""

    root: Path
    cache: Path
    call: Callable[..., Told]

    @property
    def project(self) -> Project:
        urls = (f"sqlite:///{self.root}/mlruns/mlflow.db", f"sqlite:///{self.root}/studies/optuna.db")
        return Project(self.root, *urls, cache=self.cache)

    def __call__(self, *arguments: str | Path, code: int = 0) -> Told:
        told = self.call(self.root, *arguments)
        assert told.code == code, f"{arguments}\n{told.out}\n{told.err}"
        assert "Traceback" not in told.err
        return told

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self(*arguments, "--json").out)


@pytest.fixture
def world(
    root: Path, plug_in: Callable[[Mapping[str, str]], None], call: Callable[..., Told], shared_cache: Path
) -> World:
    plug_in(PACKAGE)
    (root / "levels.yaml").write_text(STUDY, encoding="utf-8")
    return World(root, shared_cache, call)


def _namespace(file: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": file}
    exec(compile(DOCUMENTED[file], file, "exec"), namespace)
    return namespace


@pytest.mark.slow
@given(
    st.integers(2, 6).flatmap(
        lambda levels: st.lists(
            st.tuples(st.integers(0, levels - 1), st.integers(0, levels - 1)), min_size=1, max_size=60
        ).map(lambda pairs: (levels, pairs))
    )
)
def test_quadratic_kappa_is_that_of_scikit_learn(drawn: tuple[int, list[tuple[int, int]]]) -> None:
    from sklearn.metrics import cohen_kappa_score

    levels, pairs = drawn
    truth, predicted = np.array(pairs).T
    metric = _namespace("my_package/quadratic_kappa.py")["METRIC"]
    found = metric.score(truth, predicted, levels)
    assume(len(set(truth.tolist()) | set(predicted.tolist())) > 1)
    expected = cohen_kappa_score(truth, predicted, labels=np.arange(levels), weights="quadratic")
    assert math.isclose(found, expected, abs_tol=1e-12)
    assert -1 - 1e-12 <= found <= 1 + 1e-12


def test_a_level_is_the_nearest_to_the_expected_one() -> None:
    import torch

    task = _namespace("my_package/ordinal.py")["TASK"]
    probabilities = np.array([[0.45, 0.0, 0.55], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    assert probabilities.argmax(axis=1).tolist() == [2, 0, 2]
    assert task.decide(task.unshow(probabilities)).tolist() == [1, 0, 2]
    assert [int(task.traceable.decide(torch.from_numpy(one))) for one in probabilities] == [1, 0, 2]


@pytest.mark.slow
def test_a_task_and_a_metric_from_outside_go_through_every_room(world: World, tmp_path: Path) -> None:
    told = world("study", "levels.yaml", "--name", "levels")
    assert re.search(r"trial \d: PRUNED after \d folds: racing: quadratic kappa", told.err)
    assert re.search(r"confirmed on \d fresh seeds?: trial \d has the best mean validation quadratic kappa", told.out)
    assert "registered: ser-demo-light_cnn version 1 as champion" in told.err + told.out
    _registered(world)
    audio = [world.cache / "demo-1" / f"s1_{emotion}_1.wav" for emotion in EMOTIONS]
    answers = _predicted(world, audio)
    _exported(world, audio, answers, tmp_path)
    _served(world, audio, answers)
    _evaluated(world, tmp_path)
    _compared(world)
    _reported(world)
    _nested(world)


def _registered(world: World) -> None:
    """A second version is judged by the study's objective."""
    assert "champion (there was no champion before)" in world("promote", "levels", "--trial", "0", "--as", "other").out
    told = world("promote", "levels", "--trial", "3", "--as", "other")
    assert re.search(r"other version 2 as champion \(its validation quadratic kappa 0\.\d+ beats the 0\.\d+", told.out)
    versions = [one for one in world.json("models") if one["name"] == "other"]
    better, worse = sorted(versions, key=lambda one: one["version"], reverse=True)
    assert -1 <= float(worse["validation_quadratic_kappa"]) < float(better["validation_quadratic_kappa"]) <= 1
    assert json.loads(better["levels"]) == ["low", "middle", "high"]
    assert "validation_uar" in better  # a metric of the task's own
    client = Workspace(world.project).client
    experiment = client.get_experiment_by_name("demo")
    (run,) = client.search_runs([experiment.experiment_id], "attributes.run_name = 'levels'")
    note = run.data.tags["mlflow.note.content"]
    assert "pooled validation quadratic kappa" in note
    assert "UAR" not in note


def _decided(probabilities: Mapping[str, float]) -> str:
    names = ("low", "middle", "high")
    assert abs(sum(probabilities[one] for one in names) - 1) < 1e-5
    return names[round(sum(number * probabilities[name] for number, name in enumerate(names)))]


def _predicted(world: World, audio: list[Path]) -> list[str]:
    """By name, by the API and by MLflow alone, with the decision of the task."""
    import ser_tune

    rows = world.json("predict", NAME, *audio)
    answers = [row["level"] for row in rows]
    assert answers == [_decided(row) for row in rows]
    model = ser_tune.load_model(NAME, tracking_uri=world.project.tracking_uri)
    assert [one.label for one in model.predict(audio)] == answers
    mlflow.set_tracking_uri(world.project.tracking_uri)
    rows = mlflow.pyfunc.load_model(f"models:/{NAME}@champion").predict(pd.DataFrame({"path": list(map(str, audio))}))
    assert rows["label"].tolist() == answers
    return answers


def _exported(world: World, audio: list[Path], answers: list[str], tmp_path: Path) -> None:
    """A graph has the task's decision, without ser-tune and without the package."""
    world("export", NAME, "--format", "torchscript", "--out", tmp_path / "exported")
    command = [sys.executable, "-I", tmp_path / "exported" / "predict.py", *audio]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    rows = json.loads(told.stdout)
    assert [row["level"] for row in rows] == answers == [_decided(row) for row in rows]
    assert "The answer is not the most probable level" in (tmp_path / "exported" / "README.md").read_text("utf-8")


def _served(world: World, audio: list[Path], answers: list[str]) -> None:
    command = ("serve", NAME, "--port", "0", "--allow-paths", audio[0].parent)
    environment = {"SER_TUNE_CACHE": str(world.cache), "SER_TUNE_ROOT": str(world.root)}
    process = WarmProcess(COMMAND, *command, environment=environment)
    try:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/invocations", process.stdout.readline())
        assert found
        with closing(http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=60)) as connection:
            body = json.dumps({"dataframe_records": [{"path": str(path)} for path in audio]})
            connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
            rows = json.loads(connection.getresponse().read())["predictions"]
        assert [row["label"] for row in rows] == answers == [_decided(row) for row in rows]
    finally:
        process.kill()
        process.communicate()


def _evaluated(world: World, tmp_path: Path) -> None:
    """On another corpus, whose emotions the task turns into levels."""
    from ser_tune.corpora.demo import synthesise

    rows = ["path,speaker,emotion"]
    for speaker, emotion, number in itertools.product(("s1", "s2"), EMOTIONS, (8, 9)):
        rows.append(f"{speaker}_{emotion}_{number}.wav,new {speaker},{emotion}")
        soundfile.write(tmp_path / rows[-1].partition(",")[0], synthesise(speaker, emotion, number), 16_000)
    (tmp_path / "others.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (found,) = world.json("evaluate", NAME, "--corpus", "manifest", "--data", tmp_path / "others.csv")
    assert found["classes"] == ["low", "middle", "high"]
    assert (found["protocol"]["task"], found["protocol"]["objectives"]) == ("ordinal", ["quadratic_kappa"])
    assert found["scores"][0]["utterances"] == 16
    assert -1 <= found["scores"][0]["quadratic_kappa_low"] < found["scores"][0]["quadratic_kappa"] < 1


def _compared(world: World) -> None:
    """By the objective, with the API beside the command line."""
    from ser_tune import api

    (found,) = world.json("compare", "levels:0", "levels:3")
    assert found["quadratic_kappa_difference"] == found["quadratic_kappa"][0] - found["quadratic_kappa"][1]
    assert found["test"].endswith("statistic: difference of pooled quadratic kappa")
    assert [set(one) >= {"truth", "A", "B"} for one in found["differing"]]
    (entry,) = api.leaderboard(project=world.project).entries
    (row,) = [one for one in world.json("leaderboard") if one["source"].startswith("study levels")]
    assert entry.scores["validation_quadratic_kappa"] > found["quadratic_kappa"][1]  # that of the confirmed trial
    assert row["validation quadratic kappa"].startswith(f"{entry.scores['validation_quadratic_kappa']:.4f} [")
    assert row["task"] == "ordinal: 3 levels"


def _reported(world: World) -> None:
    world("report", "levels")
    text = (world.root / "report.html").read_text(encoding="utf-8")
    assert "quadratic kappa" in text
    assert "<th>level</th>" in text
    assert "the mean recall of the levels that occur" in text
    assert "emotions" not in re.sub(r"data:[^\"]+", "", text)


def _nested(world: World) -> None:
    small = ("--trials", "2", "--set", "protocol.folds=4", "--set", "training.epochs=1")
    told = world("study", "levels.yaml", "--name", "outer", "--nested", *small)
    assert "outer quadratic kappa of one network" in told.out
    assert re.search(r"outer, pooled +-?\d\.\d{4}", told.out)
