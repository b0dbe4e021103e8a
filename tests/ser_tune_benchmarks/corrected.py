"""What remains of a search's optimism after its correction: simulated searches of which the truth is known.

A configuration is right about an utterance where the sum of normal effects is positive: of configuration, class,
speaker, speaker and class, speaker and configuration, utterance, and a rest. Its true UAR follows in closed form.
Configurations resemble each other, because they share the effects of speakers and utterances. The sizes of the effects
are near those of recorded curves (`curves.npz`): with ten speakers the best of forty has a UAR of about 0.7, between
the best configurations a speaker's UAR varies by 0.06, and little of this is found again with another seed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.special import ndtr, ndtri

from ser_tune.metrics import METRICS
from ser_tune.resampling import Corrected, correct_selection

from .rows import Options, Row

__all__ = ["KINDS", "Search", "measure", "simulate", "uar_of"]

KINDS = {"equal": 0.0, "similar": 0.02, "unlike": 0.06}
"""How much configurations differ: standard deviation of the half normal distribution of their UAR below the best."""
MEANS = np.array([127, 81, 46, 69, 71, 62, 79]) / 10
"""Utterances of each class by speaker, as in EmoDB."""
SPEAKER, SPEAKER_AND_CLASS, CLASS, CONFIGURATION_AND_CLASS = 0.3, 0.35, 0.4, 0.08
LASTING, OF_SEED = 0.1, 0.2
"""Effects of speaker and configuration: those that each seed finds again, and those of one seed."""
UTTERANCE, LASTING_REST = 0.5, 0.15
"""Shares of the variance that remains: of the utterance, and of utterance and configuration."""
UAR = 0.65
SPEAKERS, TRIALS, REPEATS = (6, 10, 24), (10, 40, 100), 400
ENTRANTS, SEEDS = 3, 2


@dataclass(frozen=True, slots=True)
class Search:
    """A simulated search. Statistics are utterances that are right, and all utterances, of each class."""

    searched: np.ndarray
    """Of each configuration and speaker, shape (T, S, 2, K)."""
    fresh: Mapping[int, np.ndarray]
    """Of confirmed configurations, mean over fresh seeds, shape (S, 2, K)."""
    winner: int
    truth: np.ndarray
    """Each configuration's UAR in the population, shape (T,)."""

    @property
    def corrected(self) -> Corrected:
        """The search without the choice."""
        entrants = ENTRANTS if self.fresh else 0
        metric = replace(METRICS.get("uar"), value=uar_of)
        found = correct_selection(metric, self.searched, fresh=self.fresh, entrants=entrants)
        assert found is not None
        return found

    @property
    def printed(self) -> float:
        """The winner's uncorrected score."""
        return float(uar_of(self.fresh.get(self.winner, self.searched[self.winner]).sum(axis=0)))

    @property
    def luck(self) -> float:
        """How much too high the UAR of all configurations is with these speakers, on average; expected is 0."""
        return float((uar_of(self.searched.sum(axis=1)) - self.truth).mean())


def uar_of(statistics: np.ndarray) -> np.ndarray:
    """Pooled UAR, shape (...), of statistics of shape (..., 2, K)."""
    hits, totals = statistics[..., 0, :], statistics[..., 1, :]
    uar: np.ndarray = (hits / np.maximum(totals, 1)).sum(axis=-1) / (totals > 0).sum(axis=-1)
    return uar


def simulate(rng: np.random.Generator, *, speakers: int, trials: int, spread: float, confirmed: bool = False) -> Search:
    """Simulate one search.

    Args:
        rng: Draws it.
        speakers: S.
        trials: T.
        spread: Of the configurations, as in `KINDS`.
        confirmed: Whether fresh seeds choose among the best three.
    """
    totals = rng.poisson(MEANS * rng.uniform(0.6, 1.4, (speakers, 1)), size=(speakers, len(MEANS)))
    totals[0] = np.maximum(totals[0], 1)
    deviation = np.sqrt(SPEAKER**2 + SPEAKER_AND_CLASS**2 + LASTING**2 + OF_SEED**2 + 1)
    worse = np.abs(rng.normal(size=(trials, 1))) * spread * deviation / 0.36
    by_class = ndtri(UAR) * deviation - worse + rng.normal(0, CLASS, len(MEANS))
    if spread:
        by_class += rng.normal(0, CONFIGURATION_AND_CLASS, by_class.shape)
    of_speaker = rng.normal(0, SPEAKER, (speakers, 1)) + rng.normal(0, SPEAKER_AND_CLASS, totals.shape)
    lasting = by_class[:, np.newaxis] + of_speaker + rng.normal(0, LASTING, (trials, speakers, 1))
    cells = np.repeat(np.arange(totals.size), totals.ravel())
    ends = np.cumsum(totals.ravel())
    shared = rng.normal(0, np.sqrt(UTTERANCE), len(cells))
    shared = shared + rng.normal(0, np.sqrt(LASTING_REST), (trials, len(cells)))
    rest = np.sqrt(1 - UTTERANCE - LASTING_REST)

    def trained(which: np.ndarray) -> np.ndarray:
        effects = lasting[which] + rng.normal(0, OF_SEED, (len(which), speakers, 1))
        noise = shared[which] + rng.normal(0, rest, (len(which), len(cells)))
        right = effects.reshape(len(which), -1)[:, cells] + noise > 0
        sums = np.pad(np.cumsum(right, axis=1), ((0, 0), (1, 0)))
        hits = np.diff(sums[:, np.concatenate([[0], ends])], axis=1).reshape(len(which), *totals.shape)
        return np.stack([hits, np.broadcast_to(totals, hits.shape)], axis=2).astype(np.float64)

    searched, fresh = trained(np.arange(trials)), {}
    best = np.argsort(-uar_of(searched.sum(axis=1)), kind="stable")
    winner = int(best[0])
    if confirmed:
        again = np.array([*best[:ENTRANTS], best[trials // 2]])
        fresh = dict(zip(again.tolist(), np.mean([trained(again) for _ in range(SEEDS)], axis=0), strict=True))
        winner = max(best[:ENTRANTS].tolist(), key=lambda one: float(uar_of(fresh[one].sum(axis=0))))
    return Search(searched, fresh, winner, ndtr(by_class / deviation).mean(axis=1))


def _searches(repeats: int, kind: str, speakers: int, trials: int, *, confirmed: bool) -> Iterator[Search]:
    rng = np.random.default_rng([speakers, trials, list(KINDS).index(kind), confirmed])
    for _ in range(repeats):
        yield simulate(rng, speakers=speakers, trials=trials, spread=KINDS[kind], confirmed=confirmed)


def measure(options: Options) -> list[Row]:
    """Bias of corrected scores, beside that of printed ones, and how often intervals of score and gains cover."""
    rows = []
    for confirmed, speakers, trials, kind in product((False, True), SPEAKERS, TRIALS, KINDS):
        repeats = 2 if options.quick else REPEATS
        found = np.array([_judged(one) for one in _searches(repeats, kind, speakers, trials, confirmed=confirmed)])
        printed, bias, *rest = found.mean(axis=0)
        gains = " ".join(f"{one:+.4f}" for one in rest[:2])
        covered = " ".join(f"{one:.3f}" for one in rest[2:])
        what = f"{speakers} speakers, {trials} {kind} trials{', confirmed' * confirmed}"
        rows.append(Row(f"{what}: gains {gains}, covered {covered}", float(bias), "UAR", plain=float(printed)))
    return rows


def _judged(search: Search) -> list[float]:
    """Errors of the printed and the corrected score and of both gains, and whether the three intervals cover."""
    found, truth, luck = search.corrected, search.truth, search.luck
    middle = np.argsort(-uar_of(search.searched.sum(axis=1)), kind="stable")[len(truth) // 2]
    best = float(truth[search.winner])
    true = (best, best - truth[0], best - truth[middle])
    parts = (found.score, found.over_first, found.over_median)
    errors = [one.value - value for one, value in zip(parts, true, strict=True)]
    held = [one.interval.low <= value <= one.interval.high for one, value in zip(parts, true, strict=True)]
    return [search.printed - best - luck, errors[0] - luck, *errors[1:], *map(float, held)]
