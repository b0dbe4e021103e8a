"""The protocol of an evaluation: equal for the same recordings, however the command names them."""

from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ser_tune.corpora import Utterance
from ser_tune.results import evaluation_scores


def test_the_order_of_the_corpora_of_a_union_changes_no_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = SimpleNamespace(elsewhere=lambda shared: {"emotions": shared})
    monkeypatch.setattr(evaluation_scores, "protocol_of", lambda run: trained)
    found = set()
    for labels in permutations(["urdu", "emodb", "mine"]):
        utterances = [Utterance(id=name, path=Path(name), speaker=name, emotion="joy", corpus=name) for name in labels]
        corpus = SimpleNamespace(is_union=True, digest="d", name="+".join(labels))
        networks = SimpleNamespace(
            corpus=corpus,
            corpus_name="+".join(labels),
            utterances=utterances,
            description="x",
            numbers=np.arange(3),
        )
        setup: Any = SimpleNamespace(
            networks=networks,
            mapping=SimpleNamespace(shared=("joy",), renamed=(), left_out=(), unused=()),
            run=None,
            metrics=[SimpleNamespace(title="UAR")],
            task=SimpleNamespace(decision="argmax", outputs="classes", answers="emotions"),
            matched=SimpleNamespace(facts={}),
            facts={"normalisation_scope": "train", "fingerprint": "f"},
        )
        protocol = evaluation_scores.protocol_of_evaluation(setup)
        assert protocol.in_words["corpus"] == "emodb+mine+urdu"
        found.add(protocol.fingerprint)
    assert len(found) == 1
