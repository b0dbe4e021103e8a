"""Recordings of a corpus as worse microphones would have them."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from ..corpora import Corpus
from .stress import BABBLE_VOICES, Condition

__all__ = ["Alter", "Disturbance"]

Alter: TypeAlias = Callable[[int, np.ndarray], np.ndarray]
"""From an utterance's number in the corpus and its speech to what is judged instead; (N,), float32, 16 kHz."""


class Disturbance:
    """Applies conditions to a corpus's recordings, with babble of its other speakers."""

    def __init__(self, corpus: Corpus) -> None:
        """Read nothing yet; babble keeps the last recordings that it read."""
        self._corpus = corpus
        self._speech = lru_cache(maxsize=256)(lambda number: corpus.utterances[number].speech())

    def possible(self, condition: Condition) -> bool:
        """Whether the corpus has other speakers, where the condition needs their speech."""
        return not condition.babble or len(self._corpus.speakers) > 1

    def of(self, condition: Condition) -> Alter:
        """What a condition does to each recording."""

        def alter(number: int, speech: np.ndarray) -> np.ndarray:
            return condition.apply(speech, self._babble(number, len(speech)) if condition.babble else None)

        return alter

    def recordings(self, condition: Condition) -> dict[int, np.ndarray]:
        """All recordings in a condition, by their utterance's number; each of shape (N,), float32, 16 kHz.

        Raises:
            AudioError: A recording cannot be read.
        """
        alter = self.of(condition)
        return {number: alter(number, one.speech()) for number, one in enumerate(self._corpus.utterances)}

    def _babble(self, number: int, length: int) -> np.ndarray:
        """Some other speakers at once, all equally loud; the same in every condition of an utterance.

        Returns:
            Shape (length,).
        """
        rng = np.random.default_rng(number)
        others = np.flatnonzero(self._corpus.speaker_numbers != self._corpus.speaker_numbers[number])
        total = np.zeros(length)
        for one in rng.choice(others, BABBLE_VOICES):
            speech = self._speech(int(one))
            voice = np.roll(np.resize(speech, max(length, len(speech))), int(rng.integers(len(speech))))[:length]
            total += voice / max(float(np.sqrt(np.mean(np.square(voice, dtype=np.float64)))), 1e-9)
        return total
