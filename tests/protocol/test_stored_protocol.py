"""Protocols that are stored and read again: lists of names, tasks, objectives, and texts that MLflow would cut."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.folds import Fold
from ser_tune.protocol import Protocol, prepare
from tests.corpus_tables import Row, write_table

QUICK = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
Of = Callable[..., Protocol]


def test_what_mlflow_would_cut_is_stood_for_by_a_hash(tiny: Callable[..., Any], project: Any) -> None:
    prepared = prepare(tiny(), project)

    def _folds(last: str) -> list[Fold]:
        nobody = np.arange(0)
        names = [f"a speaker with a long name {number}" for number in range(200)] + [last]
        return [Fold(place, (name,), ("tested",), nobody, nobody, nobody) for place, name in enumerate(names)]

    first, second = (
        Protocol.of(prepared.definition, prepared.corpus, prepared.targets, _folds(last)) for last in ("x", "y")
    )
    assert first.facts["folds"].startswith("201: validation/test SHA-256 ")
    assert all(len(fact) < 5000 for fact in first.facts.values())
    assert first.fingerprint != second.fingerprint


TEXTS = {
    "score": "pooled validation UAR, utterance level",
    "corpus": "emodb",
    "corpus_digest": "d3f1",
    "emotions": "anger boredom disgust",
    "merged": "none",
    "styles": "not told apart",
    "folds": "3: validation/test 03/16 08/03 16/08",
    "holdout": "none",
    "normalisation_scope": "train",
    "aggregation": "mean_log_softmax",
    "epoch_selection": "last",
}
"""The facts of a study as texts, which are hashed."""


DISLIKES = ("anger", "boredom", "disgust")


def test_facts_that_are_lists_have_the_fingerprint_of_their_texts() -> None:
    lists = {"emotions": DISLIKES, "merged": (), "styles": (), "holdout": ()}
    ours = Protocol({**TEXTS, **lists, "folds": ("03/16", "08/03", "16/08")})
    stored = Protocol.read(TEXTS)
    assert stored.fingerprint == ours.fingerprint == "a63915acccc3"
    assert ours.differences(stored) == stored.differences(ours) == []
    for read in (ours, Protocol.read(ours.stored), Protocol.read(ours.tags)):
        assert read.names == DISLIKES
        assert (read.merged, read.styles, read.holdout, read.n_folds) == ((), (), (), 3)
        assert read.fingerprint == "a63915acccc3"
    assert json.loads(json.dumps(ours.stored))["emotions"] == ["anger", "boredom", "disgust"]


def test_a_study_of_emotions_has_its_task_and_its_objective_without_a_fact(of: Of, table: Path) -> None:
    usual = of(table)
    assert {"task", "task_settings", "objectives", "outputs"}.isdisjoint(usual.facts)
    for protocol in (usual, Protocol.read(TEXTS), Protocol({})):
        assert (protocol.task.name, protocol.objective.name) == ("classification", "uar")
        assert [metric.name for metric in protocol.metrics] == ["uar", "wa"]
    assert of(table, **{"study.objectives": ("uar",)}) == usual


def test_another_objective_is_part_of_the_protocol(of: Of, table: Path) -> None:
    chosen = {"study.objectives": ("wa",), "training.selection": "best_validation_score"}
    protocol, usual = of(table, **chosen), of(table, **{"training.selection": "best_validation_score"})
    assert [difference.path for difference in protocol.differences(usual)] == ["epoch_selection", "objectives", "score"]
    assert protocol.facts["score"] == "pooled validation WA, utterance level"
    assert (usual.facts["epoch_selection"], protocol.facts["epoch_selection"]) == (
        "best_validation_uar",
        "best_validation_wa",
    )
    for read in (protocol, Protocol.read(json.loads(json.dumps(protocol.stored))), Protocol.read(protocol.tags)):
        assert [metric.name for metric in read.metrics] == ["wa", "uar"]
        assert read.names == ("anger", "fear", "joy")


@pytest.mark.usefixtures("plugged")
def test_the_outputs_of_another_task_are_no_emotions(of: Of, table: Path) -> None:
    protocol, usual = of(table, **{"task.name": "levels"}), of(table)
    told = {path: protocol.facts[path] for path in ("task", "objectives", "outputs", "score")}
    score = "pooled validation error rate, utterance level"
    assert told == {"task": "levels", "objectives": ("error",), "outputs": ("low", "high"), "score": score}
    unlike = ["emotions", "objectives", "outputs", "score", "task", "task_settings"]
    assert [difference.path for difference in protocol.differences(usual)] == unlike
    other = of(table, **{"task.name": "levels", "task.high": ("anger",)})
    assert [difference.path for difference in protocol.differences(other)] == ["task_settings"]
    for read in (protocol, Protocol.read(protocol.tags)):
        assert (read.task.answer, read.objective.title, read.names) == ("level", "error rate", ("low", "high"))
        assert [metric.name for metric in read.metrics] == ["error", "uar"]


@pytest.mark.usefixtures("plugged")
def test_words_are_a_leak_of_the_task_whose_targets_they_tell(of: Of, rows: list[Row], tmp_path: Path) -> None:
    table = write_table(tmp_path, [row | {"text": str(row["emotion"] == "fear")} for row in rows])
    assert of(table, **{"task.name": "levels"}).facts["text_baseline"] == "error rate 0.000, chance 0.333"
    assert of(table).facts["text_baseline"] == "UAR 0.667, chance 0.333"


NAMES = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=4).map(tuple)


@QUICK
@given(emotions=NAMES, holdout=NAMES, merged=NAMES, folds=NAMES)
def test_names_of_any_letters_are_read_as_they_were_stored(
    emotions: tuple[str, ...], holdout: tuple[str, ...], merged: tuple[str, ...], folds: tuple[str, ...]
) -> None:
    ours = Protocol({**TEXTS, "emotions": emotions, "holdout": holdout, "merged": merged, "folds": folds})
    for read in (Protocol.read(json.loads(json.dumps(ours.stored))), Protocol.read(ours.tags)):
        assert read == ours
        assert (read.names, read.holdout, read.merged, read.n_folds) == (emotions, holdout, merged, len(folds))


def test_a_name_with_a_blank_is_one_name(of: Of, rows: list[Row], tmp_path: Path) -> None:
    renamed = {"joy": "pleasant surprise", "ada": "Anna Smith"}
    table = write_table(tmp_path, [{key: renamed.get(value, value) for key, value in row.items()} for row in rows])
    protocol = of(table, **{"protocol.holdout": ("Anna Smith",)})
    assert protocol.names == ("anger", "fear", "pleasant surprise")
    assert protocol.holdout == ("Anna Smith",)
    assert Protocol.read(protocol.tags) == protocol
