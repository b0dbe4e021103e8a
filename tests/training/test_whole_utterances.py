"""Training on whole utterances: it learns, it repeats, and a predictor judges as training did."""

import math
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import TrialConfig, nest, validated
from ser_tune.errors import ConfigError
from ser_tune.features import FEATURE_SETS, FeatureStore
from ser_tune.prediction import Predictor, UtteranceFeatures
from ser_tune.training import LOSSES, AnyTrial, TrainingData, fit, recipe_of
from tests.goals import GOAL, classes

BANDS = 64
TRAIN, VALIDATION = np.arange(12), np.arange(12, 18)


@pytest.fixture
def data() -> TrainingData:
    """18 utterances of 40 to 130 frames by 3 speakers, of 1 × 64 features; the emotion decides which third is loud."""
    rng = np.random.default_rng(0)
    lengths, labels = rng.integers(40, 131, size=18), np.arange(18) % 3
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    frames = rng.normal(size=(offsets[-1], 1, BANDS)).astype(np.float32)
    for number, label in enumerate(labels):
        frames[offsets[number] : offsets[number + 1], :, 21 * label : 21 * (label + 1)] += 3.0
    features = UtteranceFeatures.of(FeatureStore.of(frames, offsets), torch.device("cpu"))
    return TrainingData(features=features, targets=classes(labels, "abc"), speakers=np.arange(18) // 6)


def _config(model: str, **changes: Any) -> AnyTrial:
    base: dict[str, Any] = {
        "model.width": 0.05,
        "model.dropout": 0.0,
        "features.n_mels": BANDS,
        "segments.frames": None,
        "optimizer.learning_rate": 0.02,
        "training.epochs": 12,
        "training.batch_size": 4,
        "training.precision": "float32",
        "training.device": "cpu",
        "loss.name": "cross_entropy",
    }
    flat = {path.replace("__", "."): value for path, value in changes.items()}
    parts = (
        ARCHITECTURES.get(model).settings,
        FEATURE_SETS.get("logmelspec").settings,
        LOSSES.get("cross_entropy").settings,
    )
    kind = cast("type[AnyTrial]", TrialConfig.__class_getitem__(parts))
    return validated(kind, nest(base | flat), lambda path: path)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "width"), [("fcn_attention", 0.05), ("fcn_gap", 0.05), ("light_cnn", 0.25)])
def test_whole_utterances_are_learnt_and_predicted_as_they_were_validated(
    model: str, width: float, data: TrainingData
) -> None:
    config = _config(model, model__width=width)
    fitted = fit(config, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert fitted.history[-1].train_loss < 0.5 * fitted.history[0].train_loss
    assert max(report.score for report in fitted.history) > 0.6
    predictor = Predictor(recipe_of(config, data.targets.names, GOAL), [fitted.network], [fitted.scaling])
    scores, reader = predictor.outputs(0, data.features, VALIDATION, data.speakers)
    assert reader.plan.utterance.tolist() == list(range(6))
    np.testing.assert_allclose(scores, fitted.validation, atol=1e-5)


def test_all_augmentation_goes_with_whole_utterances_and_repeats(data: TrainingData) -> None:
    config = _config("fcn_gap", training__epochs=2, augmentation__mixup=True, augmentation__specaugment=True)
    first, second = (fit(config, data, TRAIN, VALIDATION, seed=1, goal=GOAL) for _ in range(2))
    assert all(math.isfinite(report.train_loss) for report in first.history)
    assert [one.train_loss for one in first.history] == [one.train_loss for one in second.history]
    np.testing.assert_array_equal(first.validation, second.validation)


@pytest.mark.slow
def test_an_average_of_weights_judges_whole_utterances(data: TrainingData) -> None:
    config = _config("fcn_gap", training__averaging="ema", training__selection="last")
    fitted = fit(config, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert fitted.history[-1].score > 0.6
    # The input's statistics are the mean over batches of those of real frames, padding left out
    mean = fitted.network.get_buffer("input_norm.running_mean")
    assert mean.abs().max() < 0.1
    predictor = Predictor(recipe_of(config, data.targets.names, GOAL), [fitted.network], [fitted.scaling])
    scores, _ = predictor.outputs(0, data.features, VALIDATION, data.speakers)
    np.testing.assert_allclose(scores, fitted.validation, atol=1e-5)


def test_bfloat16_gives_about_the_loss_of_float32(data: TrainingData) -> None:
    wide, narrow = (
        fit(
            _config("fcn_attention", training__epochs=1, training__precision=precision),
            data,
            TRAIN,
            VALIDATION,
            seed=1,
            goal=GOAL,
        )
        for precision in ("float32", "bfloat16")
    )
    assert narrow.history[0].train_loss == pytest.approx(wide.history[0].train_loss, rel=0.1)
    assert narrow.history[0].train_loss != wide.history[0].train_loss


def test_an_architecture_that_needs_equal_lengths_refuses_them(data: TrainingData) -> None:
    with pytest.raises(ConfigError, match=r"segments\.frames is none, but alex_net needs segments of equal length"):
        fit(_config("alex_net"), data, TRAIN, VALIDATION, seed=1, goal=GOAL)


@pytest.mark.parametrize("stability", [0.0, 1.0])
def test_copies_of_whole_utterances_take_part_in_training(data: TrainingData, stability: float) -> None:
    noise = np.random.default_rng(1).normal(size=data.features.frames.shape).astype(np.float32)
    frames = data.features.frames.numpy() + noise
    copy = UtteranceFeatures.of(FeatureStore.of(frames, data.features.offsets), torch.device("cpu"))
    copied = replace(data, copies=(copy,))
    changes = {"perturbation__copies": 1, "perturbation__noise_snr_db": 5, "perturbation__stability": stability}
    wanted = _config("fcn_attention", training__epochs=1, augmentation__mixup=True, **changes)
    fitted = fit(wanted, copied, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert math.isfinite(fitted.history[0].train_loss)
    plain = _config("fcn_attention", training__epochs=1, augmentation__mixup=True)
    without = fit(plain, data, TRAIN, VALIDATION, seed=1, goal=GOAL)
    assert fitted.history[0].train_loss != without.history[0].train_loss
