"""Speaker folds: whatever the corpus, nobody is on two sides and everybody is held out exactly once."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune.corpora import Corpus, Utterance
from ser_tune.corpora.emodb import CORPUS, SPEAKERS
from ser_tune.errors import CorpusError
from ser_tune.folds import DEFAULT_FOLDS, Fold, speaker_folds

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
EMOTIONS = ("fear", "joy", "neutral")


def _corpus(
    speakers: dict[str, str], *, folds: int | None = None, extra: tuple[tuple[str, str, str], ...] = ()
) -> Corpus:
    """Speakers (and their sessions) who each express every emotion, and extra (speaker, session, emotion)."""
    rows = [(speaker, group, emotion) for speaker, group in speakers.items() for emotion in EMOTIONS]
    utterances = tuple(
        Utterance(id=f"{number:04d}", path=Path("none.wav"), speaker=speaker, emotion=emotion, group=group)
        for number, (speaker, group, emotion) in enumerate([*rows, *extra])
    )
    return Corpus(name="made", utterances=utterances, digest="", folds=folds)


def _check(corpus: Corpus, folds: tuple[Fold, ...]) -> None:
    everyone = np.arange(len(corpus.utterances))
    speakers = np.array([one.speaker for one in corpus.utterances])
    for number, fold in enumerate(folds):
        assert fold.number == number
        sides = (fold.train, fold.validation, fold.test)
        # Each utterance is on one side, and so is each speaker
        np.testing.assert_array_equal(np.sort(np.concatenate(sides)), everyone)
        train, validation, test = ({str(one) for one in speakers[side]} for side in sides)
        assert train
        assert validation == set(fold.validation_speakers)
        assert test == set(fold.test_speakers)
        assert not train & validation
        assert not train & test
        assert not validation & test
        assert {corpus.utterances[one].emotion for one in fold.train} == set(corpus.emotions)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.test for fold in folds])), everyone)
    np.testing.assert_array_equal(np.sort(np.concatenate([fold.validation for fold in folds])), everyone)


@st.composite
def _speakers(draw: st.DrawFn) -> dict[str, str]:
    """Speakers without sessions, with sessions, or some with and some without."""
    count = draw(st.integers(3, 14))
    kind = draw(st.sampled_from(("none", "all", "some")))
    sessions = st.sampled_from(("one", "two", "three", "four", "five"))
    choice = {"none": st.just(""), "all": sessions, "some": st.just("") | sessions}[kind]
    return {f"s{number}": draw(choice) for number in range(count)}


def _units(speakers: dict[str, str]) -> int:
    """How many groups can be dealt to folds."""
    return len({group or speaker for speaker, group in speakers.items()})


@QUICK
@given(speakers=_speakers(), uneven=st.lists(st.sampled_from(EMOTIONS), max_size=5), data=st.data())
def test_everybody_is_tested_once_and_validates_once(
    speakers: dict[str, str], uneven: list[str], data: st.DataObject
) -> None:
    extra = tuple(("s0", speakers["s0"], emotion) for emotion in uneven)
    corpus = _corpus(speakers, extra=extra)
    wanted = data.draw(st.none() | st.integers(3, len(speakers)))
    # A number of folds keeps sessions whole; without one, sessions of two speakers are split between two sides
    if _units(speakers) < (wanted or 3) and not _pairs(speakers):
        with pytest.raises(CorpusError, match="speaker-independent folds need at least"):
            speaker_folds(corpus, wanted)
        return
    if wanted is not None and _units(speakers) < wanted:
        return
    folds = speaker_folds(corpus, wanted)
    _check(corpus, folds)
    if wanted is not None:
        assert len(folds) == wanted
    elif not _pairs(speakers):
        assert len(folds) == min(DEFAULT_FOLDS, _units(speakers))


def _pairs(speakers: dict[str, str]) -> bool:
    """Whether this is IEMOCAP's layout: several sessions of two speakers."""
    sizes = Counter(group or speaker for speaker, group in speakers.items())
    return len(sizes) > 1 and set(sizes.values()) == {2}


@QUICK
@given(speakers=_speakers())
def test_a_session_is_never_on_two_sides_of_a_fold_but_for_pairs(speakers: dict[str, str]) -> None:
    if _pairs(speakers) or _units(speakers) < 3:
        return
    for fold in speaker_folds(_corpus(speakers)):
        sides = (fold.validation_speakers, fold.test_speakers)
        validation, test = ({speakers[one] for one in side} - {""} for side in sides)
        train = {group for speaker, group in speakers.items() if speaker not in (*sides[0], *sides[1])} - {""}
        assert not validation & test
        assert not (validation | test) & train


def test_emodb_has_ten_folds_of_eight_one_and_one() -> None:
    corpus = _corpus(dict.fromkeys(SPEAKERS, ""), folds=CORPUS.folds)
    folds = speaker_folds(corpus)
    _check(corpus, folds)
    assert [fold.test_speakers for fold in folds] == [(speaker,) for speaker in SPEAKERS]
    assert [fold.validation_speakers for fold in folds] == [(speaker,) for speaker in (*SPEAKERS[1:], SPEAKERS[0])]
    assert all(len(fold.train) == 8 * len(EMOTIONS) for fold in folds)


def test_sessions_of_two_take_turns_as_in_iemocap() -> None:
    corpus = _corpus({f"{session}{sex}": f"Ses0{session}" for session in range(1, 6) for sex in "FM"})
    folds = speaker_folds(corpus)
    _check(corpus, folds)
    assert [(*fold.validation_speakers, *fold.test_speakers) for fold in folds] == [
        pair for session in range(1, 6) for pair in ((f"{session}F", f"{session}M"), (f"{session}M", f"{session}F"))
    ]


def test_a_number_of_folds_keeps_sessions_whole() -> None:
    corpus = _corpus({f"{session}{sex}": f"Ses0{session}" for session in range(1, 6) for sex in "FM"})
    folds = speaker_folds(corpus, 5)
    _check(corpus, folds)
    assert [fold.test_speakers for fold in folds] == [(f"{session}F", f"{session}M") for session in range(1, 6)]


def test_without_a_number_there_are_as_many_folds_as_sessions_up_to_five() -> None:
    corpus = _corpus({f"{session}{letter}": f"session {session}" for session in range(4) for letter in "abc"})
    folds = speaker_folds(corpus)
    _check(corpus, folds)
    assert len(folds) == 4


def test_a_speaker_without_a_session_is_held_out_too() -> None:
    corpus = _corpus({"a": "one", "b": "one", "c": "two", "d": "", "e": ""})
    folds = speaker_folds(corpus)
    _check(corpus, folds)
    assert [fold.test_speakers for fold in folds] == [("a", "b"), ("c",), ("d",), ("e",)]


def test_a_speaker_in_two_sessions_is_refused() -> None:
    corpus = _corpus({"a": "one", "b": "two", "c": "three"}, extra=(("a", "two", "joy"),))
    with pytest.raises(CorpusError, match="speaker 'a' is in the sessions 'one' and 'two'; expected one session a"):
        speaker_folds(corpus)


def test_five_folds_are_the_default() -> None:
    assert len(speaker_folds(_corpus({f"s{number}": "" for number in range(12)}))) == DEFAULT_FOLDS
    assert len(speaker_folds(_corpus({f"s{number}": "" for number in range(4)}))) == 4


@pytest.mark.parametrize(
    ("speakers", "folds", "message"),
    [
        (
            {"a": "", "b": ""},
            None,
            r"corpus made has 2 speaker\(s\) \(a, b\); 3 speaker-independent folds need at least",
        ),
        (
            {"a": "", "b": "", "c": ""},
            4,
            r"has 3 speaker\(s\) \(a, b, c\); 4 speaker-independent folds need at least 4",
        ),
        (
            {"a": "x", "b": "x", "c": "x", "d": "y"},
            3,
            r"has 2 session\(s\) \(a, b, c, d\); 3 speaker-independent folds",
        ),
    ],
)
def test_too_few_speakers_are_refused(speakers: dict[str, str], folds: int | None, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        speaker_folds(_corpus(speakers), folds)


def test_a_training_side_without_an_emotion_is_refused() -> None:
    # Only s0 has envy: when s0 is tested or validates, nobody teaches it
    corpus = _corpus({f"s{number}": "" for number in range(5)}, extra=(("s0", "", "envy"),))
    with pytest.raises(CorpusError, match="corpus made, fold 0: no training speaker has emotion 'envy'"):
        speaker_folds(corpus)
