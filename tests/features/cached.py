"""Feature sets and comparisons for tests of the feature cache."""

import threading
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_tune.features import FEATURE_SETS, FeatureSet, FeatureStore, Moments

LOGSPEC = FEATURE_SETS.get("logspec")
SETTINGS = LOGSPEC.settings.model_validate({"n_bins": 20})


class Counting:
    """A feature set that counts how often it is used."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def _extract(self, speech: np.ndarray, settings: Any) -> np.ndarray:
        with self._lock:
            self.count += 1
        return LOGSPEC.extract(speech, settings)

    def feature_set(self) -> FeatureSet:
        """Log spectrograms."""
        return replace(LOGSPEC, extract=self._extract)

    def single_frames(self) -> FeatureSet:
        """Means of log spectrograms: an utterance is a single frame."""
        mean = lambda speech, settings: self._extract(speech, settings).mean(axis=2, keepdims=True)  # noqa: E731
        return replace(LOGSPEC, extract=mean, hop_s=lambda settings: None)


def entry_folders(cache: Path) -> list[Path]:
    """Entries of a cache, those that lack utterances included."""
    return [path for path in cache.iterdir() if path.is_dir()]


def assert_equal_stores(found: FeatureStore, expected: FeatureStore) -> None:
    """Assert that two entries have the same content."""
    assert found.sounds == expected.sounds
    np.testing.assert_array_equal(found.frames, expected.frames)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    for field in fields(Moments):
        np.testing.assert_array_equal(getattr(found.moments, field.name), getattr(expected.moments, field.name))
