"""Who judges a corpus: all networks of a version together, or each fold's network its own test speakers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..corpora import Corpus
from ..features import Alter
from ..prediction import Heard
from ..protocol import Prepared
from ..search import score_holdout_speakers, score_test_speakers
from ..tasks import Task
from ..tracking import LoadedModel, model_errors

__all__ = ["AllNetworks", "Judge", "OuterSearches", "OwnFolds"]

AT_ONCE = 32
"""Utterances predicted at once, where no speaker's must stay together."""


class Judge(Protocol):
    """Judges some utterances of a corpus."""

    @property
    def description(self) -> str:
        """In words, as tables show it."""

    @property
    def corpus(self) -> Corpus:
        """Whose utterances are judged."""

    @property
    def numbers(self) -> np.ndarray:
        """Of the utterances that are judged, shape (N,)."""

    def only(self, rows: np.ndarray) -> "Judge":
        """The same for some of the utterances; a mask of shape (N,)."""

    def __call__(self, alter: Alter | None = None) -> np.ndarray:
        """The outputs of the model, in its task's form, shape (N, K).

        Args:
            alter: What happens to each recording before; None is nothing.
        """


@dataclass(frozen=True, slots=True)
class AllNetworks:
    """All networks of a version together, as `predict` does."""

    predictor: Any
    """The version's; its class is of the model's own copy of ser_tune."""
    task: Task
    """The version's."""
    corpus: Corpus
    numbers: np.ndarray
    description: str = "all networks together"

    def only(self, rows: np.ndarray) -> "AllNetworks":
        """As `Judge`."""
        return replace(self, numbers=self.numbers[rows])

    def __call__(self, alter: Alter | None = None) -> np.ndarray:
        """As `Judge`; recordings of one speaker are judged in one call where the model normalises by speaker."""
        model = LoadedModel(self.predictor)
        shown = np.zeros((len(self.numbers), len(model.labels)))
        for rows in self._batches():
            heard = [self._heard(int(self.numbers[row]), alter) for row in rows]
            for row, one in zip(rows, model.predict_heard(heard), strict=True):
                shown[row] = [one.probabilities[label] for label in model.labels]
        return self.task.unshow(shown)

    def _batches(self) -> list[np.ndarray]:
        if self.predictor.recipe.normalisation.scope == "speaker":
            speakers = self.corpus.speaker_numbers[self.numbers]
            return [np.flatnonzero(speakers == one) for one in np.unique(speakers)]
        return np.array_split(np.arange(len(self.numbers)), -(-len(self.numbers) // AT_ONCE))

    def _heard(self, number: int, alter: Alter | None) -> Heard:
        utterance = self.corpus.utterances[number]
        speech = utterance.speech()
        return Heard(str(utterance.path), speech if alter is None else alter(number, speech))


@dataclass(frozen=True, slots=True)
class OwnFolds:
    """The networks of a version's folds on the version's own corpus, each on the test speakers of its fold."""

    predictor: Any
    """As of `AllNetworks`."""
    prepared: Prepared
    """The version's study."""
    cache: Path
    """The project's cache folder."""
    rows: np.ndarray
    """Which of all test utterances, fold after fold, are judged, shape (N,)."""
    description: str = "each speaker by the fold network that neither trained nor validated on them"

    @classmethod
    def of(cls, predictor: Any, prepared: Prepared, cache: Path) -> "OwnFolds":  # noqa: ANN401 - see AllNetworks
        """Judge every test speaker."""
        return cls(predictor, prepared, cache, np.arange(sum(len(fold.test) for fold in prepared.folds)))

    @property
    def corpus(self) -> Corpus:
        """As `Judge`."""
        return self.prepared.corpus

    @property
    def numbers(self) -> np.ndarray:
        """As `Judge`."""
        tested: np.ndarray = np.concatenate([fold.test for fold in self.prepared.folds])[self.rows]
        return tested

    def only(self, rows: np.ndarray) -> "OwnFolds":
        """As `Judge`."""
        return replace(self, rows=self.rows[rows])

    def __call__(self, alter: Alter | None = None) -> np.ndarray:
        """As `Judge`; unaltered recordings are judged by the cached features, as the promotion does."""
        speech = None
        if alter is not None:
            speech = {number: alter(number, one.speech()) for number, one in enumerate(self.corpus.utterances)}
        with model_errors():
            said: np.ndarray = score_test_speakers(self.prepared, self.predictor, self.cache, speech=speech).outputs
        judged: np.ndarray = said[self.rows]
        return judged


@dataclass(frozen=True, slots=True)
class OuterSearches:
    """The searches of a nested study, each on the speakers that it never saw."""

    searches: Sequence[tuple[Prepared, Any]]
    """Each search, and the predictor of its best trial."""
    cache: Path
    """The project's cache folder."""
    rows: np.ndarray
    """Which of all utterances, search after search, are judged, shape (N,)."""
    description: str = "each speaker by all networks of the search that never saw them"

    @classmethod
    def of(cls, searches: Sequence[tuple[Prepared, Any]], cache: Path) -> "OuterSearches":
        """Judge every speaker."""
        return cls(searches, cache, np.arange(len(searches[0][0].corpus.utterances)))

    @property
    def corpus(self) -> Corpus:
        """As `Judge`."""
        return self.searches[0][0].corpus

    @property
    def numbers(self) -> np.ndarray:
        """As `Judge`."""
        judged: np.ndarray = np.concatenate([_unseen(prepared) for prepared, _ in self.searches])[self.rows]
        return judged

    def only(self, rows: np.ndarray) -> "OuterSearches":
        """As `Judge`."""
        return replace(self, rows=self.rows[rows])

    def __call__(self, alter: Alter | None = None) -> np.ndarray:
        """As `Judge`; unaltered recordings are judged by the cached features, as the nested study does."""
        said, utterances = [], self.corpus.utterances
        for prepared, predictor in self.searches:
            speech = None
            if alter is not None:
                speech = {int(one): alter(int(one), utterances[one].speech()) for one in _unseen(prepared)}
            with model_errors():
                together, _ = score_holdout_speakers(prepared, predictor, self.cache, speech=speech)
            said.append(together.outputs)
        judged: np.ndarray = np.concatenate(said)[self.rows]
        return judged


def _unseen(prepared: Prepared) -> np.ndarray:
    """Numbers of the utterances of speakers whom a search never saw."""
    held_out = prepared.definition.config.protocol.holdout
    return np.flatnonzero([one.speaker in held_out for one in prepared.corpus.utterances])
