"""Scores of a nested study: inside its searches, on speakers that they never saw, and the optimism between them."""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from mlflow.entities import Run

from ..coordination import study_names
from ..errors import StudyError
from ..metrics import Metric, Ranking
from ..protocol import Protocol, prepare
from ..resampling import UNKNOWN, Interval, Scores, mean_interval
from ..search import Selection, summarise
from ..tracking import (
    MODEL_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    UNKNOWN_NETWORKS,
    Predictions,
    Workspace,
    open_predictor,
    score_of,
    search_runs,
)
from .judges import OuterSearches
from .stored_runs import runs_of

__all__ = ["Nested", "OuterFold", "find_nested", "inner_name", "is_nested", "outer_searches"]


@dataclass(frozen=True, slots=True)
class OuterFold:
    """One search, and its best trial's predictions of the speakers that it never saw."""

    study: str
    speakers: tuple[str, ...]
    best_trial: int
    inner_score: float
    """Pooled validation score of the best trial, which chose it."""
    inner_interval: Interval
    """Of that, by bootstrap over speakers."""
    outer_single: Mapping[str, float]
    """Of each speaker that it never saw: score of its single networks, mean over them."""
    validation: Predictions
    """Of the best trial: each speaker by the single network that they validate."""
    predictions: Predictions
    """Of all its networks together, on the speakers that it never saw."""
    networks: str = UNKNOWN_NETWORKS
    """How many these are."""
    selection: Selection | None = None
    """Its best trial without the choice, on the speakers that chose it; None where predictions of trials are gone."""

    @property
    def outer_single_score(self) -> float:
        """Mean over the speakers that it never saw, and that have a score; NaN where none has."""
        return _mean([one for one in self.outer_single.values() if not math.isnan(one)])


@dataclass(frozen=True, slots=True)
class Nested:
    """What the whole procedure, search included, is worth on speakers that it never saw."""

    study: str
    """Its name."""
    folds: Sequence[OuterFold]
    outer: Scores
    """Pooled over the outer folds."""
    protocol: Protocol
    objective: Metric
    """What the searches maximised or minimised; all scores but `outer` are of it."""

    @property
    def networks(self) -> str:
        """How many networks judge together for the outer scores; several numbers where searches differ."""
        return ", ".join(sorted({one.networks for one in self.folds}, key=lambda one: (len(one), one)))

    @property
    def by_speaker(self) -> Mapping[str, tuple[float, float]]:
        """Of each speaker who has both the inner and the outer score, over the targets that the speaker has.

        Both are of single networks that did not train on the speaker. Inner: the mean over the searches that saw the
        speaker, who had a say in what they chose. Outer: in the one search that did not.
        """
        inner = defaultdict(list)
        for fold in self.folds:
            said = fold.validation
            for number, speaker in enumerate(sorted(set(said.speakers))):
                own = said.speaker_numbers == number
                score = self.objective.score(said.truth[own], said.predicted[own], len(said.names))
                if not math.isnan(score):  # not every metric has a value where all targets of a speaker are the same
                    inner[speaker].append(score)
        outer = {speaker: score for fold in self.folds for speaker, score in fold.outer_single.items()}
        known = sorted(one for one in inner if one in outer and not math.isnan(outer[one]))
        return {one: (_mean(inner[one]), outer[one]) for one in known}

    @property
    def inner_score(self) -> float:
        """Mean over the speakers."""
        return _mean([inner for inner, _ in self.by_speaker.values()])

    @property
    def outer_single_score(self) -> float:
        """Mean over the speakers; `outer` is of the networks together."""
        return _mean([outer for _, outer in self.by_speaker.values()])

    @property
    def optimism(self) -> float:
        """By how much the inner score of a speaker is better than the outer one, mean over the speakers.

        Where higher is better that is the inner less the outer score; a positive number is what the search promised too
        much.
        """
        return Ranking(self.objective).gain(self.inner_score, self.outer_single_score)

    @property
    def optimism_interval(self) -> Interval:
        """Of the optimism, 95 %, by bootstrap over speakers."""
        gain = Ranking(self.objective).gain
        gains = np.array([gain(*both) for both in self.by_speaker.values()])
        return mean_interval(self.objective, gains) if len(gains) else UNKNOWN


def _mean(scores: Sequence[float]) -> float:
    """NaN of none."""
    return float(np.mean(scores)) if scores else math.nan


def inner_name(study: str, number: int) -> str:
    """Name the search of a nested study that never sees the speakers of an outer fold."""
    return f"{study}-outer{number:02d}"


def find_nested(workspace: Workspace, study: str) -> Run | None:
    """The run of a nested study's scores; None where there is none of this name."""
    if not re.fullmatch(r"[\w.-]+", study):
        return None
    return next(filter(is_nested, search_runs(workspace, tags={STUDY_NAME_TAG: study})), None)


def is_nested(run: Run) -> bool:
    """Whether it is the run of a nested study's scores."""
    return STUDY_TAG not in run.data.tags and score_of(run, "outer") is not None


def outer_searches(workspace: Workspace, study: str, data: Path | None) -> OuterSearches:
    """Each search of a nested study, with the networks of its best trial.

    Args:
        workspace: The project's stores.
        study: The nested study's name.
        data: Where its corpus is now; None is where it was.

    Raises:
        StudyError: A search or its run is gone.
    """
    names, searches = study_names(workspace.project), []
    for number in count():
        if inner_name(study, number) not in names:
            break
        stored, definition = workspace.study(inner_name(study, number))
        prepared = prepare(definition.with_data(data), workspace.project)
        best = summarise(stored).best
        if best is None:
            raise StudyError(f"study '{stored.study_name}' has no complete trial; run '{study}' again")
        (run,) = runs_of(workspace, stored, [best[0]], prepared.corpus.name)
        searches.append((prepared, open_predictor(f"models:/{run.data.tags[MODEL_TAG]}")))
    if not searches:
        raise StudyError(f"the searches of the nested study '{study}' are gone from {workspace.project.storage_url}")
    return OuterSearches.of(searches, workspace.project.cache)
