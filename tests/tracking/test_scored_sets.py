"""Test sets of an official split are scored apart, beside all of them together."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ser_tune.project import Project
from ser_tune.protocol import Prepared, Protocol, prepare
from ser_tune.protocol.official_split import official_fold
from ser_tune.resampling import score
from ser_tune.search import HeldOut
from ser_tune.tracking import scored_sets
from ser_tune.tracking.scored_sets import set_metrics
from tests.folding import emotion_strata

SPLITS = {"ada": "train", "bob": "validation", "cyd": "test_low", "dan": "test"}
"""One set's name is the other's with the ending of an interval's lower end."""


@pytest.fixture
def official(project: Project, tiny: Callable[..., Any]) -> Prepared:
    """A tiny study on an official split with two test sets."""
    drawn = prepare(tiny(), project)
    utterances = tuple(replace(utterance, split=SPLITS[utterance.speaker]) for utterance in drawn.corpus.utterances)
    corpus = replace(drawn.corpus, utterances=utterances)
    folds = (official_fold(corpus, strata=emotion_strata(corpus)),)
    protocol = Protocol.of(drawn.definition, corpus, drawn.targets, folds)
    return Prepared(drawn.definition, corpus, drawn.targets, folds, 1, protocol)


def _held_out(prepared: Prepared, predicted: np.ndarray) -> HeldOut:
    tested, targets = prepared.folds[0].test, prepared.targets
    judged = (targets.values[tested], predicted, prepared.corpus.speaker_numbers[tested])
    return HeldOut(
        scores=score([judged], prepared.definition.metrics, len(targets.names)),
        utterances=tuple(prepared.corpus.utterances[number].id for number in tested.tolist()),
        fold=np.zeros(len(tested), dtype=np.int64),
        truth=judged[0],
        predicted=predicted,
        outputs=np.eye(len(targets.names))[predicted],
    )


def test_every_set_has_its_own_score_and_sizes(official: Prepared) -> None:
    fold = official.folds[0]
    truth = official.targets.values[fold.test]
    of_low = np.array([official.corpus.utterances[number].split == "test_low" for number in fold.test.tolist()])
    # All of one set is right, all of the other wrong
    held_out = _held_out(official, np.where(of_low, truth, 1 - truth))
    metrics = {"test_uar": held_out.scores["uar"].value, **set_metrics(held_out, official)}
    found = {scored.name: scored for scored in scored_sets(metrics)}
    assert list(found) == ["test", "test_low"]
    assert found["test_low"].scores["uar"] == 1.0
    assert found["test"].scores["uar"] == 0.0
    assert found["test_low"].scores["recall/joy"] == 1.0
    assert not [name for scored in found.values() for name in scored.scores if "fold" in name]
    assert metrics["test_uar"] == pytest.approx(0.5)
    assert [(scored.utterances, scored.speakers) for scored in found.values()] == [
        (len(official.test_sets[name]), 1) for name in found
    ]
    # A single speaker has no interval
    assert not found["test"].interval("uar").known
    assert found["test"].described(official.definition.metrics) == ["0.0000", "0.0000"]


def test_other_folds_have_no_sets(project: Project, tiny: Callable[..., Any]) -> None:
    drawn = prepare(tiny(), project)
    held_out = _held_out(drawn, drawn.targets.values[drawn.folds[0].test])
    assert set_metrics(held_out, drawn) == {}


def test_the_protocol_names_the_split(official: Prepared) -> None:
    facts, digest = official.protocol.in_words, official.folds[0].official
    assert facts["folds"] == (
        f"1: official split of 4 train, 4 validation, 4 test, 4 test_low utterances, SHA-256 {digest}"
    )
    assert official.protocol.n_folds == 1
    assert official.protocol.is_official
    assert Protocol.read(official.protocol.tags).fingerprint == official.protocol.fingerprint
    assert official.notes[0].startswith("official split of 4 train")
    # A network for all speakers trains on none whom the search never saw
    trained = {official.corpus.utterances[number].speaker for number in official.trainable.tolist()}
    assert trained == {"ada", "bob"}
