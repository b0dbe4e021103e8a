"""A model that needs no training: loud speech is anger, soft speech is sadness; or ratings of loudness."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from ser_tune.corpora import CORPORA, Corpus
from ser_tune.errors import AudioError
from ser_tune.prediction import Heard, Prediction, SegmentPrediction
from ser_tune.recordings import label_of
from ser_tune.tasks import DEFAULT_TASK
from ser_tune.tracking import LoadedModel

LABELS = ("anger", "sadness")
SHORTEST = 800
"""Samples, of which the model needs so many."""


class LoudnessModel:
    """Keeps what it was asked, by the samples of each utterance."""

    labels = LABELS
    task, together = LoadedModel.task, LoadedModel.together

    def __init__(self, scope: str = "train", task: str = DEFAULT_TASK) -> None:
        normalisation = SimpleNamespace(scope=scope)
        segments = SimpleNamespace(frames=None)
        self.recipe: Any = SimpleNamespace(
            labels=self.labels, task=task, normalisation=normalisation, hop_s=0.01, segments=segments
        )
        self.predictors: Sequence[Any] = ()
        self.scales = {"anger": (1.0, 5.0), "sadness": (1.0, 7.0)} if task == "dimensions" else {}
        self.asked: list[list[int]] = []

    def predict_heard(self, heard: Sequence[Heard]) -> list[Prediction]:
        self.asked.append([len(one.speech) for one in heard])
        if self.recipe.normalisation.scope == "speaker" and len(heard) == 1:
            raise AudioError(f"{heard[0].source}: needs at least 2 recordings")
        told = []
        for recording in heard:
            if len(recording.speech) < SHORTEST:
                raise AudioError(f"{recording.source}: {len(recording.speech)} samples are too short")
            loud = float(np.clip(np.abs(recording.speech).max(), 0.05, 0.95))
            numbers = {"anger": loud, "sadness": 1 - loud}
            if self.scales:
                numbers = {"anger": 1 + 4 * loud, "sadness": 5 - 4 * loud}
            segment = SegmentPrediction(0.0, len(recording.speech) / 16_000, numbers)
            told.append(
                Prediction(recording.source, label_of(self, numbers), numbers, (segment,), self.task.number)  # type: ignore[arg-type,attr-defined]
            )
        return told


@pytest.fixture
def model() -> LoudnessModel:
    return LoudnessModel()


@pytest.fixture
def speaker_model() -> LoudnessModel:
    return LoudnessModel("speaker")


def write(path: Path, seconds: float, *, level: float = 0.8, seed: int = 0) -> str:
    """Noise whose largest sample is the level."""
    noise = np.random.default_rng(seed).uniform(-1, 1, round(seconds * 16_000))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, noise / np.abs(noise).max() * level, 16_000)
    return str(path)


@pytest.fixture
def sound() -> Callable[..., str]:
    return write


@pytest.fixture(scope="session")
def demo_speech(shared_cache: Path) -> list[np.ndarray]:
    """Calm utterances of the demo corpus, one of each speaker, with a largest sample of 0.8."""
    utterances = Corpus.load(CORPORA.get("demo"), None, shared_cache).utterances
    calm = {one.speaker: one.speech() for one in utterances if one.emotion == "neutral"}
    return [0.8 * speech / np.abs(speech).max() for speech in calm.values()]


def in_silence(parts: Sequence[np.ndarray], seed: int = 0) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """A recording with silences of 1 to 3 seconds before, between and after utterances, and where they are."""
    rng = np.random.default_rng(seed)
    pieces: list[np.ndarray] = []
    places = []
    at = 0
    for part in (*parts, np.zeros(0, dtype=np.float32)):
        silence = rng.normal(0, 1e-4, round(16_000 * rng.uniform(1, 3))).astype(np.float32)
        at += len(silence)
        if len(part):
            places.append((at / 16_000, (at + len(part)) / 16_000))
        at += len(part)
        pieces += [silence, part.astype(np.float32)]
    return np.concatenate(pieces), places
