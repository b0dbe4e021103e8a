"""A trial: its folds, trained in order, to the pooled validation scores, however it was proposed.

No test utterance is read here: folds hand over their training and validation sides only.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from ..config import Value
from ..coordination import FoldStore
from ..errors import UndefinedScoreError
from ..metrics import Ranking
from ..objectives import CompleteTrial
from ..protocol import Prepared
from ..resampling import Scores, score
from ..training import AnyTrial, EpochReport, FittedNetwork, FoldJob, recipe_of
from .observer import INTERRUPTED, TAKEN, FoldOutcome, StudyObserver, TrialOutcome, TrialState
from .trainer import Trainer

__all__ = ["Judge", "Proposal", "TakenError", "pooled_scores", "run_trial"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to train."""

    number: int
    config: AnyTrial
    """Concrete."""
    sampled: Mapping[str, Value]
    """Values of what varies: dotted path to value."""
    confirms: int | None = None
    """The searched trial whose configuration is trained again on a fresh seed; None in a search."""
    attempt: int | None = None
    """Optuna's number, by which a trial that is run again after an interruption differs from the interrupted one."""


class Judge(Protocol):
    """The rule for the order of a trial's folds, and for stopping the trial early.

    Its methods return the reason, or an empty text where the trial goes on.
    """

    order: Sequence[int]
    """Positions of the folds."""

    def after_epoch(self, position: int, report: EpochReport) -> str:
        """Called after every epoch, with the fold's position."""

    def after_fold(self, position: int, score: float) -> str:
        """Called after every fold, with its position and the validation score of the network that it kept.

        Raises:
            TakenError: The trial is no longer this process's.
        """


class TakenError(Exception):
    """Another process took the trial for dead, and runs it again."""


class _GivenUp(Exception):  # noqa: N818 - no error
    """The judge's reason."""


def run_trial(
    proposal: Proposal, trainer: Trainer, *, store: FoldStore, judge: Judge, observer: StudyObserver
) -> TrialOutcome:
    """Train all folds of a proposal that the store does not have, or as many as the judge allows.

    Folds may be trained at once; they are judged and reported in the judge's order, so that the way of training does
    not change the trial's end.

    Args:
        proposal: The trial.
        trainer: Trains it, on the folds of its study.
        store: Gets every fold that is trained; the caller removes them.
        judge: Called after every epoch and every fold.
        observer: Receives every event, including a failure.

    Returns:
        The trial's end: `COMPLETE` or `PRUNED`.

    Raises:
        Exception: The error of a fold or the observer; the observer has received the trial as failed.
    """
    run = _Run(proposal, trainer, store, judge, observer)
    observer.trial_started(proposal.number, proposal.config, proposal.sampled)
    try:
        run.train()
    except _GivenUp as given_up:
        return run.end("PRUNED", str(given_up))
    except KeyboardInterrupt:
        run.end("FAIL", INTERRUPTED)
        raise
    except TakenError:
        run.end("FAIL", TAKEN)
        raise
    except Exception as error:
        run.end("FAIL", f"{type(error).__name__}: {error}")
        raise
    return run.end("COMPLETE")


class _Run:
    """A trial that is trained now: its folds so far, and the time that they took."""

    def __init__(
        self, proposal: Proposal, trainer: Trainer, store: FoldStore, judge: Judge, observer: StudyObserver
    ) -> None:
        self._proposal, self._trainer, self._prepared = proposal, trainer, trainer.prepared
        self._store, self._judge, self._observer = store, judge, observer
        self._started, self._earlier_s, self._done = time.perf_counter(), 0.0, list[FoldOutcome]()
        self._values: Mapping[str, float] = {}

    def train(self) -> None:
        """Train and judge all folds, or take them from the store.

        Raises:
            _GivenUp: The judge ends the trial.
            UndefinedScoreError: An objective is not defined for its predictions.
        """
        folds, config = self._prepared.folds, self._proposal.config
        jobs = {position: self._trainer.job(config, folds[position]) for position in self._judge.order}
        known = {position: self._store.get(job) for position, job in jobs.items()}
        missing = {position: job for position, job in jobs.items() if known[position] is None}
        with closing(self._trained(missing)) as results:
            for position, stored in known.items():
                for report in () if stored is None else stored.history:
                    self._earlier_s += report.seconds
                    self._judge_epoch(position, report)
                outcome = FoldOutcome.of(folds[position], stored or next(results), self._prepared)
                self._done.append(outcome)
                self._observer.fold_finished(self._proposal.number, outcome, stored=stored is not None)
                reason = self._judge.after_fold(position, outcome.kept.score)
                if reason and len(self._done) < len(folds):
                    raise _GivenUp(reason)
        self._refuse_undefined()
        self._values = self._by_objective()

    def end(self, state: TrialState, reason: str = "") -> TrialOutcome:
        """Report the trial's end."""
        outcome = TrialOutcome(
            number=self._proposal.number,
            attempt=self._proposal.attempt,
            state=state,
            config=self._proposal.config,
            sampled=self._proposal.sampled,
            confirms=self._proposal.confirms,
            folds=tuple(sorted(self._done, key=lambda done: done.fold.number)),
            scores=self._scores if self._done else None,
            values=self._values,
            seconds=self._earlier_s + time.perf_counter() - self._started,
            reason=reason,
        )
        self._observer.trial_finished(outcome)
        return outcome

    def _trained(self, jobs: Mapping[int, FoldJob]) -> Generator[FittedNetwork, None, None]:
        """Train jobs, by their folds' positions, and keep each result in the store."""
        positions, to_train = list(jobs), list(jobs.values())

        def on_epoch(number: int, report: EpochReport) -> None:
            fold = self._prepared.folds[positions[number]]
            self._observer.epoch_finished(self._proposal.number, fold.number, report)
            self._judge_epoch(positions[number], report)

        def keep(number: int, fitted: FittedNetwork) -> None:
            self._store.put(to_train[number], fitted)

        return self._trainer.executor.run(to_train, on_epoch=on_epoch, keep=keep)

    def _judge_epoch(self, position: int, report: EpochReport) -> None:
        if reason := self._judge.after_epoch(position, report):
            raise _GivenUp(reason)

    @cached_property
    def _scores(self) -> Scores:
        """Scores of the folds so far; read when no fold is to follow."""
        return pooled_scores(self._prepared, self._done)

    def _by_objective(self) -> Mapping[str, float]:
        """The value by each objective.

        Raises:
            UndefinedScoreError: A further objective is not defined for its predictions.
        """
        definition, targets = self._prepared.definition, self._prepared.targets
        config, done = self._proposal.config, sorted(self._done, key=lambda fold: fold.fold.number)
        values = {definition.objective.name: self._scores[definition.objective.name].value}
        if not definition.further:
            return values
        complete = CompleteTrial(
            recipe=recipe_of(config, targets.names, definition.goal),
            corpus=self._prepared.corpus,
            targets=targets,
            networks=[fold.fitted for fold in done],
            validation=[fold.fold.validation for fold in done],
            predicted=[fold.predicted for fold in done],
            scores=self._scores,
            threads=config.training.threads,
            cache=self._trainer.cache,
            progressed=self._observer.extraction_progressed,
        )
        values |= {objective.name: objective.value(complete) for objective in definition.further}
        for objective in definition.further:
            if Ranking.is_missing(values[objective.name]):
                raise UndefinedScoreError(f"{objective.name} of its predictions is not defined")
        return values

    def _refuse_undefined(self) -> None:
        """Raise where the objective is not defined for the validation utterances of all folds together."""
        objective = self._prepared.definition.objective
        truth = np.concatenate([done.truth for done in self._done])
        predicted = np.concatenate([done.predicted for done in self._done])
        if Ranking(objective).is_missing(objective.score(truth, predicted, len(self._prepared.targets.names))):
            raise UndefinedScoreError(f"the pooled validation {objective.title} of its predictions is not defined")


def pooled_scores(prepared: Prepared, folds: Sequence[FoldOutcome]) -> Scores:
    """Scores of the validation utterances of a study's trained folds, by all of its metrics."""
    speakers = prepared.corpus.speaker_numbers
    judged = [(fold.truth, fold.predicted, speakers[fold.fold.validation]) for fold in folds]
    return score(judged, prepared.definition.metrics, len(prepared.targets.names))
