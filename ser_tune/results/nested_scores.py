"""Scores of a nested study: inside its searches, on speakers that they never saw, and the optimism between them."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile

import numpy as np
import optuna
from mlflow.entities import Run

from ..config import CorpusPart
from ..coordination import study_names
from ..definition import StudyDefinition
from ..errors import StudyError
from ..metrics import Metric, Ranking
from ..protocol import Protocol, prepare
from ..resampling import UNKNOWN, Interval, Scores, mean_interval
from ..search import Selection, summarise
from ..stored_names import inner_name
from ..tracking import (
    MODEL_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    UNKNOWN_NETWORKS,
    Predictions,
    ScoredSet,
    Workspace,
    open_predictor,
    score_of,
    search_runs,
)
from .evaluated_networks import EvaluatedNetworks, nested_networks
from .stored_runs import runs_of

__all__ = ["Nested", "OuterFold", "find_nested", "is_nested", "nested_runs", "nested_searches"]


@dataclass(frozen=True, slots=True)
class OuterFold:
    """One search, and its best trial's predictions of the speakers that it never saw."""

    study: str
    speakers: tuple[str, ...]
    best_trial: int
    inner_score: float
    """Pooled validation score of the best trial, which chose it."""
    inner_interval: Interval
    """Interval of the inner score, by bootstrap over speakers."""
    outer_single: Mapping[str, float]
    """Speaker that the search never saw to the score of single networks, mean over them."""
    validation: Predictions
    """Best trial's predictions of each speaker, by the single network that the speaker validates."""
    predictions: Predictions
    """Predictions of all networks of the best trial together, on the speakers that the search never saw."""
    networks: str = UNKNOWN_NETWORKS
    """Number of networks that judge together."""
    selection: Selection | None = None
    """The best trial without the choice, on the speakers that chose it; None where predictions of trials are gone."""

    @property
    def outer_single_score(self) -> float:
        """Mean over the speakers that the search never saw, and that have a score; NaN where none has."""
        return _mean([score for score in self.outer_single.values() if not math.isnan(score)])


@dataclass(frozen=True, slots=True)
class Nested:
    """Scores of the whole procedure, search included, on speakers that it never saw."""

    study: str
    folds: Sequence[OuterFold]
    outer: Scores
    """Pooled over the outer folds."""
    protocol: Protocol
    objective: Metric
    """Objective of the searches; all scores but `outer` and `sets` are of it."""
    sets: Sequence[ScoredSet] = ()
    """Outer scores of each corpus of a union."""
    parts: tuple[CorpusPart, ...] = ()
    """The corpora of a union, as users write them."""

    @property
    def networks(self) -> str:
        """Number of networks that judge together for the outer scores; several numbers where searches differ."""
        return ", ".join(sorted({fold.networks for fold in self.folds}, key=lambda number: (len(number), number)))

    @property
    def by_speaker(self) -> Mapping[str, tuple[float, float]]:
        """Inner and outer score of each speaker who has both, over the targets that the speaker has.

        Both are of single networks that did not train on the speaker. Inner: the mean over the searches that saw the
        speaker, who influenced their choice. Outer: in the search that did not see the speaker.
        """
        inner = defaultdict(list)
        for fold in self.folds:
            validation = fold.validation
            for number, speaker in enumerate(sorted(set(validation.speakers))):
                own = validation.speaker_numbers == number
                score = self.objective.score(validation.truth[own], validation.predicted[own], len(validation.names))
                if not math.isnan(score):  # not every metric has a value where all targets of a speaker are the same
                    inner[speaker].append(score)
        outer = {speaker: score for fold in self.folds for speaker, score in fold.outer_single.items()}
        known = sorted(speaker for speaker in inner if not math.isnan(outer.get(speaker, math.nan)))
        return {speaker: (_mean(inner[speaker]), outer[speaker]) for speaker in known}

    @property
    def inner_score(self) -> float:
        """Mean over the speakers; of test corpora that no search saw, over the searches, of other speakers."""
        if not self.is_paired:
            return _mean([fold.inner_score for fold in self.folds])
        return _mean([inner for inner, _ in self.by_speaker.values()])

    @property
    def outer_single_score(self) -> float:
        """Mean over the speakers; `outer` is of the networks together."""
        if not self.is_paired:
            return _mean([fold.outer_single_score for fold in self.folds])
        return _mean([outer for _, outer in self.by_speaker.values()])

    @property
    def is_paired(self) -> bool:
        """Whether a speaker has inner and outer scores: not those of test corpora that no search saw."""
        return self.protocol.scheme != "train-test"

    @property
    def optimism(self) -> float:
        """Gain of the inner over the outer score of a speaker, mean over the speakers: positive is too optimistic.

        Where outer folds are whole corpora, it has the loss from a corpus to another in it.
        """
        return Ranking(self.objective).gain(self.inner_score, self.outer_single_score)

    @property
    def optimism_interval(self) -> Interval:
        """Interval of the optimism, 95 %, by bootstrap over speakers."""
        gain = Ranking(self.objective).gain
        gains = np.array([gain(inner, outer) for inner, outer in self.by_speaker.values()])
        return mean_interval(self.objective, gains) if len(gains) else UNKNOWN


def _mean(scores: Sequence[float]) -> float:
    """Mean of scores; NaN where there are none."""
    return float(np.mean(scores)) if scores else math.nan


def find_nested(workspace: Workspace, study: str) -> Run | None:
    """The MLflow run with a nested study's scores; None if no nested study has this name."""
    if not re.fullmatch(r"[\w.+-]+", study):
        return None
    return next(filter(is_nested, search_runs(workspace, tags={STUDY_NAME_TAG: study})), None)


def is_nested(run: Run) -> bool:
    """Whether a run has the scores of a nested study."""
    return STUDY_TAG not in run.data.tags and score_of(run, "outer") is not None


def _best_trials(workspace: Workspace, study: str) -> "Iterator[tuple[StudyDefinition, optuna.Study, int]]":
    """The searches of a nested study: definition, record in Optuna, and number of the best trial.

    Raises:
        StudyError: A search has no complete trial.
    """
    names = study_names(workspace.project)
    for name in takewhile(names.__contains__, (inner_name(study, number) for number in count())):
        stored, definition = workspace.study(name)
        best = summarise(stored).best
        if best is None:
            raise StudyError(f"study '{name}' has no complete trial; run '{study}' again")
        yield definition, stored, best[0]


def nested_runs(workspace: Workspace, study: str, corpus: str) -> Iterator[tuple[tuple[str, ...], Run]]:
    """Speakers that each search of a nested study never saw, and the run of its best trial.

    Raises:
        StudyError: A search has no complete trial.
    """
    for definition, stored, trial in _best_trials(workspace, study):
        (run,) = runs_of(workspace, stored, [trial], corpus)
        yield definition.config.protocol.holdout, run


def nested_searches(
    workspace: Workspace, study: str, parts: Sequence[CorpusPart]
) -> tuple[EvaluatedNetworks, StudyDefinition]:
    """The networks of the best trials of a nested study's searches, and the definition of a search.

    Args:
        workspace: The project's stores.
        study: The nested study's name.
        parts: Its corpus, or corpora of its union, where they are now.

    Raises:
        StudyError: A search or its run is gone.
        ConfigError: The study has no such corpus.
    """
    searches = []
    for definition, stored, trial in _best_trials(workspace, study):
        prepared = prepare(definition.with_parts(parts), workspace.project)
        (run,) = runs_of(workspace, stored, [trial], prepared.corpus.name)
        searches.append((prepared, open_predictor(f"models:/{run.data.tags[MODEL_TAG]}")))
    if not searches:
        raise StudyError(f"the searches of the nested study '{study}' are gone from {workspace.project.storage_url}")
    return nested_networks(searches, workspace.project.cache), searches[0][0].definition
