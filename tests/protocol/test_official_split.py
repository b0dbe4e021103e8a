"""The official split of a corpus is one fold, whose speakers are on one side each, and nobody is scored."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Corpus, Utterance
from ser_tune.corpora.check_names import name_warnings
from ser_tune.errors import CorpusError, LeakError
from ser_tune.folds import Fold, selection_note
from ser_tune.protocol import find_leaks
from ser_tune.protocol.leaks import Bond
from ser_tune.protocol.official_split import official_fold, official_in_words, official_test_sets, split_note
from tests.folding import emotion_strata, speaker_folds
from tests.made_corpora import made_corpus

QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EMOTIONS = ("fear", "joy")
SPLITS = ("train", "validation", "test", "test1", "test2")
Spoken = tuple[str, str]
"""A speaker and the split of their utterances, one of each emotion."""
FEW: tuple[Spoken, ...] = (("ann", "train"), ("bob", "validation"), ("cyd", "test1"), ("dan", "test2"))


def _corpus(spoken: Sequence[Spoken]) -> Corpus:
    utterances = tuple(
        Utterance(f"u{number:03}{emotion}", Path("none.wav"), speaker, emotion, split=split)
        for number, (speaker, split) in enumerate(spoken)
        for emotion in EMOTIONS
    )
    return made_corpus(utterances)


def _fold(spoken: Sequence[Spoken]) -> tuple[Corpus, Fold]:
    corpus = _corpus(spoken)
    return corpus, official_fold(corpus, strata=emotion_strata(corpus))


@st.composite
def _splits(draw: st.DrawFn) -> list[Spoken]:
    """Known speakers on a side each, some of them in several test sets; and utterances of nobody on any side."""
    sides = draw(st.lists(st.sampled_from(("train", "validation", "test")), max_size=8))
    spoken: list[Spoken] = []
    for number, side in enumerate(["train", "validation", *sides]):
        tests = draw(st.lists(st.sampled_from(SPLITS[2:]), min_size=1, max_size=3))
        spoken += [(f"s{number}", split) for split in (tests if side == "test" else [side])]
    unknown = draw(st.lists(st.tuples(st.sampled_from(("Unknown", "nan")), st.sampled_from(SPLITS)), max_size=6))
    return draw(st.permutations([*spoken, *unknown]))


@QUICK
@given(spoken=_splits())
def test_no_speaker_is_on_two_sides_and_nobody_trains_only(spoken: list[Spoken]) -> None:
    corpus, fold = _fold(spoken)
    sides = {"train": fold.train, "validation": fold.validation, "test": fold.test}
    for name, numbers in sides.items():
        for number in numbers.tolist():
            utterance = corpus.utterances[number]
            assert name == (utterance.split if utterance.split in ("train", "validation") else "test")
            assert name == "train" or not corpus.nobody[number]
    speakers = [{corpus.utterances[number].speaker for number in sides[name].tolist()} for name in sides]
    assert not speakers[0] & speakers[1]
    assert not speakers[0] & speakers[2]
    assert not speakers[1] & speakers[2]
    # Every utterance is on its side but those of nobody that the split holds out, which are on none
    used = np.sort(np.concatenate(list(sides.values())))
    left_out = [
        number for number, utterance in enumerate(corpus.utterances) if corpus.nobody[number] and utterance.is_held_out
    ]
    assert sorted({*used.tolist(), *left_out}) == list(range(len(corpus.utterances)))
    assert not set(used.tolist()) & set(left_out)
    # The test sets share the test side out
    sets = official_test_sets(corpus, [fold])
    np.testing.assert_array_equal(np.sort(np.concatenate([*sets.values(), np.arange(0)])), fold.test)
    assert all({corpus.utterances[number].split for number in found} == {name} for name, found in sets.items())


@QUICK
@given(spoken=_splits(), data=st.data())
def test_a_speaker_on_two_sides_is_refused(spoken: list[Spoken], data: st.DataObject) -> None:
    speaker, split = data.draw(st.sampled_from([pair for pair in spoken if pair[0].startswith("s")]))
    kind = split if split in ("train", "validation") else "test"
    other = data.draw(st.sampled_from([name for name in SPLITS if not (name == kind or kind == name[:4] == "test")]))
    with pytest.raises(LeakError, match=rf"corpus made, official split: speaker '{speaker}' is on the "):
        _fold([*spoken, (speaker, other)])


@QUICK
@given(spoken=_splits(), data=st.data())
def test_the_key_is_of_recordings_and_sides_alone(spoken: list[Spoken], data: st.DataObject) -> None:
    corpus, fold = _fold(spoken)
    renamed = replace(
        corpus, utterances=tuple(replace(utterance, id=f"x{utterance.id}") for utterance in corpus.utterances)
    )
    assert official_fold(renamed, strata=emotion_strata(corpus)).key == fold.key
    # A speaker moved to another side makes it another split
    moved = next((place for place, (_, split) in enumerate(spoken) if split.startswith("test")), None)
    if moved is not None and spoken[moved][0].startswith("s"):
        others = [split for split in SPLITS[2:] if split != spoken[moved][1]]
        changed = [*spoken]
        changed[moved] = (spoken[moved][0], data.draw(st.sampled_from(others)))
        assert _fold(changed)[1].key != fold.key


@pytest.mark.parametrize(
    ("spoken", "message"),
    [
        (
            [*FEW, ("eve", "")],
            "2 of 10 utterances have no side in it, such as 'u004fear'; expected train, validation or",
        ),
        (FEW[1:], "no utterance of the side 'train' but those of test1, test2, validation"),
        ([("ann", "train"), ("bob", "dev")], "no utterance of the side 'validation' but those of dev, train"),
        ([FEW[0], ("unknown", "validation")], "no speaker of the validation side is known"),
    ],
)
def test_an_incomplete_split_is_refused(spoken: list[Spoken], message: str) -> None:
    with pytest.raises(CorpusError, match=message) as caught:
        _fold(spoken)
    assert "protocol.folds" in str(caught.value)


def test_a_training_side_without_a_class_is_refused() -> None:
    corpus = _corpus(FEW)
    poorer = replace(
        corpus,
        utterances=tuple(
            replace(utterance, emotion="fear" if utterance.split == "train" else utterance.emotion)
            for utterance in corpus.utterances
        ),
    )
    with pytest.raises(CorpusError, match="no training utterance has emotion 'joy'"):
        official_fold(poorer, strata=emotion_strata(poorer))


def test_a_split_without_test_sets_is_a_fold_without_test_speakers() -> None:
    corpus, fold = _fold(FEW[:2])
    assert fold.test_speakers == ()
    assert len(fold.test) == 0
    assert official_test_sets(corpus, [fold]) == {}
    assert selection_note([fold]).startswith("the split has no test set with labels")


def test_notes_name_the_sides_or_what_replaces_them() -> None:
    corpus, fold = _fold([*FEW, ("Unknown", "test1"), ("Unknown", "train")])
    assert official_in_words(corpus, [fold]) == ("official split of 4 train, 2 validation, 2 test1, 2 test2 utterances")
    assert next(split_note(corpus, [fold])).startswith("official split of 4 train, 2 validation")
    folds = speaker_folds(corpus)
    assert next(split_note(corpus, folds)).startswith(
        "the official split of the corpus (test1, test2, train, validation) is replaced by chosen folds"
    )
    plain = replace(corpus, utterances=tuple(replace(utterance, split="") for utterance in corpus.utterances))
    assert list(split_note(plain, folds)) == []
    (warning,) = name_warnings(corpus.utterances)
    assert warning == (
        "4 of 12 utterances name no speaker ('Unknown' (4)): 2 train, and 2 of the official split's held-out sides are "
        "left out"
    )


def test_left_out_utterances_of_nobody_are_no_leak() -> None:
    corpus, fold = _fold([*FEW, ("Unknown", "test1")])
    train, unused, test = (
        next(
            number
            for number, utterance in enumerate(corpus.utterances)
            if (utterance.speaker, utterance.split) == wanted
        )
        for wanted in (("ann", "train"), ("Unknown", "test1"), ("cyd", "test1"))
    )
    assert find_leaks(corpus, [fold], [Bond("hold the same sound", [[train, unused], [unused, test]])]) == []
    (leak,) = find_leaks(corpus, [fold], [Bond("hold the same sound", [[train, test]])])
    assert leak.sides == ("training", "test")
