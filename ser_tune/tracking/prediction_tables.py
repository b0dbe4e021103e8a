"""The table of predictions that a run keeps for each side: written, and read back to compare runs."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from mlflow.entities import Run

from ..audit import Crowd, model_against_crowd
from ..corpora import Annotation, Corpus, Utterance
from ..errors import RegistryError
from ..metrics import Metric
from ..resampling import sums_of
from ..tasks import PredictionSets, Task, calibrate_sets
from .runs import task_of
from .workspace import Workspace

if TYPE_CHECKING:
    from ..search import HeldOut

__all__ = ["Predictions", "predictions_file", "read_predictions", "write_predictions"]


@dataclass(frozen=True, slots=True)
class Predictions:
    """A run's predictions of the utterances of a side, sorted by their names."""

    task: Task
    names: tuple[str, ...]
    """Names of the task's outputs, such as its classes, in the order of their numbers."""
    utterances: tuple[str, ...]
    speakers: tuple[str, ...]
    """The speaker of each utterance."""
    truth: np.ndarray
    """Targets, such as class numbers, shape (N, ...)."""
    predicted: np.ndarray
    """Predictions, shape (N, ...)."""
    shown: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)), compare=False, repr=False)
    """The task's value of every output, such as a probability, six decimals, shape (N, K)."""

    @property
    def speaker_numbers(self) -> np.ndarray:
        """A number for each utterance's speaker, counted from 0 in sorted order, shape (N,)."""
        numbers: np.ndarray = np.unique(self.speakers, return_inverse=True)[1]
        return numbers

    def crowd(self, utterances: Iterable[Utterance]) -> Crowd | None:
        """The predictions against the judgements of annotators; None where there are not two of any utterance.

        Args:
            utterances: The corpus's, which have the annotations.
        """
        annotation_of = {utterance.id: utterance.annotation for utterance in utterances}
        annotations = [annotation_of.get(name, Annotation()) for name in self.utterances]
        return model_against_crowd(self.task.encoding, self.names, self.shown, self.speaker_numbers, annotations)

    @property
    def sets(self) -> PredictionSets | None:
        """The prediction sets that these utterances calibrate; None where the task has none."""
        return self.sets_of(slice(None))

    def sets_of(self, chosen: np.ndarray | slice) -> PredictionSets | None:
        """The prediction sets that some of the utterances calibrate."""
        shown, truth, speakers = self.shown[chosen], self.truth[chosen], self.speaker_numbers[chosen]
        return calibrate_sets(self.task.predictions, shown, truth, speakers)

    def sums(self, metric: Metric) -> np.ndarray:
        """A metric's sums of each speaker's utterances, speakers sorted, shape (S, ...)."""
        return sums_of(metric, self.truth, self.predicted, self.speaker_numbers, len(self.names))


def predictions_file(side: str) -> str:
    """The name of a run's table of predictions of a side.

    >>> predictions_file("test")
    'test_predictions.csv'
    """
    return f"{side}_predictions.csv"


def write_predictions(path: Path, held_out: "HeldOut", corpus: Corpus, task: Task, names: tuple[str, ...]) -> None:
    """Write a table with a row for each held-out utterance: speaker, fold, truth, prediction, value of every output.

    Args:
        path: Of the file.
        held_out: Predictions of the corpus's utterances.
        corpus: Has the speakers.
        task: Writes targets and predictions.
        names: Of the task's outputs.
    """
    speaker_of = {utterance.id: utterance.speaker for utterance in corpus.utterances}
    shown = task.show(held_out.outputs)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["utterance", "speaker", "fold", task.answer, "predicted", *names])
        for row, (name, fold) in enumerate(zip(held_out.utterances, held_out.fold, strict=True)):
            answers = (task.write(held_out.truth[row], names), task.described(held_out.predicted[row], names))
            table.writerow([name, speaker_of[name], fold, *answers, *(f"{number:.6f}" for number in shown[row])])


def read_predictions(workspace: Workspace, run: Run, side: str) -> Predictions | None:
    """Read a run's predictions of a side, such as `test`; None where the run has no such table.

    Raises:
        RegistryError: The table is damaged.
    """
    name = predictions_file(side)
    if (content := workspace.artifact(run.info.run_id, name)) is None:
        return None
    try:
        return _read(content.decode("utf-8"), task_of(run))
    except (csv.Error, LookupError, ValueError):
        raise RegistryError(
            f"the table {name} of run {run.info.run_id} is damaged; put it back from a copy, or train the run's "
            "study again"
        ) from None


def _read(content: str, task: Task) -> Predictions:
    header, *rows = csv.reader(io.StringIO(content, newline=""))
    names = tuple(header[5:])
    rows.sort()
    shown = np.array([[float(cell) for cell in row[5:]] for row in rows])
    by_text = task.stored == "text"
    return Predictions(
        task=task,
        names=names,
        utterances=tuple(row[0] for row in rows),
        speakers=tuple(row[1] for row in rows),
        truth=task.read([row[3] for row in rows], names),
        predicted=task.read([row[4] for row in rows], names) if by_text else task.decide(task.unshow(shown)),
        shown=shown,
    )
