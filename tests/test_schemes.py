"""Folds that hold out whole corpora or languages: nothing of them trains or validates."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Corpus, Utterance
from ser_tune.errors import CorpusError
from ser_tune.folds import Fold, held_out_speakers, never_seen, outer_parts, scheme_folds, selection_note, speaker_folds
from ser_tune.protocol import Bond, find_leaks
from tests.folding import emotion_strata
from tests.made_corpora import made_corpus

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EMOTIONS = ("fear", "joy")
LANGUAGES = {"a": "de", "b": "ur", "c": "de", "d": "en", "e": "fr", "f": "it", "g": "zh"}


def _utterances(label: str, speakers: Sequence[str], splits: Sequence[str] = ("",), **more: str) -> list[Utterance]:
    return [
        Utterance(
            id=f"{label}/{speaker}_{emotion}_{split}_{'_'.join(more.values())}",
            path=Path("none.wav"),
            speaker=speaker if speaker == "unknown" else f"{label}:{speaker}",
            emotion=emotion,
            split=split,
            corpus=label,
            language=LANGUAGES[label],
            **more,
        )
        for speaker in speakers
        for emotion in EMOTIONS
        for split in splits
    ]


def _union(sizes: dict[str, int]) -> Corpus:
    """Corpora of so many speakers each."""
    return made_corpus(
        [own for label, size in sizes.items() for own in _utterances(label, [f"s{n:02d}" for n in range(size)])]
    )


def _folds(corpus: Corpus, scheme: str, *tested: str, holdout: Sequence[str] = ()) -> tuple[Fold, ...]:
    return scheme_folds(corpus, scheme, strata=emotion_strata(corpus), test_corpora=tested, holdout=holdout)


def _of(corpus: Corpus, numbers: np.ndarray, what: str) -> set[str]:
    return {getattr(corpus.utterances[number], what) for number in numbers.tolist()}


@st.composite
def _sizes(draw: st.DrawFn) -> dict[str, int]:
    count = draw(st.integers(2, 7))
    return {label: draw(st.integers(2, 9)) for label in "abcdefg"[:count]}


@pytest.mark.parametrize(
    ("scheme", "what"), [("leave-one-corpus-out", "corpus"), ("leave-one-language-out", "language")]
)
@QUICK
@given(sizes=_sizes(), data=st.data())
def test_each_corpus_or_language_is_held_out_once_as_a_whole(
    scheme: str, what: str, sizes: dict[str, int], data: st.DataObject
) -> None:
    corpus = _union(sizes)
    holdout = data.draw(st.lists(st.sampled_from(corpus.speakers), max_size=2, unique=True))
    holdout += [] if len(sizes) < 4 else data.draw(st.sampled_from([[], ["d:"]]))
    out = held_out_speakers(corpus, holdout)
    left = {row for row, own in enumerate(corpus.utterances) if own.speaker not in out}
    groups = {getattr(corpus.utterances[row], what) for row in left}
    speakers_of = {label: {own.speaker for own in corpus.utterances if own.corpus == label} - out for label in sizes}
    if len(groups) < 2 or any(len(own) == 1 for own in speakers_of.values()):
        return
    folds = _folds(corpus, scheme, holdout=holdout)
    assert len({fold.key for fold in folds}) == len(folds) == len(groups)
    for number, fold in enumerate(folds):
        assert fold.number == number
        (held_out,) = _of(corpus, fold.test, what)
        assert held_out not in _of(corpus, np.concatenate([fold.train, fold.validation]), what)
        assert set(fold.validation_speakers) == _of(corpus, fold.validation, "speaker")
        assert fold.validation_speakers
        assert not set(fold.validation_speakers) & _of(corpus, fold.train, "speaker")
        # Every corpus that is not held out trains
        assert _of(corpus, fold.train, "corpus") == {
            corpus.utterances[row].corpus for row in left if getattr(corpus.utterances[row], what) != held_out
        }
        sides = np.concatenate([fold.train, fold.validation, fold.test])
        assert sorted(sides.tolist()) == sorted(left)
    tested = np.concatenate([fold.test for fold in folds]).tolist()
    assert sorted(tested) == sorted(left)
    validating = [speaker for fold in folds for speaker in fold.validation_speakers]
    assert len(set(validating)) == len(validating)


def test_folds_by_hand() -> None:
    corpus = _union({"a": 10, "b": 6, "c": 2})
    first, second, third = _folds(corpus, "leave-one-corpus-out")
    # Shares of a corpus validate in the folds after its own: speakers 0 and 5 in the next
    assert [fold.key for fold in (first, second, third)] == [
        "b:s01+c:s00/a:",
        "a:s00+a:s05+c:s01/b:",
        "a:s01+a:s06+b:s00+b:s05/c:",
    ]
    german, urdu = _folds(corpus, "leave-one-language-out")
    assert german.held_out == ("a:", "c:")
    assert urdu.held_out == ("b:",)
    (alone,) = _folds(corpus, "train-test", "b", "c")
    assert alone.key == "a:s00+a:s05/b:+c:"
    assert outer_parts(corpus, (first, second, third)) == [("a:",), ("b:",), ("c:",)]
    assert outer_parts(corpus, (german, urdu)) == [("a:", "c:"), ("b:",)]


def test_official_test_sides_are_tested_and_never_train() -> None:
    sides = {"s0": ("train",), "s1": ("validation",), "s2": ("test1",), "s3": ("test2",)}
    official = [own for speaker, split in sides.items() for own in _utterances("b", [speaker], split)]
    corpus = made_corpus([*_utterances("a", ["s0", "s1", "s2"]), *official])
    (fold,) = _folds(corpus, "train-test", "b")
    assert fold.test_speakers == ("b:s2", "b:s3")
    assert (fold.held_out, _of(corpus, fold.train, "corpus")) == (("b:",), {"a"})
    first, second = _folds(corpus, "leave-one-corpus-out")
    assert (first.test_speakers, second.test_speakers) == (("a:s0", "a:s1", "a:s2"), ("b:s2", "b:s3"))
    assert _of(corpus, np.concatenate([first.train, first.validation]), "split") == {"train", "validation"}
    assert _of(corpus, never_seen(corpus, ["b:"]), "split") == {"test1", "test2"}
    assert _of(corpus, never_seen(corpus, ["b:s0", "a:"]), "speaker") == {"b:s0", "a:s0", "a:s1", "a:s2"}


def test_utterances_of_nobody_train_with_their_corpus_and_are_not_tested() -> None:
    unknown = [own for label in "ab" for own in _utterances(label, ["unknown"], group=f"{label}:x")]
    in_session = _utterances("a", ["s7", "unknown"], group="a:y")
    corpus = made_corpus([*_utterances("a", ["s0", "s1"]), *_utterances("b", ["s0", "s1"]), *unknown, *in_session])
    for fold in _folds(corpus, "leave-one-corpus-out"):
        (held_out,) = _of(corpus, fold.test, "corpus")
        nobody = {own.id for own, is_nobody in zip(corpus.utterances, corpus.nobody.tolist(), strict=True) if is_nobody}
        training = {corpus.utterances[row].id for row in fold.train}
        assert nobody & training == {name for name in nobody if not name.startswith(held_out)} - {
            own.id for own in in_session if "a:s7" in fold.validation_speakers
        }
        assert "unknown" not in fold.test_speakers
    for fold in speaker_folds(corpus, strata=emotion_strata(corpus), holdout=["b:"]):
        assert _of(corpus, np.concatenate([fold.train, fold.validation, fold.test]), "corpus") == {"a"}


@pytest.mark.parametrize("sizes", [{"a": 10, "b": 29, "c": 6}, {"a": 4, "b": 3}, {"a": 1, "b": 2, "c": 2}])
def test_pooled_folds_have_speakers_of_all_corpora(sizes: dict[str, int]) -> None:
    corpus = _union(sizes)
    folds = speaker_folds(corpus, strata=emotion_strata(corpus))
    assert len(folds) == 5
    counts = [len(fold.test_speakers) for fold in folds]
    assert max(counts) - min(counts) <= 1
    for label, size in sizes.items():
        own = [sum(speaker.startswith(f"{label}:") for speaker in fold.test_speakers) for fold in folds]
        assert max(own) - min(own) <= 1
        assert sum(own) == size


def test_test_scores_are_free_of_the_selection_where_the_test_corpus_trains_in_no_fold() -> None:
    corpus = _union({"a": 5, "b": 5, "c": 5})
    assert selection_note(_folds(corpus, "train-test", "a")).endswith("so test scores are free of the selection")
    assert "numbers for comparison come from --nested" in selection_note(_folds(corpus, "leave-one-corpus-out"))


@pytest.mark.parametrize(
    ("scheme", "tested", "utterances", "message"),
    [
        ("leave-one-corpus-out", (), _utterances("a", "st"), "has 1 corpus to leave out; leave-one-corpus-out needs"),
        (
            "leave-one-language-out",
            (),
            [*_utterances("a", "st"), *_utterances("c", "st")],
            "has 1 language to leave out",
        ),
        (
            "train-test",
            ("x",),
            [*_utterances("a", "st"), *_utterances("b", "st")],
            "no corpus 'x' to test; it has a, b",
        ),
        (
            "train-test",
            ("a", "b"),
            [*_utterances("a", "st"), *_utterances("b", "st")],
            "leave one at least to train on",
        ),
        (
            "train-test",
            ("b",),
            [*_utterances("a", "s"), *_utterances("b", "st")],
            "no utterance of a known speaker to va",
        ),
        ("train-test", ("b",), [*_utterances("a", "st"), *_utterances("b", ["unknown"])], "no speaker of b is known"),
    ],
)
def test_unfit_unions_are_refused_in_a_sentence(
    scheme: str, tested: tuple[str, ...], utterances: list[Utterance], message: str
) -> None:
    with pytest.raises(CorpusError, match=message):
        _folds(made_corpus(utterances), scheme, *tested)


def test_speakers_and_utterances_without_a_single_language_are_refused() -> None:
    plain = [*_utterances("a", "st"), *_utterances("b", "st")]
    with pytest.raises(
        CorpusError, match="speaker 'a:s' is in de and in en; leave-one-language-out needs one language"
    ):
        _folds(made_corpus([*plain, replace(plain[0], id="more", language="en")]), "leave-one-language-out")
    with pytest.raises(CorpusError, match="that of corpus b is not known; provide it"):
        _folds(made_corpus([*plain, replace(plain[-1], id="more", language="")]), "leave-one-language-out")


def test_an_unknown_corpus_to_hold_out_is_answered_with_those_there_are() -> None:
    corpus = _union({"a": 2, "b": 2})
    with pytest.raises(CorpusError, match=r"has no speaker 'c:' to hold out; .* and its corpora a:, b:"):
        held_out_speakers(corpus, ["c:"])


@QUICK
@given(data=st.data())
def test_a_sound_of_a_scored_speaker_is_found_in_training_whatever_the_official_split(data: st.DataObject) -> None:
    sides = {"s0": "train", "s1": "validation", "s2": "test1", "s3": "test2", "s4": "train"}
    official = [own for speaker, split in sides.items() for own in _utterances("b", [speaker], (split,))]
    corpus = made_corpus([*_utterances("a", ["s0", "s1", "s2"]), *official, *_utterances("c", ["s0", "s1", "s2"])])
    holdout = data.draw(st.sampled_from([(), ("b:",), ("b:s2",), ("b:s0",), ("c:",)]))
    folds = _folds(corpus, "leave-one-corpus-out", holdout=holdout)
    scored = never_seen(corpus, holdout)
    first, second = (data.draw(st.integers(0, len(corpus.utterances) - 1)) for _ in range(2))
    bond = Bond("hold the same sound", [[first, second]] if first != second else [])
    found = find_leaks(corpus, folds, [bond], holdout=holdout)
    sides_of = [
        [name for name, rows in zip(("train", "validation", "test", "scored"), sides, strict=True) if row in rows]
        for sides in ((fold.train, fold.validation, fold.test, scored) for fold in folds)
        for row in (first, second)
    ]
    apart = any(one and other and one != other for one, other in zip(sides_of[::2], sides_of[1::2], strict=True))
    assert bool(found) == (apart and first != second)
