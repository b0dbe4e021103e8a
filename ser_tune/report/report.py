"""What a report holds: a run's scores and predictions, and the study that found its configuration."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
from mlflow import MlflowClient
from mlflow.entities import Run

from ..config import Project
from ..coordination import load_study
from ..definition import StudyDefinition
from ..errors import SerTuneError, StudyError
from ..folds import SIDES
from ..metrics import Metric, Ranking
from ..protocol import Protocol
from ..results.references import find_run
from ..results.trials import StudyTrial, trials_of, trials_table
from ..search import Selection, StudySummary, fold_scores, summarise
from ..tracking import (
    CONFIRMED_TAG,
    NOTES_TAG,
    STUDY_NAME_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Predictions,
    best_first,
    find_runs,
    is_complete,
    networks_of,
    protocol_of,
    read_predictions,
    read_selection,
    tracking_errors,
)
from .importance import importances
from .mistakes import Mistake, mistakes_of
from .recordings import Recordings, find_recordings

if TYPE_CHECKING:
    import pandas as pd

    from ..drawing import Picture
    from ..tasks import Task

__all__ = ["Report", "Search", "report"]

MOST_TRIALS = 50
"""Trials, the best ones, whose predictions are read to find the utterances that are wrong most often."""
GAINS, GAIN = "gain_over_", "gain_over_first"
"""Beginning of the names of gains, and a gain that only a choice among several trials has."""
LOSSES = ("train_loss", "validation_loss")
"""Of every fold; their histories are drawn, and that of the objective."""


@dataclass(frozen=True, slots=True)
class Search:
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
        """What ranks the trials."""
        return self.definition.objective

    @property
    def ranking(self) -> Ranking:
        """Compares scores of trials."""
        return Ranking(self.objective)


_FOLDERS = re.compile(r"(?<![\w.…])/(?:[^/'\";:,\n]*[^/'\";:,\s]/)+")
"""Absolute folders in a sentence."""


@dataclass(frozen=True)
class Report:
    """The evidence of one result."""

    reference: str
    """As the user named it."""
    run_id: str
    trial: int | None
    """None of a combination."""
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    notes: str
    """What limits the meaning of the scores, and the text-only baseline; empty where there is nothing to say."""
    versions: Mapping[str, str]
    """Packages that trained it."""
    protocol: Protocol
    predictions: Mapping[str, Predictions]
    """Of each scored side that has them."""
    curves: Mapping[str, Sequence[Sequence[float]]]
    """Metric to its values after every epoch of each fold; empty of a combination."""
    search: Search | None
    """None of a combination, and where Optuna's storage does not have the study."""
    mistakes: Sequence[Mistake]
    """The utterances that are wrong most often."""
    recordings: Recordings | None
    """None where the corpus is not where it was."""
    missing: str
    """Why there are no recordings; empty where there are."""
    with_audio: bool
    """Whether the page contains sound."""
    networks: Mapping[str, str]
    """Of each side how many networks judge an utterance together."""

    @property
    def task(self) -> "Task":
        """What was recognised."""
        return self.protocol.task

    @property
    def scored(self) -> Sequence[Metric]:
        """What was computed of predictions; the first is the objective."""
        return self.protocol.metrics

    @property
    def objective(self) -> Metric:
        """What ranked the trials."""
        return self.protocol.objective

    @property
    def of_classes(self) -> bool:
        """Whether classes were predicted: only these have confusions, recalls, calibration and frequent mistakes."""
        return _predicts_classes(self.protocol)

    @property
    def missing_for_readers(self) -> str:
        """Why there are no recordings, without the folders of this machine: pages are passed on."""
        return _FOLDERS.sub("…/", self.missing)

    @property
    def sides(self) -> list[str]:
        """Scored sides, in the order of `SIDES`."""
        return [side for side in SIDES if f"{side}_{self.objective.name}" in self.metrics]

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
        table = trials_table(self.search.trials if self.search else [], self.protocol.objective)
        # Of validation, where an utterance is judged by the networks of its fold
        table["networks"] = table["model.networks"] if "model.networks" in table else self.networks["validation"]
        return table

    @property
    def html(self) -> str:
        """The page: self-contained, without any address outside of it."""
        from .page import page_of  # draws

        return page_of(self)

    @cached_property
    def pictures(self) -> "Mapping[str, Picture]":
        """The page's pictures, by name."""
        from .pictures import pictures_of  # draws

        return pictures_of(self)

    @property
    def latex(self) -> str:
        """Tables for a paper."""
        from .paper import latex_of

        return latex_of(self)

    @property
    def bibtex(self) -> str:
        """An entry for everything that was used."""
        from .paper import bibtex_of

        return bibtex_of(self)


def report(
    client: MlflowClient, project: Project, reference: str, *, data: Path | None = None, with_audio: bool = True
) -> Report:
    """Collect the evidence of a result.

    Args:
        client: MLflow.
        project: Where Optuna's storage is.
        reference: A study (its best trial, or `STUDY:TRIAL`), a registered model or a run.
        data: Where the corpus is now; None is where it was.
        with_audio: Whether the page contains the sound of the utterances that are wrong most often.

    Raises:
        RegistryError: There is no such result, or its trial did not complete.
        StorageError: The tracking store fails.
    """
    with tracking_errors(client.tracking_uri):
        run = find_run(client, reference)
        tags = run.data.tags
        read = {side: read_predictions(client, run, side) for side in SIDES}
        protocol, search = protocol_of(run), _search(client, project, run)
        curves = _curves(client, run, protocol.objective)
        reported = read["validation"] if _predicts_classes(protocol) else None
        others = [] if reported is None else _other_predictions(client, run)
    predictions = {side: one for side, one in read.items() if one is not None}
    recordings, missing = _recordings(search, protocol, project, data)
    return Report(
        reference=reference,
        run_id=run.info.run_id,
        trial=int(tags[TRIAL_TAG]) if TRIAL_TAG in tags else None,
        params=run.data.params,
        metrics=run.data.metrics,
        notes=tags.get(NOTES_TAG, ""),
        versions={name.removeprefix("version."): tags[name] for name in sorted(tags) if name.startswith("version.")},
        protocol=protocol,
        predictions=predictions,
        curves=curves,
        search=search,
        mistakes=[] if reported is None else mistakes_of(reported, others),
        recordings=recordings,
        missing=missing,
        with_audio=with_audio,
        networks={side: networks_of(run, side) for side in SIDES},
    )


def _predicts_classes(protocol: Protocol) -> bool:
    return protocol.task.predictions == "classes"


def _recordings(
    search: Search | None, protocol: Protocol, project: Project, data: Path | None
) -> tuple[Recordings | None, str]:
    """The corpus as it is now, or why there is none."""
    if search is None:
        return None, "Optuna's storage does not have the study, which names the corpus's place"
    try:
        return find_recordings(search.definition.with_data(data), protocol, project), ""
    except (SerTuneError, OSError) as error:
        return None, str(error)


def _other_predictions(client: MlflowClient, run: Run) -> list[Predictions]:
    """Validation predictions of the other complete searched trials of a run's study, the best ones."""
    if STUDY_TAG not in run.data.tags or TRIAL_TAG not in run.data.tags:
        return []
    _, trials = find_runs(client, run.info.experiment_id, run.data.tags[STUDY_TAG])
    complete = [
        one
        for one in trials.values()
        if is_complete(one) and CONFIRMED_TAG not in one.data.tags and one.info.run_id != run.info.run_id
    ]
    read = (read_predictions(client, one, "validation") for one in best_first(complete)[:MOST_TRIALS])
    return [one for one in read if one is not None]


def _curves(client: MlflowClient, run: Run, objective: Metric) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = {}
    for name in (*LOSSES, f"validation_{objective.name}"):
        keys = sorted(key for key in run.data.metrics if key.startswith("fold_") and key.endswith(f"/{name}"))
        histories = [client.get_metric_history(run.info.run_id, key) for key in keys]
        if histories:
            found[name] = [[one.value for one in sorted(points, key=lambda one: one.step)] for points in histories]
    return found


def _search(client: MlflowClient, project: Project, run: Run) -> Search | None:
    """The run's study, where Optuna's storage has it: a study of the same name may be another."""
    tags = run.data.tags
    with suppress(StudyError):
        if STUDY_NAME_TAG in tags:
            study, definition = load_study(tags[STUDY_NAME_TAG], project)
            if study.user_attrs.get("study_id") == tags[STUDY_TAG]:
                return _search_of(study, definition, read_selection(client, run.info.experiment_id, study))
    return None


def _search_of(study: optuna.Study, definition: StudyDefinition, selection: Selection | None) -> Search:
    trials = trials_of(study)
    scores = {one.number: fold_scores(one) for one in study.get_trials(deepcopy=False)}
    return Search(
        definition=definition,
        summary=summarise(study),
        trials=trials,
        importances=importances(study),
        folds={
            one.number: scores[one.number]
            for one in trials
            if one.state == "COMPLETE" and one.confirms is None and scores[one.number]
        },
        selection=selection,
    )
