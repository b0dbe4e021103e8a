"""A trial: its folds, trained in order, to the pooled validation UAR. Nothing here knows how it was proposed.

Nothing here reads a test utterance: folds hand over their training and validation sides only.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..config import Value
from ..corpora import Corpus
from ..folds import Fold
from ..metrics import Scores, score
from ..training import AnyTrial, EpochReport, FittedNetwork, FoldJob
from .fold_store import FoldStore
from .observer import FoldOutcome, StudyObserver, TrialOutcome, TrialState
from .trainer import Trainer

__all__ = ["Judge", "Proposal", "pooled_scores", "run_trial"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a trial trains."""

    number: int
    config: AnyTrial
    """Concrete."""
    sampled: Mapping[str, Value]
    """What varies in it: dotted path to value."""


class Judge(Protocol):
    """Decides when a trial is given up; it answers with the reason, or with an empty text where the trial goes on."""

    def after_epoch(self, fold: int, report: EpochReport) -> str:
        """Called after every epoch, with the fold's number."""

    def after_fold(self, fold: int, uar: float) -> str:
        """Called after every fold, with its number and the validation UAR of the network that it kept."""


class _GivenUp(Exception):  # noqa: N818 - no error
    """The judge's reason."""


def run_trial(
    proposal: Proposal, trainer: Trainer, *, store: FoldStore, judge: Judge, observer: StudyObserver
) -> TrialOutcome:
    """Train all folds of a proposal that the store does not have, or as many as the judge allows.

    Args:
        proposal: What to train.
        trainer: Trains it, on the folds of its study.
        store: Gets every fold that is trained; the caller removes them.
        judge: Is asked after every epoch and every fold.
        observer: Is told of everything, also of a failure.

    Returns:
        How it ended: `COMPLETE` or `PRUNED`.

    Raises:
        Exception: Whatever a fold or the observer raised; the observer was told that the trial failed.
    """
    corpus, number = trainer.prepared.corpus, proposal.number
    started, earlier_s, done = time.perf_counter(), 0.0, list[FoldOutcome]()
    observer.trial_started(number, proposal.config, proposal.sampled)

    def ended(state: TrialState, reason: str = "") -> TrialOutcome:
        outcome = TrialOutcome(
            number=number,
            state=state,
            config=proposal.config,
            sampled=proposal.sampled,
            folds=tuple(done),
            scores=pooled_scores(corpus, done) if done else None,
            seconds=earlier_s + time.perf_counter() - started,
            reason=reason,
        )
        observer.trial_finished(outcome)
        return outcome

    def judged(fold: Fold, report: EpochReport) -> None:
        if reason := judge.after_epoch(fold.number, report):
            raise _GivenUp(reason)

    def trained(fold: Fold, job: FoldJob) -> FittedNetwork:
        def on_epoch(report: EpochReport) -> None:
            observer.epoch_finished(number, fold.number, report)
            judged(fold, report)

        fitted = trainer.train(job, on_epoch)
        store.put(job, fitted)
        return fitted

    try:
        for fold in trainer.prepared.folds:
            job = trainer.job(proposal.config, fold)
            if (stored := store.get(job)) is not None:
                earlier_s += sum(report.seconds for report in stored.history)
                for report in stored.history:
                    judged(fold, report)
            done.append(FoldOutcome.of(fold, stored or trained(fold, job), corpus))
            observer.fold_finished(number, done[-1], stored=stored is not None)
            reason = judge.after_fold(fold.number, done[-1].kept.validation_uar)
            if reason and fold is not trainer.prepared.folds[-1]:
                raise _GivenUp(reason)
    except _GivenUp as given_up:
        return ended("PRUNED", str(given_up))
    except KeyboardInterrupt:
        ended("FAIL", "interrupted")
        raise
    except Exception as error:
        ended("FAIL", f"{type(error).__name__}: {error}")
        raise
    return ended("COMPLETE")


def pooled_scores(corpus: Corpus, folds: Sequence[FoldOutcome]) -> Scores:
    """Scores of the validation utterances of trained folds."""
    return score(
        [
            (fold.truth, fold.fitted.validation.argmax(axis=1), corpus.speaker_numbers[fold.fold.validation])
            for fold in folds
        ]
    )
