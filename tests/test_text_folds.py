"""Folds that share no text."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Corpus, Utterance
from ser_tune.errors import CorpusError
from ser_tune.folds import TEXT_PARTS
from tests.folding import speaker_folds, text_independent_folds
from tests.made_corpora import made_corpus

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EMOTIONS = ("fear", "joy", "neutral")


def _spoken(texts: Sequence[str], speakers: Sequence[str] = "abcdef", emotions: Sequence[str] = EMOTIONS) -> Corpus:
    """Every speaker speaks every text in every emotion."""
    rows = [(speaker, emotion, text) for speaker in speakers for emotion in emotions for text in texts]
    utterances = tuple(
        Utterance(id=f"{number:04d}", path=Path("none.wav"), speaker=speaker, emotion=emotion, group="", text=text)
        for number, (speaker, emotion, text) in enumerate(rows)
    )
    return made_corpus(utterances)


@pytest.mark.slow
@QUICK
@given(data=st.data(), n_texts=st.integers(1, 12), n_speakers=st.integers(3, 8))
def test_no_text_and_no_speaker_is_on_two_sides(data: st.DataObject, n_texts: int, n_speakers: int) -> None:
    whole = _spoken([f"text {number}" for number in range(n_texts)], [f"s{number}" for number in range(n_speakers)])
    left = data.draw(st.sets(st.integers(0, len(whole.utterances) - 1), max_size=20))
    utterances = tuple(one for number, one in enumerate(whole.utterances) if number not in left)
    corpus = replace(whole, utterances=utterances, contents=("",) * len(utterances))
    try:
        by_speaker = speaker_folds(corpus, data.draw(st.none() | st.integers(3, n_speakers)))
        folds = text_independent_folds(corpus, by_speaker)
    except CorpusError:
        assert left or n_texts < 3
        return
    texts, speakers = (np.array([getattr(one, name) for one in corpus.utterances]) for name in ("text", "speaker"))
    parts: dict[int, set[str]] = {}
    for fold, before in zip(folds, by_speaker, strict=True):
        sides = (fold.train, fold.validation, fold.test)
        for values in (texts, speakers):
            train, validation, test = ({str(one) for one in values[side]} for side in sides)
            assert not train & validation
            assert not train & test
            assert not validation & test
        assert train | validation | test <= set(speakers)
        assert all(len(side) for side in sides)
        assert {corpus.utterances[one].emotion for one in fold.train} == set(corpus.emotions)
        for side, name in zip(sides, ("train", "validation", "test"), strict=True):
            assert set(side) <= set(getattr(before, name))
        count = min(TEXT_PARTS, len(set(texts)))
        parts.setdefault(fold.number % count, set()).update(map(str, texts[fold.test]))
    # Each part has its own texts
    assert sum(map(len, parts.values())) == len(set().union(*parts.values()))


def test_texts_of_equal_emotions_are_dealt_in_turn_by_name() -> None:
    corpus = _spoken("abcdefg")
    # The parts are a and f, b and g, c, d, e
    folds = text_independent_folds(corpus, speaker_folds(corpus, 6))
    said = [
        [
            "".join(sorted({corpus.utterances[one].text for one in side}))
            for side in (one.train, one.validation, one.test)
        ]
        for one in folds
    ]
    assert said == [
        ["cde", "bg", "af"],
        ["adef", "c", "bg"],
        ["abefg", "d", "c"],
        ["abcfg", "e", "d"],
        ["bcdg", "af", "e"],
        ["cde", "bg", "af"],  # there are five parts: the sixth fold is like the first
    ]


def test_texts_of_one_emotion_are_dealt_to_all_parts() -> None:
    # Ten texts, of which every second one is spoken in joy alone: each part has one of each kind
    corpus = _spoken([f"{number}" for number in range(10)], emotions=("fear", "joy"))
    utterances = tuple(one for one in corpus.utterances if int(one.text) % 2 == 0 or one.emotion == "joy")
    corpus = replace(corpus, utterances=utterances, contents=("",) * len(utterances))
    for fold in text_independent_folds(corpus, speaker_folds(corpus)):
        assert [int(text) % 2 for text in sorted({corpus.utterances[one].text for one in fold.test})] == [0, 1]


def test_an_utterance_without_a_text_cannot_be_dealt() -> None:
    corpus = _spoken("abc")
    utterances = (*corpus.utterances[:-1], replace(corpus.utterances[-1], text=""))
    unknown = replace(corpus, utterances=utterances)
    message = r"corpus made: the text of '0053' is not known, .*; provide it \(in a manifest, the column 'text'\), or "
    with pytest.raises(CorpusError, match=message):
        text_independent_folds(unknown, speaker_folds(unknown))


def test_two_texts_are_too_few() -> None:
    corpus = _spoken("ab")
    with pytest.raises(CorpusError, match=r"corpus made has 2 text\(s\); text-independent folds need at least 3"):
        text_independent_folds(corpus, speaker_folds(corpus))


def test_a_side_without_an_utterance_is_refused() -> None:
    # Speaker a, whom fold 0 tests, never speaks text a
    corpus = _spoken("abc")
    utterances = tuple(one for one in corpus.utterances if (one.speaker, one.text) != ("a", "a"))
    corpus = replace(corpus, utterances=utterances, contents=("",) * len(utterances))
    with pytest.raises(CorpusError, match="corpus made, fold 0: the test speakers speak no text of the test side; use"):
        text_independent_folds(corpus, speaker_folds(corpus, 6))


def test_a_training_side_whose_texts_lack_an_emotion_is_refused() -> None:
    # Joy is spoken with one text alone
    corpus = _spoken("abcde")
    utterances = tuple(one for one in corpus.utterances if one.emotion != "joy" or one.text == "a")
    corpus = replace(corpus, utterances=utterances, contents=("",) * len(utterances))
    with pytest.raises(CorpusError, match=r"corpus made, fold .: no training utterance has emotion 'joy'"):
        text_independent_folds(corpus, speaker_folds(corpus))
