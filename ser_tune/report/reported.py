"""A reported result: scores, predictions and protocol of a run, and the study that found its configuration."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..definition import StudyDefinition
from ..folds import SIDES
from ..metrics import Metric, Ranking
from ..protocol import Protocol
from ..results import HeardScore, StudyTrial, trials_table
from ..search import Selection, StudySummary
from ..tracking import Predictions, ScoredSet, mean_over_sets, scored_sets
from .mistakes import Mistake
from .scored_recordings import ScoredRecordings

if TYPE_CHECKING:
    import pandas as pd

    from ..tasks import Task

__all__ = ["ReportedResult", "ReportedSearch"]

GAINS, GAIN = "gain_over_", "gain_over_first"
"""Beginning of the names of gains, and a gain that only a choice among several trials has."""
_FOLDERS = re.compile(r"(?<![\w.…])/(?:[^/'\";:,\n]*[^/'\";:,\s]/)+")
"""Absolute folders in a sentence."""


@dataclass(frozen=True, slots=True)
class ReportedSearch:
    """The study that found a configuration."""

    definition: StudyDefinition
    summary: StudySummary
    trials: Sequence[StudyTrial]
    importances: Mapping[str, float]
    """Dotted path to share of the importance, highest first; empty where the complete trials do not suffice."""
    folds: Mapping[int, Sequence[float]]
    """Number of a complete searched trial to the score that each of its folds kept."""
    selection: Selection | None
    """The winner without the choice; None where nothing was searched, or predictions of trials are gone."""

    @property
    def objective(self) -> Metric:
        """The metric that ranks the trials."""
        return self.definition.objective

    @property
    def ranking(self) -> Ranking:
        """Compares scores of trials."""
        return Ranking(self.objective)

    @property
    def complete(self) -> Sequence[StudyTrial]:
        """Searched trials that have a score, by number."""
        return [trial for trial in self.trials if trial.score is not None and trial.confirms is None]


@dataclass(frozen=True)
class ReportedResult:
    """The evidence of a result."""

    reference: str
    """As the user named it."""
    run_id: str
    trial: int | None
    """None of a combination."""
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    notes: str
    """Limits of the meaning of the scores, and the text-only baseline; may be empty."""
    versions: Mapping[str, str]
    """Packages that trained it."""
    protocol: Protocol
    corpus: str
    """The corpus's name for its users."""
    readers: Mapping[str, str]
    """The same to the name of its reader; of a union each of its corpora."""
    predictions: Mapping[str, Predictions]
    """Predictions of each scored side that has them."""
    curves: Mapping[str, Sequence[Sequence[float]]]
    """Metric to its values after every epoch of each fold; empty of a combination."""
    search: ReportedSearch | None
    """None of a combination, and where Optuna's storage does not have the study."""
    mistakes: Sequence[Mistake]
    """The utterances that are wrong most often."""
    recordings: ScoredRecordings | None
    """None where the corpus is not where it was."""
    missing: str
    """Why there are no recordings; empty where there are."""
    with_audio: bool
    """Whether the page contains sound."""
    networks: Mapping[str, str]
    """Number of networks that judge an utterance together, for each side."""
    heard: Sequence[HeardScore] = ()
    """Scores of test speakers by the number of other utterances heard, of the newest `evaluate --heard`."""

    @property
    def heard_by_corpus(self) -> bool:
        """Whether there are scores of each corpus of a union by utterances heard."""
        return any(found.corpus for found in self.heard)

    @property
    def task(self) -> "Task":
        """The task of the result."""
        return self.protocol.task

    @property
    def scored(self) -> Sequence[Metric]:
        """The metrics of the predictions; the first is the objective."""
        return self.protocol.metrics

    @property
    def objective(self) -> Metric:
        """The metric that ranked the trials."""
        return self.protocol.objective

    @property
    def of_classes(self) -> bool:
        """Whether classes were predicted: only these have confusions, recalls, calibration and frequent mistakes."""
        return self.task.predictions == "classes"

    @property
    def missing_for_readers(self) -> str:
        """Why there are no recordings, without the folders of this machine: pages are passed on."""
        return _FOLDERS.sub("…/", self.missing)

    @property
    def sides(self) -> list[str]:
        """Scored sides, in the order of `SIDES`."""
        return [side for side in SIDES if f"{side}_{self.objective.name}" in self.metrics]

    @property
    def test_sets(self) -> Sequence[ScoredSet]:
        """Scores of each test set of an official split, or of each corpus of a union."""
        return scored_sets(self.metrics)

    @property
    def test_is_free(self) -> bool:
        """Whether test speakers influenced no choice: none of them validates a fold."""
        validating, tested = (
            set(self.predictions[side].speakers) if side in self.predictions else set()
            for side in ("validation", "test")
        )
        return validating.isdisjoint(tested)

    @property
    def mean_over_corpora(self) -> str:
        """A sentence on the mean over the corpora of a union; empty for a corpus by itself."""
        return "" if self.protocol.is_official else mean_over_sets(self.test_sets, self.objective)

    @property
    def corrected(self) -> Mapping[str, float]:
        """Corrected score and gains, by MLflow's names; empty unless the result was chosen among several trials."""
        found = self.metrics
        if self.search is not None and (selection := self.search.selection) is not None:
            best = self.search.summary.best
            found = selection.metrics if best is not None and best[0] == self.trial else {}
        if GAIN not in found:
            return {}
        names = (f"corrected_{self.objective.name}", GAINS)
        return {name: value for name, value in found.items() if name.startswith(names)}

    @property
    def trials(self) -> "pd.DataFrame":
        """A row for each trial of the study, as `StudyResult.trials`."""
        table = trials_table(self.search.trials if self.search else [], self.objective)
        # Of validation, where an utterance is judged by the networks of its fold
        table["networks"] = table["model.networks"] if "model.networks" in table else self.networks["validation"]
        return table
