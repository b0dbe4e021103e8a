"""The recorded learning curves of `curves.npz`."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ser_tune.config import Range, Value, parse_range

__all__ = ["RECORDED", "Seen", "Table", "Truth"]

RECORDED = Path(__file__).with_name("curves.npz")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a study sees of each configuration, and what judges its choice: chance decides which seed is which."""

    curves: np.ndarray
    """Validation UAR of each fold after each epoch, shape (N, F, E)."""
    values: np.ndarray
    """Pooled validation UAR, shape (N,)."""
    other_curves: np.ndarray
    """Of the other seed."""
    other_values: np.ndarray
    """Of the other seed."""

    @property
    def full(self) -> int:
        """Epochs of a trial that runs to its end."""
        return int(self.curves.shape[1] * self.curves.shape[2])


@dataclass(frozen=True, slots=True)
class Truth:
    """What seeds of each configuration scatter around."""

    expected: np.ndarray
    """Pooled validation UAR, mean over all seeds, shape (N,)."""
    deviation: float
    """Of one seed from it."""


@dataclass(frozen=True)
class Table:
    """N configurations, S seeds, F folds, E epochs, K classes."""

    correct: np.ndarray
    """Validation utterances of each class that are right, shape (N, S, F, E, K)."""
    counts: np.ndarray
    """Validation utterances of each class, shape (F, K)."""
    about: dict[str, Any]
    """How the table came to be, its study and its configurations."""

    @classmethod
    def read(cls, file: Path = RECORDED) -> "Table":
        """Read a recorded file."""
        with np.load(file, allow_pickle=False) as stored:
            return cls(
                stored["correct"].astype(float), stored["counts"].astype(float), json.loads(str(stored["about"]))
            )

    @property
    def configurations(self) -> list[dict[str, Value]]:
        """The values of every configuration."""
        configurations: list[dict[str, Value]] = self.about["configurations"]
        return configurations

    @property
    def search(self) -> dict[str, Range]:
        """What varies."""
        return {path: parse_range(path, span) for path, span in self.about["study"]["search"].items()}

    @cached_property
    def curves(self) -> np.ndarray:
        """Validation UAR of each fold after each epoch, shape (N, S, F, E)."""
        present = self.counts > 0
        recalls = np.where(present[:, None], self.correct / np.maximum(self.counts, 1)[:, None], 0)
        uars: np.ndarray = recalls.sum(axis=-1) / present.sum(axis=-1)[:, None]
        return uars

    @cached_property
    def values(self) -> np.ndarray:
        """Pooled validation UAR of every trial, shape (N, S)."""
        recalls = self.correct[:, :, :, -1].sum(axis=2) / self.counts.sum(axis=0)
        pooled: np.ndarray = recalls.mean(axis=-1)
        return pooled

    def truth(self, rng: np.random.Generator) -> Truth:
        """Draw what is expected of each configuration, given its two seeds: normal, as are configurations and seeds."""
        of_seed = float(self.values.var(axis=1, ddof=1).mean())
        means = self.values.mean(axis=1)
        of_configuration = float(means.var(ddof=1)) - of_seed / 2
        weight = of_configuration / (of_configuration + of_seed / 2)
        left = np.sqrt(weight * of_seed / 2)
        expected = means.mean() + weight * (means - means.mean()) + rng.normal(0, left, size=len(means))
        return Truth(expected, float(np.sqrt(of_seed)))

    def seen(self, rng: np.random.Generator, configurations: slice = slice(None)) -> Seen:
        """Draw which of its two seeds each configuration shows."""
        seeds = rng.integers(0, 2, size=len(self.values))
        numbers = np.arange(len(seeds))
        parts = (
            what[numbers, which][configurations] for which in (seeds, 1 - seeds) for what in (self.curves, self.values)
        )
        return Seen(*parts)
