"""Coverage of CCC's intervals over speakers who rate, and are predicted, each in a way of their own."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ser_tune.metrics import METRICS
from ser_tune.resampling import (
    Interval,
    compare_paired,
    largest_gap,
    part_intervals,
    speaker_interval,
    sums_of,
)

CCC = METRICS.get("ccc")


@dataclass(frozen=True)
class Population:
    """Speakers whose ratings have means of their own, and predictions with an offset and a slope of their own."""

    slope: float = 0.6
    slope_deviation: float = 0.3
    offset_deviation: float = 0.3
    mean_deviation: float = 0.35

    def draw(self, rng: np.random.Generator, n_speakers: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Truth (N, 1), predictions (N, 1) and the speaker of each of about 40 utterances a speaker."""
        counts = np.maximum(2, rng.poisson(rng.gamma(4.0, 10.0, size=n_speakers)))
        speakers = np.repeat(np.arange(n_speakers), counts)
        within = np.exp(rng.normal(0, 0.2, n_speakers))[speakers] * rng.normal(size=len(speakers))
        truth = rng.normal(0, self.mean_deviation, n_speakers)[speakers] + within
        slopes = self.slope * np.exp(rng.normal(0, self.slope_deviation, n_speakers))
        noise = np.sqrt((1 - self.slope**2) / 2) * np.exp(rng.normal(0, 0.2, n_speakers))
        offsets = rng.normal(0, self.offset_deviation, n_speakers)
        predicted = offsets[speakers] + slopes[speakers] * truth + noise[speakers] * rng.normal(size=len(speakers))
        return truth[:, np.newaxis], predicted[:, np.newaxis], speakers


POPULATIONS = {
    "usual": Population(),
    "accurate": Population(slope=0.95, slope_deviation=0.1, offset_deviation=0.15),
    "inaccurate": Population(slope=0.2),
    "large offsets": Population(offset_deviation=0.8),
    "unlike in all": Population(slope_deviation=0.5, offset_deviation=0.5, mean_deviation=0.8),
}


def _sums(population: Population, rng: np.random.Generator, n_speakers: int) -> np.ndarray:
    truth, predicted, speakers = population.draw(rng, n_speakers)
    return sums_of(CCC, truth, predicted, speakers, 1)


def _found(population: Population, n_speakers: int, corpora: int) -> Iterator[Interval]:
    rng = np.random.default_rng(n_speakers)
    return (speaker_interval(CCC, _sums(population, rng, n_speakers)) for _ in range(corpora))


def coverage(population: Population, n_speakers: int, corpora: int) -> float:
    """Share of the intervals that hold the population's CCC; `intervals.py` has the table of 4000 corpora each."""
    true = float(CCC.value(_sums(population, np.random.default_rng(99), 60_000).sum(axis=0)))
    return float(np.mean([found.low <= true <= found.high for found in _found(population, n_speakers, corpora)]))


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("name", ["usual", "large offsets"])
@pytest.mark.parametrize("n_speakers", [6, 10, 24])
def test_intervals_of_ccc_hold_the_populations_as_often_as_they_claim(name: str, n_speakers: int) -> None:
    # 400 corpora: a coverage of 0.94 is measured within 0.024
    assert 0.92 <= coverage(POPULATIONS[name], n_speakers, 400) <= 0.98


@pytest.mark.usefixtures("fewer_resamples")
def test_intervals_of_ccc_are_as_wide_as_the_jackknifes_where_these_are_wider_than_the_bootstraps() -> None:
    """Of scores, of differences between systems, of gaps between groups and of single dimensions."""
    rng, bootstrap, wider = np.random.default_rng(0), replace(CCC, jackknife=False), np.zeros(4)
    for _ in range(30):
        truth, predicted, speakers = POPULATIONS["large offsets"].draw(rng, 6)
        other = predicted + rng.normal(size=6)[speakers][:, np.newaxis]
        groups = np.where(speakers < 3, "a", "b").tolist()
        found = []
        for metric in (bootstrap, CCC):
            gap = largest_gap(truth, predicted, speakers, groups, metric, 1)
            assert gap is not None
            found.append(
                (
                    speaker_interval(metric, sums_of(metric, truth, predicted, speakers, 1)),
                    compare_paired(truth, [predicted], [other], speakers, [metric], 1).primary.interval,
                    gap.interval,
                    part_intervals(truth, predicted, speakers, metric, 1)[0],
                )
            )
        for plain, both in zip(*found, strict=True):
            assert both.low <= plain.low < plain.high <= both.high
        wider += [both.low < plain.low for plain, both in zip(*found, strict=True)]
        assert found[1][3] == found[1][0]
    assert (wider > 5).all()
