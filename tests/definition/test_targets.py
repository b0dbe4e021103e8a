"""Targets of a study: names that predictions have for something else, and ratings that teach nothing."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Annotation, Corpus, Utterance
from ser_tune.definition import StudyDefinition, targets_of
from ser_tune.errors import CorpusError
from ser_tune.protocol.prepared import _outside
from ser_tune.search import define_study
from tests.made_corpora import made_corpus

TAKEN = ("at_s", "end_s", "file", "label", "start_s", "waveform")
"""Columns and keys of predictions."""
NAMED = {"classification": "emotion", "distribution": "emotion", "multilabel": "emotions", "dimensions": None}
"""Task to the column of its answer."""


@cache
def _definition(task: str) -> StudyDefinition:
    return define_study(flags={"model.name": "linear_probe", "features.name": "opensmile", "task.name": task})


def _corpus(name: str, ratings: tuple[float, ...] = (1.0, 2.0)) -> Corpus:
    """Two utterances whose labels of every kind have this name among others."""
    utterances = tuple(
        Utterance(
            id=str(number),
            path=Path("none.wav"),
            speaker=str(number),
            emotion=(name, "another")[number % 2],
            annotation=Annotation(
                votes=tuple(sorted({name: 2, "another": 1 + number}.items())),
                emotions=tuple(sorted({name, "another"}))[: 2 - number % 2],
                dimensions=tuple(sorted({name: rating, "another": 3.0 - rating}.items())),
                annotators=3,
            ),
        )
        for number, rating in enumerate(ratings)
    )
    return made_corpus(utterances)


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from((*TAKEN, "emotion", "emotions", "none", "a|b")) | st.text(min_size=1, max_size=8))
@pytest.mark.parametrize("task", NAMED)
def test_no_output_has_a_name_that_predictions_have_for_something_else(task: str, name: str) -> None:
    definition = _definition(task)
    taken = {*TAKEN, NAMED[task]}
    several = task == "multilabel" and (name == "none" or "|" in name)
    if name in taken or several:
        with pytest.raises(CorpusError) as told:
            targets_of(definition, _corpus(name))
        assert f"an output is called '{name}', which " in str(told.value)
    else:
        assert set(targets_of(definition, _corpus(name)).names) == {name, "another"}


def test_a_dimension_with_equal_ratings_is_refused_before_training() -> None:
    with pytest.raises(CorpusError, match=r"corpus made: the rating of 'another' is 1\.5 for all 2 utterances; choose"):
        targets_of(_definition("dimensions"), _corpus("warmth", (1.5, 1.5)))


@pytest.mark.parametrize("task", ["distribution", "multilabel"])
def test_a_single_answer_to_all_utterances_is_refused_before_training(task: str) -> None:
    corpus = _corpus("joy")
    alike = tuple(replace(corpus.utterances[0], id=str(number)) for number in range(3))
    with pytest.raises(
        CorpusError, match=r"corpus made: all 3 utterances have the same emotions?, .*joy.*; expected at"
    ):
        targets_of(_definition(task), replace(corpus, utterances=alike, contents=("0", "1", "2")))


@given(st.lists(st.integers(-10, 10), min_size=2, max_size=9, unique=True), st.floats(-10, 10), st.floats(0.1, 10))
def test_ratings_outside_their_scale_are_counted(ratings: list[int], low: float, width: float) -> None:
    targets = targets_of(_definition("dimensions"), _corpus("warmth", tuple(map(float, ratings))))
    scaled = replace(targets, scales=((low, low + width),) * 2)
    sentences = _outside(scaled)
    for column, name in enumerate(scaled.names):
        outside = [value for value in scaled.values[:, column] if not low <= value <= low + width]
        expected = f"{len(outside)} of {len(ratings)} ratings of {name} lie outside its scale"
        assert [sentence for sentence in sentences if f" of {name} " in sentence] == [
            sentence for sentence in sentences if sentence.startswith(expected)
        ]
        assert bool(outside) == any(sentence.startswith(expected) for sentence in sentences)
