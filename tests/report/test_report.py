"""The numbers of a report's tables and the shares of importance."""

import io
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ser_tune.corpora import Utterance
from ser_tune.metrics import METRICS, Ranking
from ser_tune.report import report
from ser_tune.report.mistakes import LONGEST_S, clip_of, mistakes_of
from ser_tune.report.paper import _table, _tex, latex_of
from ser_tune.report.searched import importances
from ser_tune.report.tables import outputs_of, speakers_of
from ser_tune.report.words import displayed
from ser_tune.resampling import speaker_interval
from ser_tune.tasks import TASKS
from ser_tune.tracking import Predictions
from tests.plugged import DRIFT

UAR = METRICS.get("uar")
LEARNING_RATE = optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
DECAY = optuna.distributions.FloatDistribution(0.0, 1.0)


@pytest.fixture
def predictions() -> Predictions:
    """Ada is right throughout, Bob takes one of two joys for anger, Cyd has anger only and is wrong once in three."""
    rows = [
        *[("ada", 0, 0), ("ada", 1, 1)],
        *[("bob", 0, 0), ("bob", 1, 0), ("bob", 1, 1)],
        *[("cyd", 0, 0), ("cyd", 0, 1), ("cyd", 0, 0)],
    ]
    speakers, truth, predicted = zip(*rows, strict=True)
    return Predictions(
        task=TASKS.get("classification"),
        names=("anger", "joy", "fear"),
        utterances=tuple(str(number) for number in range(len(rows))),
        speakers=speakers,
        truth=np.array(truth),
        predicted=np.array(predicted),
    )


def test_the_hardest_speaker_comes_first_with_the_most_frequent_error(predictions: Predictions) -> None:
    speakers = speakers_of(predictions, UAR, of_classes=True)
    assert [(row.speaker, row.utterances, round(row.score, 3), row.confused) for row in speakers] == [
        ("cyd", 3, 0.667, "anger → joy (1)"),
        ("bob", 3, 0.75, "joy → anger (1)"),
        ("ada", 2, 1.0, ""),
    ]


def test_a_recall_has_the_interval_of_the_speakers_who_have_the_emotion(predictions: Predictions) -> None:
    anger, joy = outputs_of(predictions, UAR)  # nobody is afraid
    assert (anger.name, anger.utterances, anger.value) == ("anger", 5, 0.8)
    assert (joy.name, joy.utterances, round(joy.value, 3)) == ("joy", 3, 0.667)
    # Cyd has no joy: of joy, two speakers are drawn
    two = np.zeros((2, 3, 3), dtype=int)
    two[0, 1, 1], two[1, 1] = 1, (1, 1, 0)
    assert joy.interval == speaker_interval(UAR, two)
    assert joy.interval.low < joy.value < joy.interval.high


def test_where_less_is_better_the_hardest_speaker_has_the_highest_score(predictions: Predictions) -> None:
    speakers = speakers_of(predictions, DRIFT, of_classes=True)
    assert [(row.speaker, round(row.score, 3)) for row in speakers] == [("bob", -0.667), ("cyd", -0.667), ("ada", -1.0)]
    assert {row.confused for row in speakers_of(predictions, DRIFT, of_classes=False)} == {""}
    from ser_tune.report.pictures import _speakers  # a test below wants it not imported

    assert "the highest drift first" in _speakers("test", predictions, DRIFT).caption


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-5, 5)), min_size=1, max_size=20), st.booleans())
def test_the_best_so_far_and_the_front_follow_the_direction(points: list[tuple[float, float]], higher: bool) -> None:
    from ser_tune.report.search_pictures import _front  # draws

    metric = replace(DRIFT, low=-5.0, high=5.0, higher_is_better=higher)
    ranking, best = Ranking(metric), max if higher else min
    scores = [score for _, score in points]
    assert ranking.best_so_far(scores) == [best(scores[: end + 1]) for end in range(len(scores))]
    quickest = sorted(points, key=lambda point: (point[0], -ranking.key(point[1])))
    front = _front(quickest, ranking)
    assert front[0] == quickest[0]
    assert front[-1][1] == best(scores)
    for seconds, score in points:  # some point of the front is as quick and as good
        assert any(time <= seconds and not ranking.is_better(score, other) for time, other in front)


@pytest.mark.slow
def test_pictures_of_names_in_any_script_name_them_in_the_caption(
    predictions: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_tune.drawing.lettering._fonts_for", lambda missing: ((), frozenset()))
    from ser_tune.report.pictures import _outputs, _speakers  # a test below wants it not imported

    renamed = {"ada": "_ada", "bob": "$b$", "cyd": "さくら"}
    read = replace(
        predictions, names=("怒り", "غضب", "_x"), speakers=tuple(renamed[speaker] for speaker in predictions.speakers)
    )
    assert _outputs({"test": read}, UAR, "emotion").caption.endswith(" [1] = 怒り.")
    assert _speakers("test", read, UAR).caption.endswith(" [1] = 怒り, [2] = さくら.")
    assert _outputs({"test": predictions}, UAR, "emotion").names == ""


def _study(scores: list[float], *, confirming: int = 0) -> optuna.Study:
    """A study whose scores depend on the learning rate, and trials of another seed that do not."""
    study = optuna.create_study(direction="maximize")
    for number, score in enumerate(scores):
        study.add_trial(
            optuna.trial.create_trial(
                params={"lr": 10 ** (-1 - 3 * number / len(scores)), "decay": number * 7 % 10 / 10},
                distributions={"lr": LEARNING_RATE, "decay": DECAY},
                user_attrs={"confirms": 0} if number >= len(scores) - confirming else {},
                value=score,
            )
        )
    return study


def test_what_decides_the_score_is_the_most_important() -> None:
    found = importances(_study([number / 20 for number in range(20)]))
    assert list(found) == ["lr", "decay"]
    assert sum(found.values()) == pytest.approx(1.0)
    assert found["lr"] > 0.5


def test_confirmations_do_not_count_for_importance() -> None:
    scores = [number / 20 for number in range(20)]
    assert importances(_study([*scores, 0.0, 1.0], confirming=2)) == importances(
        _study([*scores, 1.0, 0.0], confirming=2)
    )


@pytest.mark.parametrize("scores", [[], [0.5], [0.5] * 8], ids=["none", "one", "equal"])
def test_too_little_tells_nothing_of_importance(scores: list[float]) -> None:
    assert importances(_study(scores)) == {}


@pytest.mark.slow
def test_a_study_is_read_with_the_folds_of_its_trials(first: Any) -> None:
    found = report(first.workspace, "first")
    assert found.search is not None
    assert {number: len(folds) for number, folds in found.search.folds.items()} == {0: 3, 1: 3, 2: 3}
    assert [len(fold) for fold in found.curves["validation_uar"]] == [3, 3, 3]  # epochs of each fold
    assert found.search.summary.best is not None
    assert found.trial == found.search.summary.best[0]
    assert found.curves["validation_uar"][0][-1] == pytest.approx(found.search.folds[found.trial or 0][0], abs=1e-4)


@pytest.mark.slow
def test_tables_of_a_paper_are_read_without_drawing(first: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ser_tune.report.pictures", raising=False)
    latex = latex_of(report(first.workspace, "first"))
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 3
    assert r"speakers & networks & UAR & WA \\" in latex
    assert "validation & 1 & 0." in latex
    assert "test & 1 & 0." in latex
    assert "ser_tune.report.pictures" not in sys.modules


def test_the_utterances_that_most_trials_get_wrong_come_first(predictions: Predictions) -> None:
    other = replace(predictions, predicted=np.array([0, 1, 0, 1, 1, 0, 2, 0]))  # row 6 is wrong as well, and no other
    unlike = replace(other, utterances=tuple("abcdefgh"))
    found = mistakes_of(predictions, [other, unlike])
    assert [(row.utterance, row.speaker, row.wrong, row.trials) for row in found] == [
        ("6", "cyd", 2, 2),
        ("3", "bob", 1, 2),
    ]
    assert (found[0].truth, found[0].predicted, found[0].usual) == ("anger", "joy", "joy")
    assert np.isnan(found[0].probability)


def test_a_clip_is_short_and_can_be_decoded(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=20 * 16_000), 16_000)
    clip = clip_of(Utterance(id="long", path=path, speaker="ada", emotion="joy"))
    assert (clip.seconds, clip.is_whole) == (LONGEST_S, False)
    samples, rate = soundfile.read(io.BytesIO(clip.sound))
    assert rate == 16_000
    assert len(samples) / rate == pytest.approx(LONGEST_S, abs=0.2)
    assert len(clip.sound) < 60_000
    assert clip.spectrogram.startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["[0.5cm] joy", "*joy", "[*]"])
def test_no_name_is_an_argument_of_the_row_before_it(name: str) -> None:
    rows = _table(["emotion", "recall"], [["joy", "1"], [name, "0"]]).splitlines()
    assert not [row for row in rows if row.startswith(("[", "*"))]
    assert f"{{{name[0]}}}{name[1:]} & 0" in rows[-3]


@pytest.mark.parametrize("text", ["}{", "a\\b{", "50% & $x$ #1_2^3~"])
def test_braces_of_tex_stay_in_pairs_whatever_a_name_holds(text: str) -> None:
    escaped = _tex(text)
    depth = 0
    for character in escaped:
        depth += (character == "{") - (character == "}")
        assert depth >= 0
    assert depth == 0
    assert not re.search(r"(?<!\\)[%&#_]|\\[{}]", escaped)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("/home/me/models/whisper-base", "whisper-base"),
        ("openai/whisper-base", "openai/whisper-base"),
        ("./own/", "own"),
    ],
)
def test_a_checkpoints_folder_is_named_without_its_place(value: str, shown: str) -> None:
    assert displayed("features.checkpoint", value) == shown
