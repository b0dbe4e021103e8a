"""Runs that say what a test wants them to have said, without any training."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from mlflow.entities import Metric, Param, Run

from ser_tune.metrics import METRICS
from ser_tune.project import Project
from ser_tune.protocol import Protocol
from ser_tune.tracking import STUDY_TAG, Workspace, objective_of, protocol_tags, score_of
from tests.project_copies import copy_project

FACTS = {"score": "pooled validation UAR", "corpus": "made-up", "folds": "3"}


class Planting(NamedTuple):
    """A registry, and what fills it."""

    workspace: Workspace
    project: Project
    name: str
    """A registered model of which there is no version yet."""
    run: Callable[..., Run]
    """`run(right)`: a complete run whose prediction of speaker S's utterance U is right where `right[S][U]` is; its
    objective is UAR, unless told otherwise."""
    champion: Callable[..., None]
    """`champion(run)`: register it."""
    facts: Mapping[str, str]
    """The protocol of a run, unless told otherwise."""


@pytest.fixture(scope="module")
def planted(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Project]:
    """One tracking store for the tests of a file; each has an experiment and a registered model of its own."""
    root = copy_project(databases, tmp_path_factory.mktemp("planted") / "project")
    project = Project(root, f"sqlite:///{root}/mlruns/mlflow.db", f"sqlite:///{root}/studies/optuna.db", root / ".c")
    return Workspace(project), project


@pytest.fixture
def planting(planted: tuple[Workspace, Project], tmp_path: Path) -> Planting:
    """Plant runs, whose artifacts are below the test's `tmp_path`, and champions."""
    (workspace, project), name = planted, tmp_path.name
    client = workspace.client
    experiment = client.create_experiment(name, artifact_location=str(tmp_path / "artifacts"))
    client.create_registered_model(name)

    def _run(
        right: Sequence[Sequence[bool]],
        *,
        study: str = "one",
        facts: Mapping[str, str] = FACTS,
        tags: Mapping[str, str] | None = None,
        seed: int | None = None,
        sure: float | None = None,
        model: str | None = None,
        objective: str = "uar",
    ) -> Run:
        protocol = facts if objective == "uar" else {**facts, "objectives": (objective,)}
        told_of = {STUDY_TAG: study, **protocol_tags(Protocol(facts=protocol)), **(tags or {})}
        run = client.create_run(experiment, tags=told_of)
        run_id = run.info.run_id
        names, rows = ("anger", "joy"), []
        # Another seed trains another network, unless told otherwise
        sure = 0.5 + 0.001 * (seed or 0) if sure is None else sure
        for speaker, told in enumerate(right):
            for number, is_right in enumerate(told):
                emotion, other = names[number % 2], names[1 - number % 2]
                said = emotion if is_right else other
                rows.append([f"{speaker:02d}/{number}", f"s{speaker:02d}", 0, emotion, said, sure, 1 - sure])
        table = Path(run.info.artifact_uri.removeprefix("file://"), "validation_predictions.csv")
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([["utterance", "speaker", "fold", "emotion", "predicted", *names], *rows])
        truth, predicted = (np.array([names.index(row[column]) for row in rows]) for column in (3, 4))
        score = METRICS.get(objective).score(truth, predicted, len(names))
        known = {"seed": seed, "model.name": model}
        client.log_batch(
            run_id,
            [Metric(f"validation_{objective}", score, run.info.start_time, 0)],
            [Param(name, str(value)) for name, value in known.items() if value is not None],
        )
        client.set_terminated(run_id)
        return client.get_run(run_id)

    def _champion(run: Run, **tags: str) -> None:
        scored = {f"validation_{objective_of(run).name}": f"{score_of(run, 'validation'):.4f}"}
        version = client.create_model_version(name, source=str(tmp_path), run_id=run.info.run_id, tags=scored | tags)
        client.set_registered_model_alias(name, "champion", str(version.version))

    return Planting(workspace, project, name, _run, _champion, FACTS)
