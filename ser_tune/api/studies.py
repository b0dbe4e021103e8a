"""`study`, `train`, `nested`, `worker` and `find_lr`: training configurations, and promoting the best."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Unpack

from .. import coordination, experiments, protocol, registry, results, search, tracking
from ..errors import ConfigError, StudyError
from ..stored_names import refuse_unknown_study
from .arguments import Data, Settings, StudyFile, StudyName, located, path_or_none
from .configuration import ConfigurationFlags, StudyFlags, define, refuse_missing_corpus

if TYPE_CHECKING:
    import pandas as pd

    from ..config import SearchSettings
    from ..definition import StudyDefinition
    from ..metrics import Metric
    from ..project import Project
    from ..protocol import Prepared
    from ..registry import Promotion
    from ..results import Edge, Nested, StudyTrial
    from ..search import Front, Selection, StudyObserver, StudySummary, Workers
    from ..tracking import Workspace
    from ..training import RangeTest

__all__ = ["LearningRate", "StudyResult", "find_lr", "nested", "study", "train", "watching", "worker"]


@dataclass(frozen=True, slots=True)
class StudyResult:
    """The trials of a study, and the promotion of the best."""

    summary: "StudySummary"
    records: "Sequence[StudyTrial]"
    """All trials, those of earlier calls included."""
    objective: "Metric"
    """The metric of the scores."""
    promotion: "Promotion | None"
    """None where no trial is complete."""
    edges: "Sequence[Edge]" = ()
    """Settings whose best values lie at an end of their search range: what is better may be beyond it."""

    @property
    def trials(self) -> "pd.DataFrame":
        """A row for each trial, by number: state, validation score, seconds, and a column for each path that varies."""
        return results.trials_table(self.records, self.objective)

    @property
    def front(self) -> "Front | None":
        """The Pareto front of a study with several objectives; None of another, and where no trial is complete."""
        return self.summary.front

    @property
    def selection(self) -> "Selection | None":
        """The winner without the choice among trials, with its gains over the first and the median trial."""
        return None if self.promotion is None else self.promotion.selection

    @property
    def best(self) -> "StudyTrial | None":
        """The complete trial with the best validation score; after a confirmation, the winner's median seed."""
        best = self.summary.best
        return None if best is None else next(trial for trial in self.records if trial.number == best[0])


@dataclass(frozen=True, slots=True)
class LearningRate:
    """A suggested learning rate, and the range test that suggests it."""

    definition: "StudyDefinition"
    range_test: "RangeTest"
    """Rates, losses, and the suggestion."""


def study(
    file: StudyFile = None,
    *,
    settings: Settings = None,
    refit: bool = False,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
    **flags: Unpack[StudyFlags],
) -> StudyResult:
    """Search for the best configuration of an architecture, and promote it.

    Every trial trains one network for each speaker fold; its score is that of all validation utterances pooled, UAR
    unless study.objectives has another metric. The best trial's networks are scored once on the test speakers and
    registered as ser-CORPUS-MODEL. The same command resumes.

    Args:
        file: A study file, YAML; options win over it.
        settings: Fix any setting of `ser-tune options`; repeatable.
        refit: Register one network trained on all speakers, not the folds'.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event, in addition to MLflow.
        flags: Settings by their short names.

    Returns:
        The trials and the promotion of the best; `summary.interrupted` after Ctrl-C.

    Raises:
        SerTuneError: A setting, the corpus, a disk or a database fails.
    """
    return _run(define(file, flags, settings), refit, project, observer)


def train(
    file: StudyFile = None,
    *,
    settings: Settings = None,
    refit: bool = False,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
    **flags: Unpack[ConfigurationFlags],
) -> StudyResult:
    """Train one configuration over all folds, without a search, and promote it.

    Args:
        file: A study file, YAML; options win over it.
        settings: Fix any setting of `ser-tune options`; repeatable.
        refit: Register one network trained on all speakers, not the folds'.
        project: As in `study`.
        observer: As in `study`.
        flags: As in `study`.
    """
    return _run(define(file, flags, settings).without_search(), refit, project, observer)


def nested(
    file: StudyFile = None,
    *,
    settings: Settings = None,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
    **flags: Unpack[StudyFlags],
) -> "Nested":
    """Search once for each outer fold, which the search never uses; arguments as of `study`. Registers nothing.

    Raises:
        KeyboardInterrupt: A search was interrupted; the same call continues.
    """
    definition, project = define(file, flags, settings), located(project)
    refuse_missing_corpus(definition, project)
    lead = _lead(definition.config.study, project, observer)
    prepared = protocol.prepare(definition, project)
    workspace = tracking.Workspace(project)
    return experiments.run_nested(workspace, prepared, partial(watching, workspace, observer), lead)


def worker(
    name: StudyName,
    *,
    data: Data = None,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
) -> "StudySummary":
    """Work on a study that was started elsewhere, until it has all of its trials; promotes nothing.

    Any number of processes on any machines may. Everything but the corpus's folder is taken from the study. Another
    corpus or version of ser-tune is refused.

    Args:
        name: The study's name.
        data: The corpus's folder on this machine, or manifest's CSV file; default: as in the study.
        project: Storage and tracking store of the study; None is `Project.locate()`.
        observer: Receives this process's events, in addition to MLflow.

    Raises:
        StudyError: There is no such study, or the corpus or the version of ser-tune is another one.
        SerTuneError: The corpus, a disk or a database fails.
    """
    project = located(project)
    refuse_unknown_study(name, project)
    stored, definition = coordination.load_study(name, project)
    if "study_id" not in stored.user_attrs:
        raise StudyError(f"study '{name}' has not been started; start it with `ser-tune study`")
    prepared = protocol.prepare(definition.with_data(path_or_none(data)), project)
    with watching(tracking.Workspace(project), observer) as watcher:
        return search.run_study(prepared, project, watcher, role="joins")


def find_lr(
    file: StudyFile = None,
    *,
    settings: Settings = None,
    project: "Project | None" = None,
    observer: "StudyObserver | None" = None,
    **flags: Unpack[ConfigurationFlags],
) -> LearningRate:
    """Suggest a learning rate: train while it rises from 1e-6 to 1, and see where the loss falls.

    Learning-rate range test (Smith 2015, arXiv 1506.01186) on the training speakers of the first fold, for an epoch, or
    several of a small corpus until 100 steps.

    Args:
        file: A study file, YAML; options win over it.
        settings: Fix any setting of `ser-tune options`; repeatable.
        project: As in `study`.
        observer: As in `study`.
        flags: As in `study`.
    """
    definition, project = define(file, flags, settings), located(project)
    refuse_missing_corpus(definition, project)
    prepared = protocol.prepare(definition, project)
    found = search.find_learning_rate(prepared, project, observer or search.StudyObserver())
    return LearningRate(definition=definition, range_test=found)


@contextmanager
def watching(workspace: "Workspace", observer: "StudyObserver | None") -> "Iterator[StudyObserver]":
    """A context with the observer of a study: MLflow's, and the caller's."""
    yield search.Fanout(tracking.TrackingObserver(workspace), *([] if observer is None else [observer]))


def _lead(
    settings: "SearchSettings", project: "Project", observer: "StudyObserver | None"
) -> "Callable[[Prepared], Workers] | None":
    """Have worker processes work on a study; None where its trials are trained in this process.

    Raises:
        ConfigError: The settings do not go together, or there are fewer GPUs than workers need.
    """
    from ..execution import EXECUTORS
    from .workers import devices_of, run_workers

    name = settings.executor
    if settings.workers > 1 and (decides := EXECUTORS.get(name).decides):
        raise ConfigError(f"--workers is {settings.workers}; with --executor {name} {decides} decides, leave it out")
    if settings.workers == 1 or settings.parallel == "folds":
        return None
    if settings.trials == 1:
        raise ConfigError(f"--workers is {settings.workers} for a single trial; expected --parallel folds with it")
    devices_of(settings)
    return lambda prepared: partial(run_workers, prepared.definition, project, observer or search.StudyObserver())


def _run(
    definition: "StudyDefinition", refit: bool, project: "Project | None", observer: "StudyObserver | None"
) -> StudyResult:
    project = located(project)
    refuse_missing_corpus(definition, project)
    lead = _lead(definition.config.study, project, observer)
    prepared = protocol.prepare(definition, project)
    workspace = tracking.Workspace(project)
    with watching(workspace, observer) as watcher:
        summary = search.run_study(prepared, project, watcher, workers=None if lead is None else lead(prepared))
    stored, searched = coordination.load_study(definition.name, project)
    promotion = None
    if summary.best is not None:
        promotion = registry.promote(workspace, prepared, stored, with_refit=refit)
    records = results.trials_of(stored)
    edges = results.edges_of(searched, records)
    return StudyResult(summary, records, searched.objective, promotion, edges)
