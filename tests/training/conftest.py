"""A toy corpus that training can learn: the emotion decides which channel is loud."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pytest
import torch

from ser_tune.architectures import ARCHITECTURES
from ser_tune.config import TrialConfig, nest, validated
from ser_tune.features import FEATURE_SETS, FeatureStore
from ser_tune.prediction import UtteranceFeatures
from ser_tune.training import LOSSES, AnyTrial, TrainingData
from tests.goals import classes

EMOTIONS = ("anger", "joy", "sadness")
BANDS = 8


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small are slowed by threads that wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data() -> TrainingData:
    """24 utterances of 18 to 40 frames by 4 speakers, of 3 × 8 features of noise and a loud channel."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(18, 41, size=24)
    labels = np.arange(24) % 3
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    frames = rng.normal(size=(offsets[-1], 3, BANDS)).astype(np.float32)
    for number, label in enumerate(labels):
        frames[offsets[number] : offsets[number + 1], label] += 3.0
    return make_data(frames, offsets, labels)


def make_data(frames: np.ndarray, offsets: np.ndarray, labels: np.ndarray) -> TrainingData:
    features = UtteranceFeatures.of(FeatureStore.of(frames, offsets), torch.device("cpu"))
    speakers = np.arange(len(labels)) // 3 % 4
    return TrainingData(features=features, targets=classes(labels, EMOTIONS), speakers=speakers)


@pytest.fixture(name="make_data")
def _make_data() -> Callable[[np.ndarray, np.ndarray, np.ndarray], TrainingData]:
    return make_data


@pytest.fixture
def config() -> Callable[..., AnyTrial]:
    """A configuration of a tiny network with quick training, and whatever a test changes."""

    def _config(**changes: Any) -> AnyTrial:
        base: dict[str, Any] = {
            "model.width": 0.06,
            "model.dropout": 0.0,
            "features.n_mels": BANDS,
            "segments.frames": 16,
            "optimizer.learning_rate": 0.01,
            "training.epochs": 3,
            "training.batch_size": 8,
            "training.precision": "float32",
            "training.device": "cpu",
            "loss.name": "cross_entropy",
        }
        flat = {path.replace("__", "."): value for path, value in changes.items()}
        parts = (
            ARCHITECTURES.get("3d_acrnn").settings,
            FEATURE_SETS.get("logmeldeltaspec").settings,
            LOSSES.get("cross_entropy").settings,
        )
        kind = cast("type[AnyTrial]", TrialConfig.__class_getitem__(parts))
        return validated(kind, nest(base | flat), lambda path: path)

    return _config
