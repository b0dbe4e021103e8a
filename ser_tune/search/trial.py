"""A trial: its folds, trained in order, to the pooled validation scores. Nothing here knows how it was proposed.

Nothing here reads a test utterance: folds hand over their training and validation sides only.
"""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from ..config import Value
from ..coordination import FoldStore
from ..errors import UndefinedScoreError
from ..metrics import Ranking
from ..protocol import Prepared
from ..resampling import Scores, score
from ..training import AnyTrial, EpochReport, FittedNetwork, FoldJob
from .observer import FoldOutcome, StudyObserver, TrialOutcome, TrialState
from .trainer import Trainer

__all__ = ["TAKEN", "Judge", "Proposal", "TakenError", "pooled_scores", "run_trial"]


TAKEN = "another process took it for dead, and runs it again"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a trial trains."""

    number: int
    config: AnyTrial
    """Concrete."""
    sampled: Mapping[str, Value]
    """What varies in it: dotted path to value."""
    confirms: int | None = None
    """The searched trial whose configuration is trained again on a fresh seed; None in a search."""


class Judge(Protocol):
    """Decides in which order folds are trained, and when a trial is given up.

    It answers with the reason, or with an empty text where the trial goes on.
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

    Folds may be trained at once; they are judged and told of in the judge's order, so that how they are trained makes
    no difference to how the trial ends.

    Args:
        proposal: What to train.
        trainer: Trains it, on the folds of its study.
        store: Gets every fold that is trained; the caller removes them.
        judge: Is asked after every epoch and every fold.
        observer: Receives every event, including a failure.

    Returns:
        How it ended: `COMPLETE` or `PRUNED`.

    Raises:
        Exception: Whatever a fold or the observer raised; the observer was told that the trial failed.
    """
    prepared, number = trainer.prepared, proposal.number
    started, earlier_s, done = time.perf_counter(), 0.0, list[FoldOutcome]()
    observer.trial_started(number, proposal.config, proposal.sampled)

    def ended(state: TrialState, reason: str = "") -> TrialOutcome:
        outcome = TrialOutcome(
            number=number,
            state=state,
            config=proposal.config,
            sampled=proposal.sampled,
            confirms=proposal.confirms,
            folds=tuple(sorted(done, key=lambda fold: fold.fold.number)),
            scores=pooled_scores(prepared, done) if done else None,
            seconds=earlier_s + time.perf_counter() - started,
            reason=reason,
        )
        observer.trial_finished(outcome)
        return outcome

    def judged(position: int, report: EpochReport) -> None:
        if reason := judge.after_epoch(position, report):
            raise _GivenUp(reason)

    def trained(jobs: Mapping[int, FoldJob]) -> Generator[FittedNetwork, None, None]:
        positions, to_train = list(jobs), list(jobs.values())

        def on_epoch(one: int, report: EpochReport) -> None:
            observer.epoch_finished(number, prepared.folds[positions[one]].number, report)
            judged(positions[one], report)

        keep = partial(_keep, store, to_train)
        return trainer.executor.run(to_train, on_epoch=on_epoch, keep=keep)

    try:
        jobs = {position: trainer.job(proposal.config, prepared.folds[position]) for position in judge.order}
        known = {position: store.get(job) for position, job in jobs.items()}
        with closing(trained({position: job for position, job in jobs.items() if known[position] is None})) as results:
            for position, stored in known.items():
                for report in () if stored is None else stored.history:
                    earlier_s += report.seconds
                    judged(position, report)
                done.append(FoldOutcome.of(prepared.folds[position], stored or next(results), prepared))
                observer.fold_finished(number, done[-1], stored=stored is not None)
                reason = judge.after_fold(position, done[-1].kept.score)
                if reason and len(done) < len(prepared.folds):
                    raise _GivenUp(reason)
        _refuse_undefined(prepared, done)
    except _GivenUp as given_up:
        return ended("PRUNED", str(given_up))
    except KeyboardInterrupt:
        ended("FAIL", "interrupted")
        raise
    except TakenError:
        ended("FAIL", TAKEN)
        raise
    except Exception as error:
        ended("FAIL", f"{type(error).__name__}: {error}")
        raise
    return ended("COMPLETE")


def _keep(store: FoldStore, jobs: Sequence[FoldJob], number: int, fitted: FittedNetwork) -> None:
    store.put(jobs[number], fitted)


def _refuse_undefined(prepared: Prepared, folds: Sequence[FoldOutcome]) -> None:
    """Raise where the objective is not defined for the validation utterances of all folds together."""
    objective = prepared.definition.objective
    truth, predicted = (np.concatenate([getattr(one, side) for one in folds]) for side in ("truth", "predicted"))
    if Ranking(objective).is_missing(objective.score(truth, predicted, len(prepared.targets.names))):
        raise UndefinedScoreError(f"the pooled validation {objective.title} of its predictions is not defined")


def pooled_scores(prepared: Prepared, folds: Sequence[FoldOutcome]) -> Scores:
    """Scores of the validation utterances of a study's trained folds, by all of its metrics."""
    speakers = prepared.corpus.speaker_numbers
    judged = [(one.truth, one.predicted, speakers[one.fold.validation]) for one in folds]
    return score(judged, prepared.definition.metrics, len(prepared.targets.names))
