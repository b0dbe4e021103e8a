"""Rows of a model's answers: names, numbers, scales and errors."""

from typing import Any

import numpy as np
import pytest

from ser_tune.cli.printing.answers import Answers
from ser_tune.tasks import TASKS, Task


class Model:
    """What `Answers` reads of a loaded model."""

    def __init__(self, task: str, labels: tuple[str, ...], **known: Any) -> None:
        self.task: Task = TASKS.get(task)
        self.labels = labels
        self.scales: dict[str, tuple[float, float]] = known.get("scales", {})
        self.errors: dict[str, float] = known.get("errors", {})


def _answers(model: Model, **form: bool) -> Answers:
    return Answers(model, **form)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "named"), [("classification", "emotion"), ("distribution", "emotion"), ("multilabel", "emotions")]
)
def test_named_answers_come_before_the_number_of_each_emotion(task: str, named: str) -> None:
    answers = _answers(Model(task, ("anger", "joy")), with_errors=True)
    assert answers.columns == answers.titles == ("file", named, "anger", "joy")
    row = answers.row("a.wav", "joy", {"anger": 0.25, "joy": 0.75})
    assert row == {"file": "a.wav", named: "joy", "anger": 0.25, "joy": 0.75}
    assert answers.cells(row) == ["a.wav", "joy", "0.250", "0.750"]
    assert answers.note == ""


def test_ratings_are_the_answer_and_have_their_scale_and_error() -> None:
    known: Any = {"scales": {"arousal": (1.0, 5.0)}, "errors": {"arousal": 0.456, "valence": 0.5}}
    model = Model("dimensions", ("arousal", "valence"), **known)
    answers = _answers(model, with_errors=True)
    assert answers.columns == ("file", "arousal", "valence", "arousal_error", "valence_error")
    assert answers.titles == ("file", "arousal (1 to 5)", "valence")
    row = answers.row("a.wav", "arousal 3.41, valence 2.10", {"arousal": 3.412, "valence": 2.1})
    assert list(row) == list(answers.columns)
    assert answers.cells(row) == ["a.wav", "3.41 ± 0.46", "2.10 ± 0.50"]
    assert "validation speakers" in answers.note
    parts = _answers(model, timed=True)
    part = parts.row("a.wav", "", {"arousal": 3.412, "valence": 2.1}, start_s=0.5, end_s=1.23456)
    assert list(part.values()) == ["a.wav", 0.5, 1.235, 3.412, 2.1]
    assert parts.cells(part) == ["a.wav", "0.500", "1.235", "3.41", "2.10"]


def test_the_error_of_each_rating_is_that_of_the_validation_utterances() -> None:
    truth, predicted = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 5.0], [2.0, 0.0]])
    assert TASKS.get("dimensions").errors(truth, predicted, 2) == pytest.approx((0.5**0.5, 12.5**0.5))
    assert TASKS.get("distribution").errors(truth, predicted, 2) == ()
