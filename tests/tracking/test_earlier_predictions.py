"""Predictions of a model that an earlier version registered: its own copy of the program has fewer fields."""

from dataclasses import dataclass, make_dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from ser_tune.prediction import Prediction
from ser_tune.tracking import LoadedModel

Earlier = make_dataclass("Earlier", ["source", "label", "numbers", "segments", "number"])
Earliest = make_dataclass("Earliest", ["source", "label", "probabilities", "segments"])


@dataclass
class Predictor:
    """Answers with what it was given."""

    found: Any
    recipe: Any = None

    def predict(self, audio: Any, *, sample_rate_hz: int | None) -> list[Any]:
        """The same for every utterance."""
        return [self.found]


@pytest.mark.parametrize("kind", [Earlier, Earliest])
def test_they_are_predictions_of_this_version(kind: type[Any]) -> None:
    name = "numbers" if kind is Earlier else "probabilities"
    part = SimpleNamespace(start_s=0.0, end_s=1.0, **{name: {"joy": 0.75}})
    given = {"source": "a.wav", "label": "joy", name: {"joy": 0.75}, "segments": (part,)}
    found = kind(**given, **({"number": "rating"} if kind is Earlier else {}))
    (ours,) = LoadedModel(Predictor(found)).predict(["a.wav"])
    assert type(ours) is Prediction
    assert (ours.numbers, ours.segments[0].numbers) == ({"joy": 0.75}, {"joy": 0.75})
    assert ours.number == ("rating" if kind is Earlier else "probability")
    assert replace(ours, basis="causal").basis == "causal", "fields of this version can be filled"
