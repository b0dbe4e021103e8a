"""`racing`: a race on paired folds against the best complete trials.

After every fold, a trial's scores are compared fold by fold with the mean of the best complete trials. The trial ends
if it is improbable that its remaining folds close the gap. Between epochs it ends only if even the largest gain of a
complete trial, from that epoch to the end of the fold, would not close the gap. Some trials always run to the end: the
first trials, and more if few others do.

Source: M. Birattari et al., A Racing Algorithm for Configuring Metaheuristics, GECCO 2002; here all trials share an
estimate of the noise. `python -m tests.ser_tune_benchmarks search` measures lost optima and saved training.
"""

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from ...config import SearchSettings
from ...coordination import CURVES, OVERRIDES, best_trials, complete_trials, fold_scores
from ...metrics import Metric, Ranking
from ...training import EpochReport
from .base import JudgedTrial, Pruner, Unpruned

__all__ = ["PRUNER", "Race", "race_of"]

RIVALS = 5
"""A trial must reach the mean score of this number of best complete trials; a single best score is biased upwards."""

MARGIN = 0.03
"""Margin by which a trial may end worse than its rivals: a share of the metric's range, or where that is open, of the
range of the complete trials' folds."""


class Race:
    """One trial's race."""

    def __init__(self, complete: np.ndarray, *, error: float, highest: float = 1.0, width: float = 1.0) -> None:
        """Find the rivals, the noise, and the order of folds.

        Args:
            complete: Scores of the complete trials, best first, after each epoch of each fold, shape (M, F, E) with M
                and F of at least 2. These and all others are higher where they are better, as `Ranking.key` makes them.
            error: Probability that a trial that would end at the margin is given up before, over all folds.
            highest: The best score there can be.
            width: Of the range of scores; infinite where it is open.
        """
        final = complete[:, :, -1]
        folds = final.shape[1]
        rivals = final[:RIVALS]
        centred = final - final.mean(axis=0)
        residual = centred - centred.mean(axis=1, keepdims=True)
        noise = float((residual**2).sum()) / ((len(final) - 1) * (folds - 1))
        self.order = _order(centred)
        """Positions of the folds, those first that predict the mean of all best."""
        self._bar = rivals.mean(axis=0).tolist()
        self._gain = (final[:, :, None] - complete).max(axis=0).tolist()
        self._deviation = math.sqrt(noise * (1 + 1 / len(rivals)))
        self._level = _level(folds, error)
        self._folds, self._highest = folds, highest
        self._margin = MARGIN * (width if math.isfinite(width) else float(np.ptp(final)))
        self._leads: list[float] = []

    def fold_ended(self, fold: int, score: float) -> bool:
        """Whether to give the trial up after a fold, by the fold's position and score."""
        self._leads.append(score - self._bar[fold])
        return self._is_lost(self._leads)

    def epoch_ended(self, fold: int, epoch: int, score: float) -> bool:
        """Whether to give the trial up after an epoch, counted from 1, by the score that the fold would keep."""
        gains = self._gain[fold]
        hoped = min(self._highest, score + gains[min(epoch, len(gains)) - 1])
        return self._is_lost([*self._leads, hoped - self._bar[fold]])

    def _is_lost(self, leads: Sequence[float]) -> bool:
        """Whether a trial with these leads over its rivals, of the folds so far, will hardly end within the margin."""
        deviation = self._deviation * math.sqrt(1 / len(leads) - 1 / self._folds)
        return sum(leads) / len(leads) + self._margin < self._level * deviation


@cache
def _level(folds: int, error: float) -> float:
    """Deviations below the margin at which a trial is given up after a fold.

    After n of F folds, the mean of a trial's leads differs from that of all folds by noise × √(1/n - 1/F). The
    level is the quantile of the least of these differences, in deviations, over the looks after folds 1 to F - 1.
    """
    leads = np.random.default_rng(0).normal(size=(4000, folds))
    ended = np.arange(1, folds)
    so_far = np.cumsum(leads - leads.mean(axis=1, keepdims=True), axis=1)[:, :-1] / ended
    return float(np.quantile((so_far / np.sqrt(1 / ended - 1 / folds)).min(axis=1), error))


def _order(centred: np.ndarray) -> list[int]:
    """Folds in an order in which the mean of the first of them is always near the mean of all.

    Args:
        centred: Score of each trial and fold, less the fold's mean, shape (M, F).
    """
    order: list[int] = []
    total, rest = centred.mean(axis=1), list(range(centred.shape[1]))
    so_far = np.zeros(len(centred))
    while rest:
        errors = [float(np.square((so_far + centred[:, fold]) / (len(order) + 1) - total).sum()) for fold in rest]
        order.append(rest.pop(int(np.argmin(errors))))
        so_far = so_far + centred[:, order[-1]]
    return order


def race_of(settings: SearchSettings, trials: Sequence[FrozenTrial], folds: int, metric: Metric) -> Race | None:
    """The race of the next trial against the trials so far; None if the next trial always runs to the end."""
    finished = sum(trial.state in (TrialState.COMPLETE, TrialState.PRUNED) for trial in trials)
    complete = [
        trial
        for trial in complete_trials(trials)
        if len(scores := fold_scores(trial)) == folds
        and not any(map(Ranking.is_missing, scores))  # as of folds whose truth does not vary
    ]
    needed = max(2, settings.race_after, settings.complete_share * (finished + 1))
    if folds < 2 or len(complete) < needed:
        return None
    ranking = Ranking(metric)
    curves = ranking.keys(_padded(list(map(_curves, best_trials(complete, metric)))))
    highest = max(ranking.key(metric.low), ranking.key(metric.high))
    return Race(curves, error=settings.race_error, highest=highest, width=metric.high - metric.low)


def _curves(trial: FrozenTrial) -> Sequence[Sequence[float]]:
    """A trial's curves; of one with values outside the search, as of other schedules or epochs, only their ends."""
    curves: Sequence[Sequence[float]] = trial.user_attrs[CURVES]
    return [fold[-1:] for fold in curves] if OVERRIDES in trial.user_attrs else curves


def _padded(curves: Sequence[Sequence[Sequence[float]]]) -> np.ndarray:
    """Curves of unlike length as one array (M, F, E): a shorter one keeps its last score."""
    longest = max(len(fold) for trial in curves for fold in trial)
    return np.array([[[*fold, *[fold[-1]] * (longest - len(fold))] for fold in trial] for trial in curves])


class _Racing:
    """A trial's judge: its race."""

    def __init__(self, race: Race, metric: Metric) -> None:
        """Judge by a race, whose scores are of a metric."""
        self._race, self._metric, self._key, self._ended = race, metric, Ranking(metric).key, 0
        self.order: Sequence[int] = race.order

    def after_epoch(self, position: int, report: EpochReport) -> str:
        """Compare the score that the fold would keep with that of the best trials."""
        missing = Ranking.is_missing(report.kept)
        if missing or not self._race.epoch_ended(position, report.epoch, self._key(report.kept)):
            return ""
        score = f"{self._metric.title} {report.kept:.3f} in fold {position}, epoch {report.epoch}"
        return f"racing: {score} is hopelessly {'low' if self._metric.higher_is_better else 'high'}"

    def after_fold(self, position: int, score: float) -> str:
        """Compare all folds so far with the best trials', but for those without a score."""
        self._ended += 1
        if Ranking.is_missing(score):
            return ""
        if not self._race.fold_ended(position, self._key(score)):
            return ""
        return f"racing: behind the best trials in {self._ended} paired folds"


def judge(judged: JudgedTrial) -> _Racing | Unpruned:
    """Make the judge of a trial: it races where there are enough complete trials to race against."""
    race = race_of(judged.settings, judged.earlier, judged.folds, judged.metric)
    return Unpruned(judged.folds) if race is None else _Racing(race, judged.metric)


PRUNER = Pruner(
    name="racing",
    judge=judge,
    citation="M. Birattari et al.: A Racing Algorithm for Configuring Metaheuristics, GECCO 2002",
)
