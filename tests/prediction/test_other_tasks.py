"""Predictors of another task than one emotion of several: a decision that is not the most probable class."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.features import FEATURE_SETS
from ser_tune.prediction import Committee, Prediction, Predictor, Recipe, SegmentPrediction, load_predictor
from ser_tune.tasks import TASKS
from ser_tune.tracking import LoadedModel
from tests.ranks import NAMES

pytestmark = pytest.mark.usefixtures("ranks")


def _recipe(task: str, frames: int = 20) -> Recipe:
    return Recipe(
        labels=NAMES,
        model=ARCHITECTURES.get("light_cnn").settings.model_validate({"width": 0.25, "networks": 2}),
        features=FEATURE_SETS.get("logmelspec").settings.model_validate({"n_mels": 16}),
        shape=(1, 16),
        hop_s=0.01,
        segments=SegmentSettings(frames=frames),
        normalisation=NormalisationSettings(scope="utterance"),
        aggregation="mean_log_softmax",
        task=task,
    )


def _predictor(task: str, seed: int = 0) -> Predictor:
    recipe = _recipe(task)
    torch.manual_seed(seed)
    return Predictor(recipe, [recipe.build_network() for _ in range(2)], [None, None])


def _predictions(predictor: Predictor | Committee) -> list[Prediction]:
    noise = np.random.default_rng(5).normal(0.0, 0.1, size=(8, 8000)).cumsum(axis=1) * 0.01
    return predictor.predict([*noise], sample_rate_hz=16_000)


def _refuse_other_decisions(predictions: list[Prediction]) -> None:
    expected = [np.array([*one.probabilities.values()]) @ np.arange(3) for one in predictions]
    assert [one.label for one in predictions] == [NAMES[round(one)] for one in expected]
    likeliest = [max(one.probabilities, key=lambda name: one.probabilities[name]) for one in predictions]
    assert [one.label for one in predictions] != likeliest


def test_predictors_and_committees_decide_as_their_task_does() -> None:
    for predictor in (_predictor("ranks", 6), Committee([_predictor("ranks", seed) for seed in (6, 7)])):
        _refuse_other_decisions(_predictions(predictor))


def test_a_stored_predictor_remembers_its_task(tmp_path: Path) -> None:
    predictor = _predictor("ranks")
    predictor.save(tmp_path)
    stored = load_predictor(tmp_path)
    assert stored.recipe == predictor.recipe
    assert _predictions(stored) == _predictions(predictor)


@pytest.mark.parametrize(("task", "number"), [("dimensions", "rating"), ("multilabel", "score")])
def test_numbers_that_are_no_probabilities_are_not_called_so(tmp_path: Path, task: str, number: str) -> None:
    aggregation = TASKS.get(task).aggregations[0]
    recipe = replace(_recipe(task), aggregation=aggregation, scales=((1.0, 5.0),) * 3, errors=(0.5, 0.25, 1.0))
    torch.manual_seed(0)
    members = [Predictor(recipe, [recipe.build_network()], [None]) for _ in range(2)]
    Committee(members).save(tmp_path)
    together = load_predictor(tmp_path)
    assert together.recipe == recipe
    alone = [_predictions(member) for member in members]
    for both, *each in zip(_predictions(together), *alone, strict=True):
        mean = {name: np.mean([prediction.numbers[name] for prediction in each]) for name in NAMES}
        assert both.numbers == pytest.approx(mean)
        assert (both.number, both.label) == (number, TASKS.get(task).labels(np.array([list(mean.values())]), NAMES)[0])
        with pytest.raises(AttributeError, match=f"a prediction of {number}s has no probabilities; read `numbers`"):
            _ = both.probabilities


def test_a_loaded_combination_has_the_scale_and_the_mean_of_the_errors_of_its_members() -> None:
    recipes = [
        replace(_recipe("dimensions"), scales=((1.0, 7.0),) * 3, errors=errors) for errors in ((1, 2, 3), (3, 2, 5))
    ]
    loaded = LoadedModel(Committee([Predictor(recipe, [], []) for recipe in recipes]))  # type: ignore[arg-type]
    assert loaded.errors == dict(zip(NAMES, (2.0, 2.0, 4.0), strict=True))
    assert loaded.scales == dict.fromkeys(NAMES, (1.0, 7.0))


def test_predictions_of_an_older_copy_of_the_program_have_numbers() -> None:
    older = SimpleNamespace(
        source="a.wav",
        label="joy",
        probabilities={"joy": 1.0},
        segments=(SimpleNamespace(start_s=0.0, end_s=1.0, probabilities={"joy": 1.0}),),
    )
    predictor: Any = SimpleNamespace(
        predict_heard=lambda heard: [older], recipe=SimpleNamespace(labels=("joy",)), labels=("joy",)
    )
    loaded = LoadedModel(predictor)
    segment = SegmentPrediction(0.0, 1.0, {"joy": 1.0})
    assert loaded.predict_heard([]) == [Prediction("a.wav", "joy", {"joy": 1.0}, (segment,))]
    assert (loaded.scales, loaded.errors) == ({}, {})


def test_recipes_of_classification_are_as_version_0_1_wrote_them() -> None:
    written = json.loads(_recipe("classification").as_json())
    assert list(written) == [
        *("labels", "shape", "hop_s", "aggregation"),
        *("model", "features", "segments", "normalisation"),
    ]
    assert Recipe.from_json(json.dumps(written)).task == "classification"
