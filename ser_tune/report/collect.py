"""`report`: the evidence of a run, read from MLflow, Optuna's storage and the corpus; its pictures in MLflow."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.entities import Run

from ..errors import SerTuneError, StorageError
from ..folds import SIDES
from ..metrics import Metric
from ..project import Project
from ..protocol import Protocol
from ..results import find_run, read_heard
from ..tracking import (
    CONFIRMED_TAG,
    CORPUS_TAG,
    NOTES_TAG,
    STUDY_TAG,
    TRIAL_TAG,
    Predictions,
    Workspace,
    best_first,
    find_runs,
    is_complete,
    networks_of,
    protocol_of,
    read_predictions,
    readers_of,
)
from .mistakes import Mistake, mistakes_of
from .reported import ReportedResult, ReportedSearch
from .scored_recordings import ScoredRecordings, find_recordings
from .searched import read_search

if TYPE_CHECKING:
    from ..drawing import Picture

__all__ = ["Report", "log_pictures", "report"]

FOLDER = "report"
"""Folder of pictures in the run's artifacts."""
LOSSES = ("train_loss", "validation_loss")
"""Losses of every fold whose histories are drawn, beside that of the objective."""
MOST_TRIALS = 50
"""Trials, the best ones, whose predictions are read to find the utterances that are wrong most often."""


@dataclass(frozen=True)
class Report(ReportedResult):
    """A reported result as a page, as pictures, as LaTeX and as BibTeX."""

    @property
    def html(self) -> str:
        """The page: self-contained, without any address outside of it."""
        from .page import page_of

        return page_of(self, self.pictures)

    @cached_property
    def pictures(self) -> "Mapping[str, Picture]":
        """The page's pictures, by name."""
        from .pictures import pictures_of  # imports Matplotlib

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


def report(workspace: Workspace, reference: str, *, data: Path | None = None, with_audio: bool = True) -> Report:
    """Collect the evidence of a result.

    Args:
        workspace: The project's stores.
        reference: A study (its best trial, or `STUDY:TRIAL`), a registered model or a run.
        data: Where the corpus is now; None is where it was.
        with_audio: Whether the page contains the sound of the utterances that are wrong most often.

    Raises:
        RegistryError: There is no such result, or its trial did not complete.
        StorageError: The tracking store fails.
    """
    with workspace.errors():
        run = find_run(workspace, reference)
        protocol, search = protocol_of(run), read_search(workspace, run)
        read = {side: read_predictions(workspace, run, side) for side in SIDES}
        predictions = {side: found for side, found in read.items() if found is not None}
        curves = _curves(workspace, run, protocol.objective)
        mistakes = _mistakes(workspace, run, protocol, predictions)
        heard = read_heard(workspace, run.info.run_id, protocol.corpus, protocol.objective)
    recordings, missing = _recordings(search, protocol, workspace.project, data)
    tags = run.data.tags
    return Report(
        reference=reference,
        run_id=run.info.run_id,
        trial=int(tags[TRIAL_TAG]) if TRIAL_TAG in tags else None,
        params=run.data.params,
        metrics=run.data.metrics,
        notes=tags.get(NOTES_TAG, ""),
        versions={name.removeprefix("version."): tags[name] for name in sorted(tags) if name.startswith("version.")},
        protocol=protocol,
        corpus=tags.get(CORPUS_TAG, protocol.corpus),
        readers=readers_of(run),
        predictions=predictions,
        curves=curves,
        search=search,
        mistakes=mistakes,
        heard=heard,
        recordings=recordings,
        missing=missing,
        with_audio=with_audio,
        networks={side: networks_of(run, side) for side in SIDES},
    )


def log_pictures(workspace: Workspace, report: Report) -> None:
    """Store every picture as SVG in the artifacts of the run; pictures of an earlier report are replaced.

    Raises:
        StorageError: The tracking store fails.
    """
    with tempfile.TemporaryDirectory(prefix="ser-tune-") as temporary, workspace.errors():
        for name, picture in report.pictures.items():
            Path(temporary, f"{name}.svg").write_bytes(picture.svg)
            if picture.names:
                Path(temporary, f"{name}.labels.txt").write_text(picture.names, encoding="utf-8")
        try:
            workspace.client.log_artifacts(report.run_id, temporary, FOLDER)
        except OSError as error:
            raise StorageError(f"the pictures cannot be stored in MLflow: {error.strerror or error}") from None


def _mistakes(
    workspace: Workspace, run: Run, protocol: Protocol, predictions: Mapping[str, Predictions]
) -> list[Mistake]:
    """The utterances that a run and the other trials of its study get wrong; none where no classes are predicted."""
    if protocol.task.predictions != "classes" or "validation" not in predictions:
        return []
    return mistakes_of(predictions["validation"], _other_predictions(workspace, run))


def _other_predictions(workspace: Workspace, run: Run) -> list[Predictions]:
    """Validation predictions of the other complete searched trials of a run's study, the best ones."""
    if STUDY_TAG not in run.data.tags or TRIAL_TAG not in run.data.tags:
        return []
    _, trials = find_runs(workspace, run.info.experiment_id, run.data.tags[STUDY_TAG])
    others = [
        trial
        for trial in trials.values()
        if is_complete(trial) and CONFIRMED_TAG not in trial.data.tags and trial.info.run_id != run.info.run_id
    ]
    read = (read_predictions(workspace, trial, "validation") for trial in best_first(others)[:MOST_TRIALS])
    return [predictions for predictions in read if predictions is not None]


def _curves(workspace: Workspace, run: Run, objective: Metric) -> dict[str, list[list[float]]]:
    """Losses and scores after each epoch, by metric, for each fold."""
    found: dict[str, list[list[float]]] = {}
    for name in (*LOSSES, f"validation_{objective.name}"):
        keys = sorted(key for key in run.data.metrics if key.startswith("fold_") and key.endswith(f"/{name}"))
        histories = [workspace.client.get_metric_history(run.info.run_id, key) for key in keys]
        if histories:
            found[name] = [
                [point.value for point in sorted(points, key=lambda point: point.step)] for points in histories
            ]
    return found


def _recordings(
    search: ReportedSearch | None, protocol: Protocol, project: Project, data: Path | None
) -> tuple[ScoredRecordings | None, str]:
    """The corpus as it is now, or why there is none."""
    if search is None:
        return None, "Optuna's storage does not have the study, which names the corpus's place"
    try:
        return find_recordings(search.definition.with_data(data), protocol, project), ""
    except (SerTuneError, OSError) as error:
        return None, str(error)
