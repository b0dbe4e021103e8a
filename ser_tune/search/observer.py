"""The events of a study, and the observer that receives them, such as a tracker or a progress display."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ..config import Value
from ..corpora import Corpus
from ..definition import StudyDefinition
from ..folds import Fold
from ..tasks import Targets

if TYPE_CHECKING:
    from ..protocol import Prepared, Protocol
    from ..resampling import Scores
    from ..training import AnyTrial, EpochReport, FittedNetwork
    from .confirmation import SearchGain
    from .front import Front
    from .stored_plan import Convergence

__all__ = [
    "INTERRUPTED",
    "TAKEN",
    "Fanout",
    "FoldOutcome",
    "StudyObserver",
    "StudyStart",
    "StudySummary",
    "TrialOutcome",
    "TrialState",
]

TrialState: TypeAlias = Literal["COMPLETE", "PRUNED", "FAIL"]

INTERRUPTED = "interrupted"
"""The reason of a trial that Ctrl-C ended; it is trained again, from the folds that are kept."""
TAKEN = "another process took it for dead, and runs it again"
"""The reason of a trial that ends after another process began to run it again."""


@dataclass(frozen=True, slots=True)
class StudyStart:
    """A study is about to run its next trial."""

    definition: StudyDefinition
    study_id: str
    """Unique, also among studies of one name."""
    corpus: Corpus
    targets: Targets
    folds: Sequence[Fold]
    protocol: "Protocol"
    trials_to_run: int
    largest_trial_bytes: int
    """Upper bound of what the models of one trial take on disk."""
    finished: Mapping[int, TrialState]
    """Trials of earlier sessions."""
    confirms: str
    """The `study_id` of the study whose configurations are trained again here; empty for any other study."""
    device: str
    """Where it trains, in words; empty where nothing is left to train."""
    notes: Sequence[str]
    """Sentences on the corpus for readers of the scores."""
    pretraining: str
    """Whether the encoder learned from the corpus: `seen`, `unknown` or `other data`; empty without an encoder."""
    before: "StudySummary"
    """The end of the last session."""


@dataclass(frozen=True, slots=True)
class FoldOutcome:
    """One trained fold."""

    fold: Fold
    fitted: "FittedNetwork"
    truth: np.ndarray
    """Targets of the validation utterances, shape (V, ...)."""
    predicted: np.ndarray
    """Predictions of the kept network for them, shape (V, ...)."""

    @classmethod
    def of(cls, fold: Fold, fitted: "FittedNetwork", prepared: "Prepared") -> "FoldOutcome":
        """A fold of a study with its trained network."""
        return cls(
            fold=fold,
            fitted=fitted,
            truth=prepared.targets.values[fold.validation],
            predicted=prepared.definition.task.decide(fitted.validation),
        )

    @property
    def kept(self) -> "EpochReport":
        """The report of the epoch whose weights were kept."""
        return self.fitted.history[self.fitted.epoch - 1]


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """The end of a trial."""

    number: int
    state: TrialState
    config: "AnyTrial"
    sampled: Mapping[str, Value]
    folds: Sequence[FoldOutcome]
    """All folds of a complete trial, the finished ones of another."""
    scores: "Scores | None"
    """On the validation utterances of the finished folds; None where there are none."""
    seconds: float
    reason: str = ""
    """Why it was pruned or failed."""
    confirms: int | None = None
    """The searched trial whose configuration it trained again on a fresh seed; None of a searched one."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The value by each objective, the primary one first; empty unless it is complete."""
    attempt: int | None = None
    """Optuna's number: a trial that is run again after an interruption keeps its number, and has another attempt."""


@dataclass(frozen=True, slots=True)
class StudySummary:
    """The end of a study."""

    name: str
    complete: int
    pruned: int
    failed: int
    best: tuple[int, float] | None
    """Number and pooled validation score of the best trial; after a confirmation, of the winner's median seed. Where
    the study prefers another objective than the first, of the trial of the front that is best by that."""
    leader: tuple[int, float] | None
    """Number and pooled validation score of the searched trial that is best by the first objective in its search."""
    first: float | None
    """Pooled validation score of the first complete trial."""
    finished: Mapping[int, TrialState]
    """Every trial that ended, of this session and of earlier ones."""
    interrupted: bool
    """By the user, or by an error."""
    failures: Sequence[str]
    """Why its last trials failed, where so many in a row have failed that it was ended (`study.max_failures`)."""
    gain: "SearchGain | None"
    """The best configurations on fresh seeds; None where the study has no such trials."""
    front: "Front | None" = None
    """The Pareto front; None with a single objective, and where no searched trial is complete."""
    converged: "Convergence | None" = None
    """The reason of a search's early end; None where there was none."""
    running: int = 0
    """Trials that other processes are running: the last of them ends the study."""


class StudyObserver:
    """Events of a study, in order; every method does nothing until it is overridden."""

    def study_started(self, start: StudyStart) -> None:
        """Called once, before the first trial; raising ends the study."""

    def listening_progressed(self, done: int, total: int) -> None:
        """Called while recordings are decoded, to be compared."""

    def extraction_progressed(self, done: int, total: int) -> None:
        """Called while features are extracted."""

    def trial_started(self, number: int, config: "AnyTrial", sampled: Mapping[str, Value]) -> None:
        """Called before a trial's first fold."""

    def epoch_finished(self, trial: int, fold: int, report: "EpochReport") -> None:
        """Called after every epoch, with the numbers of its trial and fold."""

    def fold_finished(self, trial: int, fold: FoldOutcome, *, stored: bool) -> None:
        """Called after every fold; `stored`: it was trained, and its epochs reported, before an interruption."""

    def trial_finished(self, outcome: TrialOutcome) -> None:
        """Called once a trial, however it ended; again, as failed, where another process had taken it for dead."""

    def study_finished(self, summary: StudySummary) -> None:
        """Called once, also after an interruption."""


class Fanout(StudyObserver):
    """Passes every event on to several observers, in order; the first to raise ends the study."""

    def __init__(self, *observers: StudyObserver) -> None:
        """Combine observers; events go to each of them in this order."""
        self._observers = observers


def _passed_on(event: str) -> Callable[..., None]:
    def pass_on(self: Fanout, *arguments: object, **keywords: object) -> None:
        for observer in self._observers:
            getattr(observer, event)(*arguments, **keywords)

    return pass_on


for _event in vars(StudyObserver):
    if not _event.startswith("_"):
        setattr(Fanout, _event, _passed_on(_event))
