"""The recorded learning curves of `curves.npz`."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ser_tune.config import Range, Value, parse_range

__all__ = ["RECORDED", "Table"]

RECORDED = Path(__file__).with_name("curves.npz")


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
