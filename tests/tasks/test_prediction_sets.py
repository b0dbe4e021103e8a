"""Prediction sets: their error rate on new speakers, and what they are calibrated by."""

import json
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import NormalisationSettings, SegmentSettings
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS
from ser_tune.prediction import ERROR_RATE, Prediction, Predictor, Recipe
from ser_tune.recordings import stated_sets, within
from ser_tune.tasks import PredictionSets, StatedSets, calibrate_sets
from ser_tune.tracking import open_model
from ser_tune.tracking.package import save_predictor

CALIBRATIONS = 250
"""Simulated calibrations; the standard error of a mean error rate is then below 0.004."""


def _errors(speakers: int, effect: float, error_rate: float, *, guaranteed: bool) -> tuple[float, float]:
    """Mean error rate on new speakers, and that of a limit which takes utterances for independent.

    A rating's distance is normal, with a deviation of the speakers of `effect` and one of the utterances of 1; speakers
    have 5 to 60 utterances.
    """
    rng, spread, found, naive = np.random.default_rng(speakers), np.hypot(effect, 1), [], []
    for _ in range(CALIBRATIONS):
        speaker = np.repeat(np.arange(speakers), rng.integers(5, 60, speakers))
        scores = 50 + rng.normal(0, effect, speakers)[speaker] + rng.normal(0, 1, len(speaker))
        sets = calibrate_sets("dimensions", scores[:, None], np.zeros((len(speaker), 1)), speaker)
        assert sets is not None
        (limit,) = sets.at(error_rate, guaranteed=guaranteed).limits
        found.append(norm.sf(limit - 50, scale=spread))
        naive.append(norm.sf(np.quantile(scores, 1 - error_rate) - 50, scale=spread))
    return float(np.mean(found)), float(np.mean(naive))


@pytest.mark.parametrize(
    ("speakers", "effect", "error_rate"), [(10, 0.0, 0.1), (10, 1.0, 0.1), (10, 1.0, 0.2), (29, 2.0, 0.05)]
)
def test_the_error_rate_on_new_speakers_is_within_two_points_of_the_stated_rate(
    speakers: int, effect: float, error_rate: float
) -> None:
    ours, _ = _errors(speakers, effect, error_rate, guaranteed=False)
    assert ours == pytest.approx(error_rate, abs=0.02)


def test_a_guaranteed_error_rate_is_not_exceeded_where_utterances_taken_for_independent_exceed_it() -> None:
    ours, naive = _errors(10, 3.0, 0.2, guaranteed=True)
    assert ours < 0.2 < naive - 0.02


shown_of_four = st.lists(st.tuples(*[st.floats(0.01, 1)] * 3), min_size=8, max_size=24)


@given(numbers=shown_of_four, seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_limits_depend_on_each_speaker_alike_and_fall_with_the_error_rate(
    numbers: list[tuple[float, ...]], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shown = np.array(numbers)
    shown /= shown.sum(axis=1, keepdims=True)
    truth, speakers = rng.integers(0, 3, len(shown)), np.arange(len(shown)) % 4
    sets = calibrate_sets("classes", shown, truth, speakers)
    assert sets is not None
    assert PredictionSets.from_json(sets.as_json()) == sets
    # Neither the order of the utterances nor how often a speaker's are repeated changes a limit
    order = rng.permutation(np.concatenate([np.arange(len(shown)), *[np.flatnonzero(speakers == 2)] * 3]))
    again = calibrate_sets("classes", shown[order], truth[order], speakers[order])
    assert again is not None
    assert (again.expected, again.guaranteed) == (sets.expected, sets.guaranteed)
    for row in (*sets.expected, *sets.guaranteed):
        limits = [np.inf if limit is None else limit for limit in row]
        assert limits == sorted(limits, reverse=True)
    # Four speakers cannot guarantee less than one error in five
    assert all(limit is None for limit in sets.guaranteed[0][:199])
    with pytest.raises(ConfigError, match="4 calibration speakers are too few"):
        sets.at(0.1, guaranteed=True)


def test_a_set_is_decided_where_it_has_one_class() -> None:
    sets = StatedSets(0.1, np.array([0.7]), "classes")
    assert sets.columns({"joy": 0.25, "anger": 0.75}, "anger") == {"label": "anger", "prediction_set": "anger"}
    assert sets.columns({"joy": 0.4, "anger": 0.6}, "anger") == {"label": "uncertain", "prediction_set": "anger|joy"}
    assert sets.columns(dict.fromkeys("abcd", 0.25), "a") == {"label": "uncertain", "prediction_set": "none"}
    shown = np.array([[0.25, 0.75], [0.4, 0.6], [0.9, 0.1]])
    assert sets.inside(shown).tolist() == [[False, True], [True, True], [True, False]]
    assert sets.covers(shown, np.array([0, 0, 0]))[:, 0].tolist() == [False, True, True]


def test_a_prediction_with_a_set_keeps_what_it_is_based_on() -> None:
    sets = StatedSets(0.1, np.array([0.7]), "classes")
    found = Prediction("a.wav", "anger", {"joy": 0.4, "anger": 0.6}, (), basis="3 recordings of ada")
    assert within(found, sets) == replace(found, label="uncertain", members=("anger", "joy"))


def test_a_set_of_ratings_is_a_range_of_each() -> None:
    sets = StatedSets(0.1, np.array([0.5, 1.0]), "dimensions")
    found = sets.columns({"arousal": 3.0, "valence": 2.0}, "arousal 3.00, valence 2.00")
    assert found == {"arousal_low": 2.5, "arousal_high": 3.5, "valence_low": 1.0, "valence_high": 3.0}
    covered = sets.covers(np.array([[3.0, 2.0]]), np.array([[3.5, 3.1]]))
    assert covered.tolist() == [[True, False]]


@pytest.mark.parametrize("error_rate", [0.0, 0.0009, 0.51, float("nan")])
def test_error_rates_that_are_not_stored_are_refused(error_rate: float) -> None:
    sets = calibrate_sets("classes", np.full((9, 2), 0.5), np.zeros(9, dtype=int), np.arange(9))
    assert sets is not None
    with pytest.raises(ConfigError, match=r"expected 0\.001 to 0\.5"):
        sets.at(error_rate)


def test_other_predictions_have_no_sets() -> None:
    assert calibrate_sets("distributions", np.full((4, 2), 0.5), np.full((4, 2), 0.5), np.arange(4)) is None


def test_a_model_carries_its_sets_and_answers_with_them_in_mlflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = Recipe(
        labels=("anger", "joy"),
        model=ARCHITECTURES.get("light_cnn").settings.model_validate({"width": 0.25}),
        features=FEATURE_SETS.get("logmelspec").settings.model_validate({"n_mels": 32}),
        shape=(1, 32),
        hop_s=0.01,
        segments=SegmentSettings(frames=30),
        normalisation=NormalisationSettings(scope="utterance"),
        aggregation="mean_log_softmax",
    )
    predictor = Predictor(recipe, [recipe.build_network()], [None], folds=["1/2"])
    always = PredictionSets("classes", 9, 90, expected=((1.0,) * 500,), guaranteed=((None,) * 500,))
    save_predictor(predictor, tmp_path / "with", always)
    save_predictor(predictor, tmp_path / "without")
    loaded = open_model(tmp_path / "with")
    assert loaded.prediction_sets == always
    assert stated_sets(loaded, None) is None
    with pytest.raises(ConfigError, match="pass one of them"):
        stated_sets(loaded, 0.1, min_confidence=0.5)
    with pytest.raises(ConfigError, match="the model has no prediction sets"):
        stated_sets(open_model(tmp_path / "without"), 0.1)
    sound = np.random.default_rng(0).normal(0, 0.1, 8000).tolist()
    frame = pd.DataFrame([{"waveform": sound, "sample_rate_hz": 16_000}])
    monkeypatch.setenv(ERROR_RATE, "0.1")
    answer = mlflow.pyfunc.load_model(str(tmp_path / "with")).predict(frame).to_dict("records")[0]
    assert set(answer["prediction_set"].split("|")) == {"anger", "joy"}
    assert answer["label"] == "uncertain"
    assert "prediction_set" not in mlflow.pyfunc.load_model(str(tmp_path / "without")).predict(frame)
    json.dumps(answer)
