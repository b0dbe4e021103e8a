"""Settings choose the executor; where a study's folds are trained is no part of the study."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ser_tune.config import Role, SearchSettings, paths_with
from ser_tune.execution import EXECUTORS, InProcess, Processes, Ray


def _train(*_: Any) -> Any:
    raise AssertionError


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, InProcess),
        ({"workers": 4}, InProcess),  # which are trials'
        ({"parallel": "folds"}, InProcess),
        ({"parallel": "folds", "workers": 4}, Processes),
        ({"executor": "ray"}, Ray),
    ],
)
def test_settings_choose_the_executor(settings: dict[str, Any], kind: type, tmp_path: Path) -> None:
    search = SearchSettings(**settings)
    assert type(EXECUTORS.get(search.executor).build(search, tmp_path, _train)) is kind


def test_no_stored_study_names_processes_or_a_cluster(tiny: Callable[..., Any]) -> None:
    there = tiny(**{"study.executor": "ray", "study.ray_address": "head:6379", "study.workers": 4})
    assert not set(json.loads(there.as_json())["config"]["study"]) & paths_with(Role.PER_CALL, SearchSettings)
    assert type(there).from_json(there.as_json()).config.study.executor == "local"
    assert there.differences(tiny()) == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("train",), "--workers is 4 for a single trial; expected --parallel folds with it"),
        (
            ("study", "--executor", "ray"),
            "--workers is 4; with --executor ray the cluster decides, leave it out",
        ),
    ],
)
def test_workers_that_have_nothing_to_do_are_refused(
    call: Callable[..., Any],
    root: Path,
    study_file: Path,
    corpus_csv: Path,
    arguments: tuple[str, ...],
    sentence: str,
) -> None:
    command, *options = arguments
    corpus = ("--corpus", "manifest", "--data", corpus_csv)
    call(root, command, study_file, *corpus, *options, "--workers", "4").refused(sentence)


def test_jobs_that_are_none_start_nothing(tmp_path: Path) -> None:
    for executor in (Processes(2, tmp_path), Ray("127.0.0.1:9", tmp_path), InProcess(_train)):
        assert list(executor.run([], on_epoch=_train, keep=_train)) == []
