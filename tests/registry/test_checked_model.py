"""A model's numbers beside thresholds: what is measured, what passes, and which files of tests are refused."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ser_tune.config import ModelTests, read_model_tests
from ser_tune.errors import ConfigError
from ser_tune.features import Condition
from ser_tune.metrics import METRICS, reliability
from ser_tune.registry import CheckedNumber, JudgedUtterances, check_numbers, refuse_unknown_tests
from ser_tune.registry.checked_model import failed_in_words
from ser_tune.resampling import Interval
from ser_tune.search import SHIPPED
from ser_tune.tasks import TASKS

RNG = np.random.default_rng(3)
SPEAKERS = np.repeat(np.arange(6), 10)
TRUTH = RNG.integers(0, 2, 60)
SHOWN = np.clip(np.eye(2)[TRUTH] * 0.5 + RNG.dirichlet([1, 1], 60) * 0.5, 0.01, None)
UTTERANCES: Any = [
    SimpleNamespace(
        speaker=f"s{number}",
        path=Path("a.wav"),
        speech=lambda: np.zeros(16_000, dtype=np.float32),
        group="",
        style="",
        text="",
        split="",
        attributes=(("gender", "female" if number % 2 else "male"),),
        gender="",
    )
    for number in SPEAKERS
]


def _judged(**more: Any) -> JudgedUtterances:
    task = TASKS.get("classification")

    def in_condition(condition: Condition) -> np.ndarray | None:
        if condition.babble:
            return None
        wrong = {"white noise 0 dB": 30, "white noise 10 dB": 10}.get(condition.name, 0)
        return np.where(np.arange(60) < wrong, 1 - TRUTH, TRUTH)

    given: dict[str, Any] = {
        "task": task,
        "metrics": [METRICS.get("uar"), METRICS.get("wa")],
        "names": ("anger", "joy"),
        "truth": TRUTH,
        "shown": SHOWN,
        "predicted": TRUTH,
        "utterances": UTTERANCES,
        "in_condition": in_condition,
        "model": SimpleNamespace(predict_heard=lambda heard: heard),
        "size_bytes": 3_000_000,
    }
    return JudgedUtterances(**(given | more))


def _checked(tests: dict[str, Any], **more: Any) -> dict[str, CheckedNumber]:
    return {number.title: number for number in check_numbers(ModelTests.model_validate(tests), _judged(**more))}


def test_scores_parts_and_gaps_are_those_of_the_utterances() -> None:
    predicted = np.where(SPEAKERS == 0, 0, TRUTH)
    found = _checked(
        {"scores": {"wa": 0.9, "uar": 0.99}, "parts": {"recall": 0.5}, "gaps": {"gender": 0.05, "room": 1}},
        predicted=predicted,
    )
    accuracy = float((predicted == TRUTH).mean())
    assert found["scores wa"].value == pytest.approx(accuracy)
    assert found["scores wa"].margin == pytest.approx(accuracy - 0.9)
    assert (found["scores wa"].passed, found["scores uar"].passed) == (accuracy >= 0.9, False)
    assert found["scores wa"].interval.known
    joy = float((predicted == 1)[TRUTH == 1].mean())
    assert (found["parts recall"].value, found["parts recall"].detail) == (pytest.approx(joy), "joy")
    male = np.array([number % 2 == 0 for number in SPEAKERS])
    gap = 1 - METRICS.get("uar").score(TRUTH[male], predicted[male], 2)
    assert found["gaps gender"].value == pytest.approx(gap)
    assert found["gaps gender"].detail == "female and male"
    # A number that cannot be measured fails
    assert (found["gaps room"].value, found["gaps room"].passed) == (None, False)


def test_losses_are_of_a_condition_of_the_worst_of_its_kind_and_of_the_mean_of_all() -> None:
    found = _checked({"stress": {"white noise 10 dB": 0.5, "white noise": 0.4, "babble": 1, "mean": 0.1, "worst": 0.9}})
    ten, none = found["stress white noise 10 dB"], found["stress white noise"]
    assert 0 < ten.value < none.value  # type: ignore[operator]
    assert none.detail == "white noise 0 dB"
    assert found["stress worst"].value == none.value
    assert found["stress mean"].value == pytest.approx((ten.value + none.value) / 22)  # type: ignore[operator]
    assert found["stress mean"].detail == "of 22 conditions"
    assert found["stress babble"].value is None


def test_a_loss_is_positive_where_less_is_better_too() -> None:
    ratings = RNG.uniform(1, 5, (60, 1))
    found = _checked(
        {"stress": {"GSM": 0.1}, "scores": {"mae": 0.2, "uar": 0.5}, "calibration_error": 0.1},
        task=TASKS.get("dimensions"),
        metrics=[METRICS.get("mae")],
        names=("arousal",),
        truth=ratings,
        shown=ratings,
        predicted=ratings,
        in_condition=lambda condition: ratings + 0.25,
    )
    assert found["stress GSM"].value == pytest.approx(0.25)
    assert not found["stress GSM"].passed
    assert found["scores mae"].passed
    assert not found["scores mae"].at_least
    assert found["scores uar"].detail.startswith("it is no metric of")
    assert found["calibration_error"].value is None


def test_calibration_time_and_size_have_a_highest_value() -> None:
    tests = {"calibration_error": 0.9, "seconds_per_second": 0.5, "size_mb": 2.9}
    found = _checked(tests)
    shown = SHOWN / SHOWN.sum(axis=1, keepdims=True)
    assert found["calibration_error"].value == pytest.approx(reliability(shown, TRUTH).ece)
    assert found["seconds_per_second"].passed
    assert (found["size_mb"].value, found["size_mb"].margin) == (3.0, pytest.approx(-0.1))


def test_a_bound_is_the_worse_end_of_the_interval() -> None:
    at_least = CheckedNumber("scores", "wa", 0.5, True, 0.6, Interval(0.4, 0.8), by_bound=True)
    at_most = CheckedNumber("gaps", "gender", 0.5, False, 0.4, Interval(0.1, 0.7), by_bound=True)
    unknown = CheckedNumber("size_mb", "size_mb", 0.5, False, 0.4, by_bound=True)
    assert [number.compared for number in (at_least, at_most, unknown)] == [0.4, 0.7, 0.4]
    assert [number.passed for number in (at_least, at_most, unknown)] == [False, False, True]
    told = failed_in_words([at_least, at_most, unknown])
    assert told == "scores wa 0.4000, expected at least 0.5; gaps gender 0.7000, expected at most 0.5"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scores: {uarr: 0.7}", "scores has 'uarr'; expected one of: .*did you mean 'uar'"),
        ("parts: {recal: 0.7}", "parts has 'recal'.*did you mean 'recall'"),
        ("stress: {rain: 0.1}", "stress has 'rain'; expected one of: mean, worst, white noise"),
        ("scores: {uar: high}", "is 'high'; input should be a valid number"),
        ("stres: {mean: 1}", "unknown key 'stres'.*did you mean 'stress'"),
        ("gaps: {gender: -1}", "greater than or equal to 0"),
        ("size_mb: .nan", "size_mb"),
        ("judged_by: bound", "has no tests"),
        ("judged_by: luck\nsize_mb: 1", "judged_by is 'luck'"),
        ("", "has no tests"),
        ("- a", "has no tests"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_file_that_is_no_tests_is_refused_by_its_name(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=told) as refused:
        refuse_unknown_tests(read_model_tests(file), file)
    assert str(file) in str(refused.value)


def test_a_file_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_model_tests(tmp_path / "no.yaml")


def test_the_shipped_files_of_tests_can_be_used() -> None:
    files = sorted((SHIPPED / "gates").glob("*.yaml"))
    assert files
    for file in files:
        refuse_unknown_tests(read_model_tests(file), file)
