"""Targets of a corpus as the outputs of a model: emotions that count as the same, dimensions on another scale."""

from pathlib import Path

import numpy as np
import pytest

from ser_tune.corpora import Annotation, Utterance
from ser_tune.errors import MappingError
from ser_tune.metrics import share_reliability
from ser_tune.results.answer_kinds import kind_of
from ser_tune.results.matched_targets import Matched, Outputs
from ser_tune.tasks import TASKS
from tests.made_corpora import made_corpus

FIVE, SEVEN = (1.0, 5.0), (1.0, 7.0)
RATED = [
    Annotation(dimensions=(("activation", 7.0), ("valence", 1.0))),
    Annotation(dimensions=(("activation", 4.0), ("tension", 3.0), ("valence", 2.0))),
    Annotation(dimensions=(("valence", 2.0),)),
]
VOTED = [
    Annotation(votes=(("angry", 1), ("fear", 1), ("joy", 2))),
    Annotation(votes=(("excited", 1), ("joy", 1))),
    Annotation(votes=(("fear", 3),)),
]
EMOTIONS = ("anger", "happiness", "sadness")


def _matched(
    task: str,
    annotations: list[Annotation],
    labels: tuple[str, ...],
    given: dict[str, str] | None = None,
    scales: dict[str, tuple[float, float]] | None = None,
    **settings: object,
) -> Matched:
    """The targets of a corpus of three utterances, rated from 1 to 7, for a model with these outputs."""
    utterances = tuple(
        Utterance(str(number), Path("x.wav"), f"s{number}", "", annotation=found)
        for number, found in enumerate(annotations)
    )
    corpus = made_corpus(utterances, scales={"activation": SEVEN, "valence": SEVEN})
    found = TASKS.get(task)
    outputs = Outputs(found, found.settings(**settings), labels, {} if scales is None else scales)
    return kind_of(found).match(outputs, corpus, np.arange(len(utterances)), given)


def test_votes_for_emotions_that_count_as_the_same_are_added_up_and_others_are_not_counted() -> None:
    found = _matched("distribution", VOTED, EMOTIONS)
    assert (found.mapping.shared, found.mapping.left_out) == (("anger", "happiness"), ("fear",))
    np.testing.assert_allclose(found.truth, [[1 / 3, 2 / 3], [0, 1]])
    assert found.kept.tolist() == [True, True, False]
    assert found.left_out == {"all their votes are for emotions that the model lacks (fear)": 1}
    assert found.notes == ["12.5% of the votes are for emotions that the model lacks (fear), and are not counted"]
    # Smoothing is no vote
    assert _matched("distribution", VOTED, EMOTIONS, smoothing=1.0).kept.tolist() == [True, True, False]


def test_sets_have_the_emotions_that_the_model_has_too() -> None:
    sets = [Annotation(emotions=emotions) for emotions in (("angry", "fear"), ("excited", "joy"), ("fear",))]
    found = _matched("multilabel", sets, EMOTIONS)
    assert found.truth.tolist() == [[True, False], [False, True]]
    assert found.left_out == {"the model lacks all their emotions (fear)": 1}


def test_ratings_are_mapped_to_the_scale_of_the_model_where_both_are_known() -> None:
    labels, given = ("arousal", "dominance", "valence"), {"activation": "arousal"}
    found = _matched("dimensions", RATED, labels, given, {"arousal": FIVE, "dominance": FIVE, "valence": FIVE})
    assert (found.mapping.shared, found.mapping.unused) == (("arousal", "valence"), ("dominance",))
    np.testing.assert_allclose(found.truth, [[5, 1], [3, 1 + 4 / 6]])
    assert found.texts[0] == '{"activation": 7.0, "valence": 1.0}'
    assert found.left_out == {"a rating of activation or valence is missing": 1}
    assert "activation from 1 to 7 as 1 to 5" in found.notes[0]
    assert found.facts == {"scales": ("activation from 1 to 7 as 1 to 5", "valence from 1 to 7 as 1 to 5")}
    # Without a scale of the model ratings stay as they are
    found = _matched("dimensions", RATED, labels, given)
    np.testing.assert_allclose(found.truth, [[7, 1], [4, 2]])
    assert found.notes[0].startswith("the scale of activation, valence is known of at most one of the corpora")


@pytest.mark.parametrize(
    ("task", "annotations", "labels", "given", "message"),
    [
        ("dimensions", RATED, ("arousal",), {}, r"share none; expected at least one; pass --map DIMENSION"),
        ("dimensions", RATED, ("valence",), {"activation": "valence"}, "activation and valence of the corpus count as"),
        ("dimensions", RATED, ("valence",), {"arousal": "valence"}, "'arousal' is no dimension of the corpus"),
        ("distribution", VOTED, ("anger", "boredom"), {}, "share 1; expected at least two"),
        ("multilabel", VOTED, ("anger", "boredom"), {}, "share 0; expected at least two"),
    ],
)
def test_labels_that_cannot_be_mapped_are_refused(
    task: str, annotations: list[Annotation], labels: tuple[str, ...], given: dict[str, str], message: str
) -> None:
    with pytest.raises(MappingError, match=message):
        _matched(task, annotations, labels, given)


@pytest.mark.parametrize("task", ["classification", "distribution", "multilabel", "dimensions"])
def test_outputs_over_some_emotions_are_in_the_form_of_the_task_and_equal_answers_are_not_apart(task: str) -> None:
    found, rng = TASKS.get(task), np.random.default_rng(0)
    kind = kind_of(found)
    outputs = np.log(rng.dirichlet([1.0] * 4, size=30))
    predicted = found.decide(kind.narrowed(outputs[:, :3]))
    if task == "distribution":
        np.testing.assert_allclose(predicted.sum(axis=1), 1)
    assert not kind.apart(predicted, predicted).any()
    np.testing.assert_allclose(kind.joined([predicted] * 3, 3), predicted, atol=1e-6)
    calibration = kind.calibrate(found, outputs[:, :3], predicted, predicted, 1.0)
    assert calibration.shown.shape == (30, 3)
    has_confidence = task in ("classification", "distribution")
    assert (calibration.reliability is not None, len(calibration.coverage) > 0) == (has_confidence,) * 2


def test_shares_that_are_predicted_exactly_have_no_error() -> None:
    shares = np.random.default_rng(1).dirichlet([1.0] * 3, size=50)
    assert share_reliability(shares, shares).ece == pytest.approx(0, abs=1e-12)
