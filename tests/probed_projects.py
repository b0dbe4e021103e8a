"""Projects with models of pretrained encoders, whose checkpoints are gone.

A plugin of all tests: it imports no library that takes seconds to load.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ser_tune import tracking
from ser_tune.project import Project
from tests.project_copies import copy_project

NAME = "ser-manifest-linear_probe"
SENTENCES = ("ada_anger_0.wav", "dan_joy_1.wav", "bob_joy_0.wav")


@dataclass(frozen=True)
class Probed:
    """A project with a study of probes, whose checkpoint is gone."""

    root: Path
    corpus: Path
    """Folder of the recordings."""
    call: Callable[..., Any]

    @property
    def project(self) -> Project:
        return Project(
            self.root,
            f"sqlite:///{self.root}/mlruns/mlflow.db",
            f"sqlite:///{self.root}/studies/optuna.db",
            cache=self.root / "cache",
        )

    @property
    def workspace(self) -> tracking.Workspace:
        return tracking.Workspace(self.project)

    @property
    def paths(self) -> list[str]:
        return [str(self.corpus / name) for name in SENTENCES]

    def version_of(self, name: str) -> Any:
        return self.workspace.client.get_model_version_by_alias(name, "champion")

    @property
    def version(self) -> Any:
        return self.version_of(NAME)

    @property
    def carried(self) -> Path:
        """The champion's files."""
        model_id = self.version.source.removeprefix("models:/")
        assert model_id != self.version.tags["ser_tune.model_id"]  # the trial's, which refers to the encoder
        return Path(self.workspace.client.get_logged_model(model_id).artifact_location)

    def logged(self, name: str) -> list[Any]:
        experiments = [experiment.experiment_id for experiment in self.workspace.client.search_experiments()]
        return [model for model in self.workspace.client.search_logged_models(experiments) if model.name == name]

    def predicted(self, name: str = NAME) -> list[dict[str, Any]]:
        """The champion's predictions of some recordings, by the command."""
        told = self.call(self.root, "predict", name, *self.paths, "--json")
        assert told.code == 0, told.err
        rows: list[dict[str, Any]] = json.loads(told.out)
        return rows


def study_command(csv: Path, checkpoint: Path, name: str, model: str = "linear_probe", *settings: str) -> list[str]:
    """The command of a study of a pretrained encoder, on the CPU."""
    if model == "linear_probe":
        settings = (f"features.checkpoint={checkpoint}", "features.precision=float32", *settings)
    else:
        settings = (f"model.checkpoint={checkpoint}", *settings)
    corpus = ("--corpus", "manifest", "--data", str(csv), "--set", "protocol.folds=3")
    assignments = [part for setting in (*settings, "training.device=cpu") for part in ("--set", setting)]
    return ["study", "--model", model, *corpus, "--name", name, *assignments]


@pytest.fixture(scope="session")
def make_probed(
    once: Callable[..., Path],
    call: Callable[..., Any],
    checkpoint: Callable[[str], Path],
    databases: Path,
    corpus_csv: Path,
) -> Callable[..., Probed]:
    """Run a study with a copy of a family's encoder, and delete the copy; do not change the project."""

    def _make(family: str, model: str = "linear_probe", *settings: str) -> Probed:
        from ser_tune.encoders import checkpoint as opened

        def fill(folder: Path) -> None:
            root, copied = folder / "project", folder / "encoder"
            copy_project(databases, root)
            shutil.copytree(checkpoint(family), copied)
            environment = {"SER_TUNE_CACHE": str(root / "cache")}
            told = call(
                root,
                *study_command(corpus_csv, copied, "probes", model, *settings),
                "--trials",
                "2",
                environment=environment,
            )
            assert told.code == 0, told.err
            shutil.rmtree(copied)
            for remembered in (opened.locate, opened.shape_of, opened.digest_of):
                remembered.cache_clear()  # a new process would not know what lay there

        return Probed(once("-".join(("probed", family, model)), fill) / "project", corpus_csv.parent, call)

    return _make


@pytest.fixture
def probed(make_probed: Callable[..., Probed]) -> Probed:
    """A project with probes of wav2vec 2.0; do not change it."""
    return make_probed("wav2vec2")
