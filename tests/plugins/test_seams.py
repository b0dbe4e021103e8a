"""A task and a metric of somebody else's, those of docs/new_task.md and docs/new_metric.md, go through every room."""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.conftest import Told
from tests.docs.blocks import ROOT, blocks

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
optimizer: {name: adam, learning_rate: 0.01}
training: {epochs: 3, batch_size: 16, precision: float32, device: cpu, selection: best_validation_score}
protocol: {folds: 3}
study: {trials: 6, startup_trials: 2, race_after: 2, sampler: random, objectives: [quadratic_kappa]}
search:
  optimizer.learning_rate: [1.0e-2, 5.0e-3, 1.0e-7]
"""
EMOTIONS = ("sadness", "neutral", "happiness", "anger")


@dataclass(frozen=True)
class World:
    """A project in which the package is installed."""

    root: Path
    cache: Path
    call: Callable[..., Told]

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.root}/mlruns/mlflow.db"

    def __call__(self, *arguments: str | Path, code: int = 0) -> Told:
        told = self.call(self.root, *arguments)
        assert told.code == code, f"{arguments}\n{told.out}\n{told.err}"
        assert "Traceback" not in told.err
        return told

    def json(self, *arguments: str | Path) -> Any:
        return json.loads(self(*arguments, "--json").out)


@pytest.fixture
def world(
    root: Path,
    install: Callable[[Mapping[str, str]], Path],
    call: Callable[..., Told],
    shared_cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[World]:
    site = install(PACKAGE)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))  # of the processes that commands start
    _forget_plugins()
    (root / "levels.yaml").write_text(STUDY, encoding="utf-8")
    yield World(root, shared_cache, call)
    _forget_plugins()
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_package"]:
        del sys.modules[name]


def _forget_plugins() -> None:
    """Let ser-tune, and the copies of it in registered models, look for installed packages again."""
    for module in list(sys.modules.values()):
        if Path(str(getattr(module, "__file__", None) or "")).name == "components.py":
            module._plugins.cache_clear()


def _namespace(file: str) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": file}
    exec(compile(DOCUMENTED[file], file, "exec"), namespace)
    return namespace


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
    assert -1 <= found <= 1


def test_a_level_is_the_nearest_to_the_expected_one() -> None:
    import torch

    task = _namespace("my_package/ordinal.py")["TASK"]
    probabilities = np.array([[0.45, 0.0, 0.55], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]])
    assert probabilities.argmax(axis=1).tolist() == [2, 0, 2]
    assert task.decide(task.unshow(probabilities)).tolist() == [1, 0, 2]
    assert [int(task.traceable.decide(torch.from_numpy(one))) for one in probabilities] == [1, 0, 2]
