"""Predictors of another task than one emotion of several: a decision that is not the most probable class."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.features import FEATURE_SETS
from ser_tune.prediction import Committee, Prediction, Predictor, Recipe, load_predictor
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


def test_recipes_of_classification_are_as_version_0_1_wrote_them() -> None:
    written = json.loads(_recipe("classification").as_json())
    assert list(written) == [
        *("labels", "shape", "hop_s", "aggregation"),
        *("model", "features", "segments", "normalisation"),
    ]
    assert Recipe.from_json(json.dumps(written)).task == "classification"
