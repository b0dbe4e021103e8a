"""What the words alone score: by hand, in a protocol, and beside a study's scores."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_tune.audit import SoundlessScore, speaker_baseline, text_baseline
from ser_tune.corpora import Annotation, Corpus, Utterance
from ser_tune.definition import targets_of
from ser_tune.folds import Fold
from ser_tune.metrics import METRICS
from ser_tune.project import Project
from ser_tune.protocol import Prepared, Protocol
from ser_tune.resampling import Interval
from ser_tune.search import run_study
from ser_tune.tasks import DEFAULT_TASK, TASKS, Targets
from tests.folding import speaker_folds, text_independent_folds
from tests.made_corpora import made_corpus

TASK = TASKS.get(DEFAULT_TASK)
Rows = list[dict[str, str]]
WARNING = (
    "text leakage: a guess from the training labels of each text, without any sound, scores UAR 1.000, chance 0.500; "
    "a score of this corpus may come from the words"
)


def _corpus(rows: Sequence[tuple[str, str, str]]) -> Corpus:
    """Utterances of (speaker, emotion, text)."""
    utterances = tuple(
        Utterance(id=f"{number:04d}", path=Path("none.wav"), speaker=speaker, emotion=emotion, text=text)
        for number, (speaker, emotion, text) in enumerate(rows)
    )
    return made_corpus(utterances)


def _targets(corpus: Corpus) -> Targets:
    return TASK.targets(None, corpus.utterances)


def _baseline(corpus: Corpus, folds: Sequence[Fold]) -> SoundlessScore | None:
    return text_baseline(corpus.utterances, folds, _targets(corpus), task=TASK)


def _by_hand(test: Sequence[tuple[str, str]]) -> SoundlessScore:
    """The baseline of a fold that tests one speaker's (emotion, text) after training on fixed ones."""
    train = [
        *[("anger", "one")] * 2,
        ("joy", "one"),
        # A tie, which joy wins: it is more frequent in the whole
        ("anger", "two"),
        ("joy", "two"),
        *[("joy", "")] * 3,
        # A tie of two that are equally frequent in the whole, which their order decides
        ("fear", "three"),
        ("neutral", "three"),
    ]
    corpus = _corpus([("a", *one) for one in train] + [("b", *one) for one in test])
    ours, nobody = np.arange(len(train)), np.arange(0)
    fold = Fold(0, (), ("b",), train=ours, validation=nobody, test=len(train) + np.arange(len(test)))
    found = _baseline(corpus, [fold])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "emotion"),
    [("one", "anger"), ("two", "joy"), ("three", "fear"), ("never trained on", "joy"), ("", "joy")],
)
def test_a_text_gets_its_most_frequent_emotion_in_training(text: str, emotion: str) -> None:
    for truth in ("anger", "fear", "joy", "neutral"):
        assert _by_hand([(truth, text)]).value == (truth == emotion)


def test_the_score_is_the_pooled_uar_and_chance_is_that_of_the_emotions_that_occur() -> None:
    found = _by_hand([("anger", "one"), ("anger", "two"), ("joy", "two"), ("joy", "")])
    assert (found.value, found.chance) == ((1 / 2 + 2 / 2) / 2, 1 / 2)
    assert str(found) == "UAR 0.750, chance 0.500"  # one speaker has no interval
    assert found.above_chance


def test_texts_that_every_speaker_speaks_in_every_emotion_tell_nothing() -> None:
    corpus = _corpus([(speaker, emotion, text) for speaker in "abcd" for emotion in ("fear", "joy") for text in "xy"])
    found = _baseline(corpus, speaker_folds(corpus))
    assert found is not None
    assert (found.value, found.above_chance, found.facts) == (0.5, False, {})


def test_without_texts_there_is_no_baseline() -> None:
    corpus = _corpus([(speaker, emotion, "") for speaker in "abc" for emotion in ("fear", "joy")])
    assert _baseline(corpus, speaker_folds(corpus)) is None


@pytest.mark.parametrize(("low", "above"), [(0.26, True), (0.24, False)])
def test_an_interval_must_lie_above_chance_as_a_whole(low: float, above: bool) -> None:
    found = SoundlessScore(metric=METRICS.get("uar"), value=0.3, interval=Interval(low, 0.4), chance=0.25)
    assert found.above_chance == above
    assert found.facts == ({"text_baseline": "UAR 0.300, chance 0.250"} if above else {})
    assert str(found) == f"UAR 0.300 [{low:.3f}, 0.400], chance 0.250"


def _rated(rows: Sequence[tuple[str, str, float]]) -> Corpus:
    """Utterances of (speaker, text, arousal)."""
    corpus = _corpus([(speaker, "", text) for speaker, text, _ in rows])
    annotations = [Annotation(dimensions=(("arousal", rating),)) for _, _, rating in rows]
    pairs = zip(corpus.utterances, annotations, strict=True)
    return replace(corpus, utterances=tuple(replace(spoken, annotation=own) for spoken, own in pairs))


def test_a_number_gets_the_mean_of_its_text_in_training() -> None:
    trained = [("a", "calm", 1.0), ("a", "calm", 2.0), ("a", "wild", 5.0), ("a", "", 4.0)]
    corpus = _rated([*trained, ("b", "calm", 1.0), ("b", "wild", 5.0), ("b", "new", 4.0)])
    task = TASKS.get("dimensions")
    targets = task.targets(task.settings(name="dimensions"), corpus.utterances)
    fold = Fold(0, (), ("b",), train=np.arange(4), validation=np.arange(0), test=np.arange(4, 7))
    found = text_baseline(corpus.utterances, [fold], targets, task=task)
    assert found is not None
    # Of a text that training lacks, and where no text is known, the mean of all training targets
    expected = task.metric("ccc").score(targets.values[4:], np.array([[1.5], [5.0], [3.0]]), 1)
    assert (found.metric.name, found.value, found.chance) == ("ccc", pytest.approx(expected, abs=1e-3), 0.0)
    assert found.above_chance
    speaker = speaker_baseline(corpus.utterances, [fold], targets, task=task)
    assert speaker is not None
    assert (speaker.value, speaker.above_chance) == (0.0, False)  # a constant


def test_shares_and_sets_have_baselines_too() -> None:
    votes = {"a": (("joy", 3),), "b": (("fear", 1), ("joy", 1)), "c": (("fear", 2),)}
    corpus = _corpus([(speaker, "", text) for speaker in votes for text in "xy"])
    corpus = replace(
        corpus,
        utterances=tuple(
            replace(spoken, annotation=Annotation(votes=votes[spoken.speaker], annotators=3))
            for spoken in corpus.utterances
        ),
    )
    folds = [
        Fold(number, (), (name,), train=np.delete(np.arange(6), own), validation=np.arange(0), test=own)
        for number, (name, own) in enumerate(zip("abc", np.arange(6).reshape(3, 2), strict=True))
    ]
    for name, chance in (("distribution", "JSD"), ("multilabel", "macro-F1")):
        task = TASKS.get(name)
        targets = task.targets(task.settings(name=name), corpus.utterances)
        speaker = speaker_baseline(corpus.utterances, folds, targets, task=task)
        text = text_baseline(corpus.utterances, folds, targets, task=task)
        assert speaker is not None
        assert text is not None
        perfect = 1.0 if speaker.metric.higher_is_better else 0.0
        assert speaker.value == pytest.approx(perfect, abs=1e-3)  # speakers differ, and their utterances do not
        assert speaker.above_chance
        assert str(text).startswith(chance)
        assert (text.value, text.above_chance) == (pytest.approx(text.chance, abs=1e-3), False)


def test_a_speaker_gets_the_most_frequent_of_its_own_emotions() -> None:
    emotions = {"a": ["joy", "joy", "fear"], "b": ["fear", "fear", "joy"], "c": ["joy", "fear", "joy"]}
    corpus = _corpus([(speaker, emotion, "") for speaker, own in emotions.items() for emotion in own])
    found = speaker_baseline(corpus.utterances, speaker_folds(corpus), _targets(corpus), task=TASK)
    assert found is not None
    assert (found.value, found.chance) == ((4 / 5 + 2 / 4) / 2, 1 / 2)


# In a study


def _speak(text: Callable[[dict[str, str]], str]) -> Callable[[Path, Rows], None]:
    def edit(folder: Path, rows: Rows) -> None:
        for row in rows:
            row["text"] = text(row)

    return edit


def _number(row: dict[str, str]) -> str:
    """Of a recording such as `ada_joy_1.wav`: the same two texts in both emotions."""
    return row["path"].removesuffix(".wav")[-1]


@pytest.mark.slow
def test_a_study_tells_the_baseline_and_warns_where_the_words_tell_the_emotion(
    study: Callable[..., Prepared], project: Project, recorder: Any
) -> None:
    prepared = study(_speak(lambda row: row["emotion"] + _number(row)))
    assert prepared.protocol.warnings == (WARNING,)
    assert run_study(prepared, project, recorder).complete == 1
    assert recorder.started[0].notes == ["text-only baseline: UAR 1.000, chance 0.500", WARNING]


def test_words_that_tell_nothing_leave_the_fingerprint_and_warn_of_nothing(
    study: Callable[..., Prepared], tmp_path: Path
) -> None:
    silent, spoken = study(_speak(lambda row: "")), study(_speak(_number))
    assert (silent.notes, spoken.notes) == ([], ["text-only baseline: UAR 0.500, chance 0.500"])
    assert spoken.protocol.warnings == ()
    assert spoken.protocol.fingerprint == silent.protocol.fingerprint


def test_text_independent_folds_of_other_texts_are_another_protocol(tiny: Callable[..., Any]) -> None:
    definition = tiny(**{"protocol.text_independent": True})

    def of(texts: str) -> Protocol:
        corpus = _corpus(
            [(speaker, emotion, text) for speaker in "abc" for emotion in ("fear", "joy") for text in texts]
        )
        folds = text_independent_folds(corpus, speaker_folds(corpus))
        return Protocol.of(definition, corpus, targets_of(definition, corpus), folds)

    assert [one.path for one in of("wxyz").differences(of("wxzy"))] == ["texts"]


def test_a_fact_of_nothing_to_warn_of_has_no_warning() -> None:
    assert Protocol(facts={"corpus": "emodb"}).warnings == ()
