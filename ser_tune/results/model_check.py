"""Checking a registered model against a file of tests: on its own test speakers, or on another corpus."""

import csv
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mlflow.entities import Metric

from ..config import ModelTests
from ..features import Condition, Disturbance
from ..registry import CheckedNumber, JudgedUtterances, check_numbers, size_of, version_folder
from ..spreadsheets import safe_cell
from ..tracking import (
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    Workspace,
    metric_names,
    open_model,
    open_run,
    origin_tags,
)
from .evaluation_scores import protocol_of_evaluation
from .evaluation_setup import EvaluationSetup

__all__ = ["CHECKS_TAG", "ModelCheck", "check_evaluated", "check_rows", "log_check"]

CHECKS_TAG = "ser_tune.checks"
"""On the run of a check: the version. On the version: the result of its last check, in words."""


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The tests of a model, and their results."""

    setup: EvaluationSetup
    tests: Path
    """The file of the tests."""
    numbers: Sequence[CheckedNumber]

    @property
    def passed(self) -> bool:
        """Whether every test passed."""
        return all(number.passed for number in self.numbers)

    @property
    def verdict(self) -> str:
        """The result in words, such as `passes 9 of 9 tests on emodb`."""
        alike = [number for number in self.numbers if number.passed is self.passed]
        verb, corpus = "passes" if self.passed else "fails", self.setup.networks.corpus.name
        return f"{verb} {len(alike)} of {len(self.numbers)} tests on {corpus}"


def check_evaluated(
    setup: EvaluationSetup, tests: ModelTests, path: Path, on_condition: Callable[[str], None] = lambda name: None
) -> ModelCheck:
    """Measure a version on the utterances of an evaluation, for the thresholds of a file.

    Args:
        setup: Version and corpus.
        tests: Thresholds.
        path: Their file.
        on_condition: Receives the name of each condition before it is judged.
    """
    assert setup.version is not None
    task, folder = setup.task, version_folder(setup.version)
    outputs, disturbance = setup.over_shared(setup.networks.outputs()), Disturbance(setup.networks.corpus)

    def in_condition(condition: Condition) -> np.ndarray | None:
        if not disturbance.possible(condition):
            return None
        return task.decide(setup.over_shared(setup.networks.outputs(condition)))

    judged = JudgedUtterances(
        task=task,
        metrics=setup.metrics,
        names=setup.shared,
        truth=setup.matched.truth,
        shown=task.show(outputs),
        predicted=task.decide(outputs),
        utterances=setup.utterances,
        in_condition=in_condition,
        model=open_model(folder),
        size_bytes=size_of(folder),
    )
    return ModelCheck(setup, path, check_numbers(tests, judged, on_condition))


def check_rows(numbers: Sequence[CheckedNumber]) -> list[dict[str, object]]:
    """Tests as a table, as CSV and JSON have it; None where a number is not known."""
    return [
        {
            "kind": number.kind,
            "test": number.name,
            "value": number.value,
            "low": number.interval.low if number.interval.known else None,
            "high": number.interval.high if number.interval.known else None,
            "at": "least" if number.at_least else "most",
            "threshold": number.threshold,
            "margin": number.margin,
            "passed": number.passed,
            "detail": number.detail,
        }
        for number in numbers
    ]


def log_check(workspace: Workspace, check: ModelCheck, page: str) -> str:
    """Store a check as a run under the version's, with its tests, table and page; tag the version with the result.

    Returns:
        The run's identifier.
    """
    setup, rows = check.setup, check_rows(check.numbers)
    assert setup.version is not None
    values = {"tests_passed": sum(number.passed for number in check.numbers), "tests": len(check.numbers)}
    names = metric_names([number.title for number in check.numbers])
    margins = {f"margin/{names[found.title]}": found.margin for found in check.numbers if found.margin is not None}
    with workspace.errors():
        tags = {
            CHECKS_TAG: setup.model,
            MLFLOW_PARENT_RUN_ID: setup.run.info.run_id,
            MLFLOW_RUN_NOTE: "; ".join([check.verdict, *setup.notes]),
            **origin_tags(setup.networks.corpus, protocol_of_evaluation(setup)),
        }
        title = f"check of {setup.model} on {setup.networks.corpus.name}"
        with open_run(workspace, setup.run.info.experiment_id, name=title, tags=tags) as run_id:
            with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
                folder = Path(temporary)
                (folder / "check.html").write_text(page, encoding="utf-8")
                (folder / "check.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
                shutil.copyfile(check.tests, folder / "check_tests.yaml")
                with (folder / "check.csv").open("w", encoding="utf-8", newline="") as file:
                    csv.writer(file).writerows([[safe_cell(cell) for cell in row] for row in _table(rows)])
                workspace.client.log_artifacts(run_id, temporary)
            now = int(time.time() * 1000)
            metrics = [Metric(name, float(value), now, 0) for name, value in (values | margins).items()]
            workspace.client.log_batch(run_id, metrics)
        version = setup.version
        workspace.client.set_model_version_tag(version.name, str(version.version), CHECKS_TAG, check.verdict)
    return run_id


def _table(rows: Sequence[dict[str, object]]) -> list[list[object]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]
