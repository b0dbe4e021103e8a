"""`study`, `train`, `nested`, `find_lr`: training configurations, and promoting the best."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from ..config import Project, SearchSettings
from ..coordination import load_study
from ..definition import StudyDefinition
from ..errors import ConfigError
from ..execution import EXECUTORS
from ..experiments import run_nested
from ..metrics import Metric
from ..protocol import Prepared, prepare
from ..registry import Promotion
from ..registry import promote as promote_in_registry
from ..results import Edge, Nested, StudyTrial, edges_of, trials_of, trials_table
from ..search import Fanout, Selection, StudyObserver, StudySummary, Workers, find_learning_rate, run_study
from ..tracking import TrackingObserver, Workspace
from ..training import RangeTest
from .flags import ConfigurationFlags, StudyFlags, define
from .workers import devices_of, run_workers

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LearningRate", "StudyResult", "StudyTrial", "find_lr", "nested", "study", "train", "watching"]


@dataclass(frozen=True, slots=True)
class StudyResult:
    """What came of a study."""

    summary: StudySummary
    records: Sequence[StudyTrial]
    """All trials, those of earlier calls included."""
    objective: Metric
    """What scores are of."""
    promotion: Promotion | None
    """What became of the best trial; None where no trial is complete."""
    edges: Sequence[Edge] = ()
    """Settings whose best values lie at an end of their search range: what is better may be beyond it."""

    @property
    def trials(self) -> "pd.DataFrame":
        """A row for each trial, by number: state, validation score, seconds, and a column for each path that varies."""
        return trials_table(self.records, self.objective)

    @property
    def selection(self) -> Selection | None:
        """The winner without the choice among trials, with its gains over the first and the median trial."""
        return None if self.promotion is None else self.promotion.selection

    @property
    def best(self) -> StudyTrial | None:
        """The complete trial with the best validation score; after a confirmation, the winner's median seed."""
        best = self.summary.best
        return None if best is None else next(one for one in self.records if one.number == best[0])


@dataclass(frozen=True, slots=True)
class LearningRate:
    """A suggested learning rate, and why."""

    definition: StudyDefinition
    range_test: RangeTest
    """Rates, losses, and the suggestion."""


def study(
    file: str | Path | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    refit: bool = False,
    project: Project | None = None,
    observer: StudyObserver | None = None,
    **flags: Unpack[StudyFlags],
) -> StudyResult:
    """Search for the best configuration of an architecture, and promote it. The same call resumes.

    Args:
        file: A study file.
        settings: Dotted path to value; they win over file and flags.
        refit: Whether to register one network trained on all speakers instead of the folds'.
        project: Where things are; None is `Project.locate()`.
        observer: Receives every event, in addition to MLflow.
        flags: As on the command line.

    Returns:
        The trials and the promotion of the best; `summary.interrupted` after Ctrl-C.

    Raises:
        SerTuneError: A setting, the corpus, a disk or a database fails.
    """
    return _run(define(file, flags, settings), refit, project, observer)


def train(
    file: str | Path | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    refit: bool = False,
    project: Project | None = None,
    observer: StudyObserver | None = None,
    **flags: Unpack[ConfigurationFlags],
) -> StudyResult:
    """Train one configuration over all folds, without a search, and promote it; arguments as of `study`."""
    return _run(define(file, flags, settings).without_search(), refit, project, observer)


def nested(
    file: str | Path | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    project: Project | None = None,
    observer: StudyObserver | None = None,
    **flags: Unpack[StudyFlags],
) -> Nested:
    """Search once for each outer fold, which the search never sees; arguments as of `study`. Registers nothing.

    Raises:
        KeyboardInterrupt: A search was interrupted; the same call goes on from there.
    """
    definition, project = define(file, flags, settings), project or Project.locate()
    lead = _lead(definition.config.study, project, observer)
    prepared = prepare(definition, project)
    workspace = Workspace(project)
    return run_nested(workspace, prepared, partial(watching, workspace, observer), lead)


def find_lr(
    file: str | Path | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    project: Project | None = None,
    observer: StudyObserver | None = None,
    **flags: Unpack[ConfigurationFlags],
) -> LearningRate:
    """Suggest a learning rate by a range test on the training speakers of the first fold; arguments as of `study`."""
    definition, project = define(file, flags, settings), project or Project.locate()
    found = find_learning_rate(prepare(definition, project), project, observer or StudyObserver())
    return LearningRate(definition=definition, range_test=found)


@contextmanager
def watching(workspace: Workspace, observer: StudyObserver | None) -> Iterator[StudyObserver]:
    """What watches a study: MLflow, and the caller's observer."""
    yield Fanout(TrackingObserver(workspace), *([] if observer is None else [observer]))


def _lead(
    settings: SearchSettings, project: Project, observer: StudyObserver | None
) -> Callable[[Prepared], Workers] | None:
    """What has worker processes work on a study; None where its trials are trained in this process.

    Raises:
        ConfigError: The settings do not go together, or there are fewer GPUs than workers need.
    """
    name = settings.executor
    if settings.workers > 1 and (decides := EXECUTORS.get(name).decides):
        raise ConfigError(f"--workers is {settings.workers}; with --executor {name} {decides} decides, leave it out")
    if settings.workers == 1 or settings.parallel == "folds":
        return None
    if settings.trials == 1:
        raise ConfigError(f"--workers is {settings.workers} for a single trial; expected --parallel folds with it")
    devices_of(settings)
    return lambda prepared: partial(run_workers, prepared.definition, project, observer or StudyObserver())


def _run(
    definition: StudyDefinition, refit: bool, project: Project | None, observer: StudyObserver | None
) -> StudyResult:
    project = project or Project.locate()
    lead = _lead(definition.config.study, project, observer)
    prepared = prepare(definition, project)
    workspace = Workspace(project)
    with watching(workspace, observer) as watcher:
        summary = run_study(prepared, project, watcher, workers=None if lead is None else lead(prepared))
    stored, searched = load_study(definition.name, project)
    promotion = None
    if summary.best is not None:
        promotion = promote_in_registry(workspace, prepared, stored, with_refit=refit)
    records = trials_of(stored)
    return StudyResult(
        summary=summary,
        records=records,
        objective=searched.objective,
        promotion=promotion,
        edges=edges_of(searched, records),
    )
