"""The table of predictions that a run keeps for each side: written, and read back to compare runs."""

import csv
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from ..corpora import Corpus
from ..errors import RegistryError
from ..resampling.old import speaker_confusions
from ..study import HeldOut

__all__ = ["Predictions", "read_predictions", "write_predictions"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a run said of the utterances of one side, sorted by their names."""

    emotions: tuple[str, ...]
    """The classes, in the order of their numbers."""
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    """Of each utterance."""
    truth: np.ndarray
    """Class numbers, shape (N,)."""
    predicted: np.ndarray
    """Class numbers, shape (N,)."""
    probabilities: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), compare=False, repr=False)
    """Of every class, six decimals, shape (N, K)."""

    @property
    def speaker_numbers(self) -> np.ndarray:
        """A number for each utterance's speaker, counted from 0 in sorted order, shape (N,)."""
        numbers: np.ndarray = np.unique(self.speakers, return_inverse=True)[1]
        return numbers

    @property
    def confusions(self) -> np.ndarray:
        """A confusion matrix for each speaker, sorted, shape (S, K, K)."""
        return speaker_confusions(self.truth, self.predicted, self.speaker_numbers, len(self.emotions))


def write_predictions(path: Path, held_out: HeldOut, corpus: Corpus) -> None:
    """A table with a row for each held-out utterance: who, what, which fold, and every probability."""
    by_id = {one.id: one for one in corpus.utterances}
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["utterance", "speaker", "fold", "emotion", "predicted", *corpus.emotions])
        for name, fold, row in zip(held_out.utterances, held_out.fold, held_out.log_probabilities, strict=True):
            predicted = corpus.emotions[int(row.argmax())]
            one = by_id[name]
            table.writerow([name, one.speaker, fold, one.emotion, predicted, *(f"{p:.6f}" for p in np.exp(row))])


def read_predictions(client: MlflowClient, run_id: str, side: str) -> Predictions | None:
    """Read what a run said.

    Args:
        client: MLflow.
        run_id: The run of a complete trial.
        side: `validation`, `test` or `holdout`.

    Returns:
        None where the run has no such table.

    Raises:
        RegistryError: The table is damaged.
    """
    name = f"{side}_predictions.csv"
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary:
        try:
            path = Path(client.download_artifacts(run_id, name, temporary))
        except (MlflowException, OSError):
            return None
        try:
            return _read(path)
        except (csv.Error, IndexError, ValueError):
            raise RegistryError(
                f"the table {name} of run {run_id} is damaged; put it back from a copy, or train the run's study again"
            ) from None


def _read(path: Path) -> Predictions:
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    emotions = header[5:]
    rows.sort()
    return Predictions(
        emotions=tuple(emotions),
        utterances=tuple(row[0] for row in rows),
        speakers=tuple(row[1] for row in rows),
        truth=np.array([emotions.index(row[3]) for row in rows], dtype=np.int64),
        predicted=np.array([emotions.index(row[4]) for row in rows], dtype=np.int64),
        probabilities=np.array([[float(cell) for cell in row[5:]] for row in rows]),
    )
