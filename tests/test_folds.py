"""Speaker folds: whatever the corpus, nobody is on two sides and everybody is held out exactly once."""

from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser_tune import folds
from ser_tune.corpora import Corpus, Utterance
from ser_tune.corpora.emodb import CORPUS
from ser_tune.errors import CorpusError
from ser_tune.folds import DEFAULT_FOLDS, Fold, Strata, outer_parts, selection_note
from tests.folding import speaker_folds
from tests.made_corpora import made_corpus

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
    return made_corpus(utterances, folds=folds)


def _check(corpus: Corpus, folds: tuple[Fold, ...], *, holdout: Collection[str] = ()) -> None:
    speakers = np.array([one.speaker for one in corpus.utterances])
    everyone = np.flatnonzero(~np.isin(speakers, list(holdout)))
    for number, fold in enumerate(folds):
        assert fold.number == number
        sides = (fold.train, fold.validation, fold.test)
        # Each utterance is on one side, and so is each speaker; those held out are on none
        np.testing.assert_array_equal(np.sort(np.concatenate(sides)), everyone)
        train, validation, test = ({str(one) for one in speakers[side]} for side in sides)
        assert train
        assert validation == set(fold.validation_speakers)
        assert test == set(fold.test_speakers)
        assert not train & validation
        assert not train & test
        assert not validation & test
        assert not (train | validation | test) & set(holdout)
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


@pytest.mark.slow
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


@st.composite
def _held_out(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """Speakers, and some whole sessions of them (and some speakers without one) to hold out."""
    speakers = draw(_speakers())
    units = sorted({group or speaker for speaker, group in speakers.items()})
    out = draw(st.lists(st.sampled_from(units), unique=True, max_size=3))
    return speakers, [speaker for speaker, group in speakers.items() if (group or speaker) in out]


@pytest.mark.slow
@QUICK
@given(drawn=_held_out(), own=st.none() | st.integers(3, 10), data=st.data())
def test_who_is_held_out_is_on_no_side_and_everybody_else_is_tested_once(
    drawn: tuple[dict[str, str], list[str]], own: int | None, data: st.DataObject
) -> None:
    speakers, holdout = drawn
    left = {speaker: group for speaker, group in speakers.items() if speaker not in holdout}
    # A corpus's own number of folds is lowered where holding out leaves fewer speakers, one that is asked for is not
    corpus, wanted = _corpus(speakers, folds=own), data.draw(st.none() | st.integers(3, 6))
    need = wanted or (3 if holdout or own is None else own)
    if _units(left) < need and not (wanted is None and _pairs(left)):
        with pytest.raises(CorpusError, match="speaker-independent folds need at least"):
            speaker_folds(corpus, wanted, holdout=holdout)
        return
    folds = speaker_folds(corpus, wanted, holdout=holdout)
    _check(corpus, folds, holdout=holdout)
    # The order in which speakers are named means nothing, nor does naming one twice
    again = speaker_folds(corpus, wanted, holdout=data.draw(st.permutations([*holdout, *holdout])))
    sides = [[(fold.validation_speakers, fold.test_speakers) for fold in one] for one in (folds, again)]
    assert sides[0] == sides[1]
    # `protocol.fold_limit` takes the first of them: nobody is tested twice
    limit = data.draw(st.integers(1, len(folds)))
    some = np.concatenate([fold.test for fold in folds[:limit]])
    assert len(set(some.tolist())) == len(some)


@pytest.mark.slow
@QUICK
@given(speakers=_speakers(), data=st.data())
def test_a_session_that_is_held_out_in_part_is_refused(speakers: dict[str, str], data: st.DataObject) -> None:
    sizes = Counter(group for group in speakers.values() if group)
    if not (large := sorted(group for group, size in sizes.items() if size > 1)):
        return
    group = data.draw(st.sampled_from(large))
    members = [speaker for speaker in speakers if speakers[speaker] == group]
    holdout = data.draw(st.lists(st.sampled_from(members), min_size=1, max_size=len(members) - 1, unique=True))
    left = ", ".join(sorted(set(members) - set(holdout)))
    with pytest.raises(CorpusError, match=rf"session '{group}' is held out in part; .* so hold out {left} as well"):
        speaker_folds(_corpus(speakers), holdout=holdout)


@pytest.mark.parametrize("holdout", [["nobody"], ["a", "nobody"], ["A"], [""]])
def test_an_unknown_speaker_to_hold_out_is_answered_with_those_there_are(holdout: list[str]) -> None:
    corpus = _corpus(dict.fromkeys("abcde", ""))
    unknown = holdout[-1]
    with pytest.raises(CorpusError, match=f"corpus made has no speaker '{unknown}' to hold out; it has a, b, c, d, e"):
        speaker_folds(corpus, holdout=holdout)


def test_holding_everybody_out_is_refused() -> None:
    with pytest.raises(
        CorpusError, match=r"has 0 speaker\(s\) to fold after holding out a, b, c \(\); 3 speaker-independent"
    ):
        speaker_folds(_corpus(dict.fromkeys("abc", "")), holdout="abc")


def test_holding_speakers_out_of_emodb_leaves_a_fold_for_each_of_the_others() -> None:
    corpus = _corpus(dict.fromkeys(CORPUS.speakers, ""), folds=CORPUS.folds)
    folds = speaker_folds(corpus, holdout=("15", "16"))
    _check(corpus, folds, holdout=("15", "16"))
    assert [fold.test_speakers for fold in folds] == [(speaker,) for speaker in CORPUS.speakers[:8]]


def test_holding_a_session_out_of_iemocap_leaves_the_others_taking_turns() -> None:
    corpus = _corpus({f"{session}{sex}": f"Ses0{session}" for session in range(1, 6) for sex in "FM"}, folds=10)
    folds = speaker_folds(corpus, holdout=("5F", "5M"))
    _check(corpus, folds, holdout=("5F", "5M"))
    assert len(folds) == 8
    assert all(len(fold.validation_speakers) == len(fold.test_speakers) == 1 for fold in folds)


@pytest.mark.slow
@QUICK
@given(speakers=_speakers(), data=st.data())
def test_outer_parts_cover_every_speaker_once_and_keep_sessions_whole(
    speakers: dict[str, str], data: st.DataObject
) -> None:
    corpus, wanted = _corpus(speakers), data.draw(st.none() | st.integers(3, 6))
    if _units(speakers) < (wanted or 3) and not (wanted is None and _pairs(speakers)):
        return
    folds = speaker_folds(corpus, wanted)
    parts = outer_parts(corpus, folds)
    assert sorted(speaker for part in parts for speaker in part) == sorted(speakers)
    assert len({frozenset(part) for part in parts}) == len(parts)
    for part in parts:
        groups = {speakers[speaker] for speaker in part} - {""}
        assert {speaker for speaker, group in speakers.items() if group in groups} <= set(part)
    # Any of them can be held out, if enough speakers are left to fold
    out = data.draw(st.sampled_from(parts))
    left = {speaker: group for speaker, group in speakers.items() if speaker not in out}
    if _units(left) >= 3:
        _check(corpus, speaker_folds(corpus, holdout=out), holdout=out)


def test_outer_parts_by_hand() -> None:
    pairs = _corpus({f"{session}{sex}": f"Ses0{session}" for session in range(1, 4) for sex in "FM"})
    assert outer_parts(pairs, speaker_folds(pairs)) == [("1F", "1M"), ("2F", "2M"), ("3F", "3M")]
    alone = _corpus(dict.fromkeys("abcdefg", ""))
    assert outer_parts(alone, speaker_folds(alone)) == [("a", "b"), ("c", "d"), ("e",), ("f",), ("g",)]
    # Of some of the folds, the speakers that they test
    assert outer_parts(alone, speaker_folds(alone)[:2]) == [("a", "b"), ("c", "d")]


def test_emodb_has_ten_folds_of_eight_one_and_one() -> None:
    corpus = _corpus(dict.fromkeys(CORPUS.speakers, ""), folds=CORPUS.folds)
    folds = speaker_folds(corpus)
    _check(corpus, folds)
    assert [fold.test_speakers for fold in folds] == [(speaker,) for speaker in CORPUS.speakers]
    assert [fold.validation_speakers for fold in folds] == [
        (speaker,) for speaker in (*CORPUS.speakers[1:], CORPUS.speakers[0])
    ]
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
            r"corpus made has 2 speaker\(s\) to fold \(a, b\); 3 speaker-independent folds need at least",
        ),
        (
            {"a": "", "b": "", "c": ""},
            4,
            r"has 3 speaker\(s\) to fold \(a, b, c\); 4 speaker-independent folds need at least 4",
        ),
        (
            {"a": "x", "b": "x", "c": "x", "d": "y"},
            3,
            r"has 2 session\(s\) to fold \(a, b, c, d\); 3 speaker-independent folds",
        ),
    ],
)
def test_too_few_speakers_are_refused(speakers: dict[str, str], folds: int | None, message: str) -> None:
    with pytest.raises(CorpusError, match=message):
        speaker_folds(_corpus(speakers), folds)


def test_a_training_side_without_an_emotion_is_refused() -> None:
    # Only s0 has envy: when s0 is tested or validates, nobody teaches it
    corpus = _corpus({f"s{number}": "" for number in range(5)}, extra=(("s0", "", "envy"),))
    with pytest.raises(CorpusError, match="corpus made, fold 0: no training utterance has emotion 'envy'"):
        speaker_folds(corpus)


def test_a_training_side_without_a_stratum_is_refused_by_the_name_of_the_task_for_it() -> None:
    corpus = _corpus({f"s{number}": "" for number in range(5)})
    strata = ["high" if one.speaker == "s0" else "low" for one in corpus.utterances]
    with pytest.raises(CorpusError, match="corpus made, fold 0: no training utterance has level 'high'"):
        folds.speaker_folds(corpus, strata=Strata(strata, "level"))


# Text-independent folds


def test_test_scores_are_free_of_the_selection_only_where_no_test_speaker_validates() -> None:
    folds = speaker_folds(_corpus(dict.fromkeys("abcdef", "")), 6)
    claim = "validation speakers of one fold are test speakers of another, so test scores are not free of the selection"
    assert selection_note(folds).startswith(claim)
    assert selection_note(folds).endswith("numbers for comparison come from --nested or --holdout")
    assert selection_note(folds[:1]).endswith("so test scores are free of the selection")
