"""Intervals: by hand, by what must hold of any, and by how often they hold the truth."""

import math
import time
from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_tune.metrics import METRICS, Metric
from ser_tune.resampling import Interval, fold_interval, intervals, seed_interval, speaker_interval, sums_of
from ser_tune.resampling.intervals import FEWER_RESAMPLES, RESAMPLES, SEED, resampled_sums, resamples

QUICK = settings(max_examples=40, deadline=None)
N_CLASSES = 4
UAR, WA = METRICS.get("uar"), METRICS.get("wa")
BOTH = (UAR, WA)
RECALLS = np.array([0.8, 0.75, 0.7, 0.7, 0.65, 0.6, 0.5])
"""Of the population of speakers, by class."""


def simulate(rng: np.random.Generator, n_speakers: int, *, recalls: np.ndarray = RECALLS) -> np.ndarray:
    """Confusion matrices (S, K, K) of speakers who differ in skill, in what each class costs them, and in how many
    utterances they have: about eight of each class, often few, sometimes none."""
    skill = rng.beta(16, 4, size=(n_speakers, 1)) / 0.8  # mean 1, at most 1.25
    means = recalls * skill
    of_speaker = rng.beta(8 * means, 8 * (1 - means))
    totals = rng.poisson(rng.gamma(4.0, 2.0, size=(n_speakers, 1)), size=(n_speakers, len(recalls)))
    totals[:, 0] = np.maximum(totals[:, 0], 1)
    hits = rng.binomial(totals, of_speaker)
    confusions = np.zeros((n_speakers, len(recalls), len(recalls)), dtype=np.int64)
    classes = np.arange(len(recalls))
    confusions[:, classes, classes] = hits
    confusions[:, classes, classes - 1] = totals - hits
    return confusions


def coverage(n_speakers: int, corpora: int, *, recalls: np.ndarray = RECALLS) -> float:
    """How many of the intervals hold the population's UAR; `intervals.py` says what 4000 corpora of each size gave."""
    rng = np.random.default_rng(n_speakers)
    intervals = (speaker_interval(UAR, simulate(rng, n_speakers, recalls=recalls)) for _ in range(corpora))
    return float(np.mean([one.low <= recalls.mean() <= one.high for one in intervals]))


def _points(confusions: np.ndarray) -> list[float]:
    return [float(metric.value(confusions.sum(axis=0))) for metric in BOTH]


def _intervals(confusions: np.ndarray) -> list[Interval]:
    return [speaker_interval(metric, confusions) for metric in BOTH]


@st.composite
def _confusions(draw: st.DrawFn) -> np.ndarray:
    n_speakers = draw(st.integers(2, 8))
    judged = draw(
        st.lists(
            st.tuples(*(st.integers(0, end - 1) for end in (n_speakers, N_CLASSES, N_CLASSES))),
            min_size=1,
            max_size=40,
        )
    )
    speakers, truth, predicted = np.array(judged).T
    return sums_of(UAR, truth, predicted, speakers, N_CLASSES)


def test_an_interval_computed_by_hand() -> None:
    # Two speakers, one class: one has all four right, the other two of four. Resamples: (4, 4) with probability 1/4,
    # (4, 2) with 1/2, (2, 2) with 1/4, so UAR is 1, 0.75, 0.5 and its standard deviation sqrt(1/8) / 2 = 0.1768.
    # Logit of 0.75 is 1.0986; the reach is t(0.975; 1) = 12.7062 times sqrt(2) times 0.1768 / (0.75 * 0.25) = 16.94.
    uar, wa = _intervals(np.array([[[4, 0], [0, 0]], [[2, 2], [0, 0]]]))
    assert uar == wa  # of one class
    assert math.log(uar.low / (1 - uar.low)) == pytest.approx(1.0986 - 16.94, abs=0.2)
    assert math.log(uar.high / (1 - uar.high)) == pytest.approx(1.0986 + 16.94, abs=0.2)


def test_a_class_that_no_speaker_of_a_resample_has_is_left_out_of_its_uar() -> None:
    # Class 1 is one speaker's alone. Drawn: both speakers, the first twice, the second twice
    confusions = np.array([[[4, 0], [0, 0]], [[1, 1], [3, 1]]])
    uar, wa = (one.value(resampled_sums(np.array([[1, 1], [2, 0], [0, 2]]), confusions)) for one in BOTH)
    assert uar.tolist() == pytest.approx([(5 / 6 + 1 / 4) / 2, 1.0, (1 / 2 + 1 / 4) / 2])
    assert wa.tolist() == pytest.approx([6 / 10, 1.0, 2 / 6])


def test_a_speaker_is_drawn_with_all_utterances() -> None:
    truth, predicted, speakers = np.array([0, 0, 2, 2]), np.array([0, 1, 2, 0]), np.array([9, 9, 9, 4])
    assert sums_of(UAR, truth, predicted, speakers, 3).tolist() == [
        [[0, 0, 0], [0, 0, 0], [1, 0, 0]],
        [[1, 1, 0], [0, 0, 0], [0, 0, 1]],
    ]
    assert (resamples(7).sum(axis=1) == 7).all()


def test_one_speaker_says_nothing_about_others() -> None:
    for one in _intervals(np.array([[[3, 1], [0, 4]]])):
        assert not one.known
        assert math.isnan(one.low)
        assert math.isnan(one.high)


@pytest.mark.parametrize("kind", ["right", "wrong", "one class"])
def test_where_no_resample_differs_nothing_is_known(kind: str) -> None:
    """Resamples that are all the same say nothing of other speakers: least of all that they are sure to be the same."""
    one_class = np.zeros((3, 3), dtype=int)
    one_class[:, 0] = 1
    matrices = {
        "right": np.eye(3, dtype=int),
        "wrong": np.roll(np.eye(3, dtype=int), 1, axis=1),
        "one class": one_class,
    }
    one = matrices[kind]
    uar, wa = _intervals(np.stack([one, 2 * one, one]))
    assert not uar.known
    assert not wa.known


@QUICK
@given(_confusions())
def test_an_interval_holds_the_point_and_stays_within_0_and_1(confusions: np.ndarray) -> None:
    if len(confusions) > 1:
        for point, one in zip(_points(confusions), _intervals(confusions), strict=True):
            if one.known:
                assert 0 <= one.low <= point + 1e-9
                assert point - 1e-9 <= one.high <= 1


@pytest.mark.slow
@QUICK
@given(_confusions(), st.permutations(range(N_CLASSES)))
def test_intervals_do_not_depend_on_the_classes_numbers(confusions: np.ndarray, renamed: list[int]) -> None:
    other = confusions[:, renamed][:, :, renamed]
    for one, same in zip(_intervals(confusions), _intervals(other), strict=True):
        assert (one.low, one.high) == pytest.approx((same.low, same.high), abs=1e-9, nan_ok=True)


def test_intervals_widen_with_fewer_speakers() -> None:
    everybody = simulate(np.random.default_rng(0), 24)
    widths = [one.high - one.low for one in (speaker_interval(UAR, everybody[:n]) for n in (4, 8, 24))]
    assert widths[0] > 1.3 * widths[1] > 1.3**2 * widths[2]


def test_more_utterances_of_the_same_speakers_do_not_narrow_an_interval() -> None:
    confusions = simulate(np.random.default_rng(0), 10)
    for one, more in zip(_intervals(confusions), _intervals(5 * confusions), strict=True):
        assert (one.low, one.high) == pytest.approx((more.low, more.high))


def test_one_seed_is_what_speakers_alone_give_and_seeds_that_differ_widen_the_interval() -> None:
    one = simulate(np.random.default_rng(3), 10)
    better, worse = one.copy(), one.copy()
    for number, truth in np.ndindex(one.shape[:2]):
        right, missed = truth, truth - 1
        better[number, truth, [right, missed]] = [one[number, truth].sum(), 0]
        half = one[number, truth, right] // 2
        worse[number, truth, [right, missed]] = [half, one[number, truth].sum() - half]
    plain = speaker_interval(UAR, one)
    assert seed_interval(UAR, one[np.newaxis]) == plain == seed_interval(UAR, np.stack([one] * 3))
    alike, varied = seed_interval(UAR, np.stack([one, one])), seed_interval(UAR, np.stack([better, worse]))
    assert varied.high - varied.low > 1.5 * (alike.high - alike.low)
    centre = (_points(better)[0] + _points(worse)[0]) / 2
    assert varied.low < centre < varied.high


def test_ninety_one_speakers_take_well_under_a_second() -> None:
    confusions = simulate(np.random.default_rng(0), 91, recalls=RECALLS[:6])
    resamples.cache_clear()
    started = time.perf_counter()
    first = _intervals(confusions)
    assert time.perf_counter() - started < 1.0
    assert _intervals(confusions) == first


@pytest.mark.slow
@pytest.mark.usefixtures("fewer_resamples")
@pytest.mark.parametrize("n_speakers", [4, 10])
def test_intervals_hold_the_truth_as_often_as_they_say(n_speakers: int) -> None:
    # 400 corpora: a coverage of 0.95 is measured within 0.02
    assert 0.92 <= coverage(n_speakers, 400) <= 0.98


def test_an_interval_of_less_confidence_lies_within() -> None:
    confusions = np.random.default_rng(0).integers(1, 9, size=(2, 10, 3, 3))
    for metric in BOTH:
        wide, narrow = seed_interval(metric, confusions), seed_interval(metric, confusions, 0.9)
        assert wide.low < narrow.low < narrow.high < wide.high


def test_a_fold_mean_has_the_interval_of_a_mean_of_fold_scores() -> None:
    # Perfect folds and one of chance: pooled, the large fold weighs most; as a fold, it is one of four
    small, large = np.array([[2, 0], [0, 2]]), np.array([[50, 50], [50, 50]])
    confusions = np.stack([small, small, small, large])[np.newaxis]
    of_folds, pooled = fold_interval(UAR, confusions), seed_interval(UAR, confusions)
    assert of_folds.low < (3 + 0.5) / 4 < of_folds.high
    assert pooled.low < (6 + 50) / (6 + 100) < pooled.high
    assert of_folds != pooled
    assert not fold_interval(UAR, confusions[:, :1]).known


def test_fold_means_are_covered_as_often_as_their_intervals_claim() -> None:
    rng, inside, rounds = np.random.default_rng(1), 0, 200
    for _ in range(rounds):
        right = rng.binomial(20, np.clip(rng.normal(0.7, 0.1, size=10), 0, 1))
        wrong = 20 - right
        confusions = np.stack([np.stack([right, wrong], -1), np.stack([wrong, right], -1)], 1)
        interval = fold_interval(UAR, confusions[np.newaxis])
        inside += interval.low < 0.7 < interval.high
    assert 0.91 < inside / rounds < 0.99


def _mean_of(low: float, high: float, scale: Literal["logit", "linear"]) -> Metric:
    """The mean of a number; sums are of the number and of utterances."""

    def sums(truth: np.ndarray, _: np.ndarray, groups: np.ndarray, n_groups: int, __: int) -> np.ndarray:
        return np.stack([np.bincount(groups, one, minlength=n_groups) for one in (truth, np.ones(len(truth)))], axis=1)

    return Metric("mean", "mean", "", sums, lambda sums: sums[..., 0] / sums[..., 1], low=low, high=high, scale=scale)


@pytest.mark.parametrize(("low", "high", "scale"), [(-1.0, 1.0, "logit"), (0.0, 1.0, "logit"), (0.0, np.inf, "linear")])
def test_an_interval_keeps_to_the_range_of_its_metric(
    low: float, high: float, scale: Literal["logit", "linear"]
) -> None:
    rng, metric = np.random.default_rng(0), _mean_of(low, high, scale)
    speakers = np.repeat(np.arange(8), 20)
    for centre in (0.05, 0.5, 0.95):
        values = np.clip(rng.normal(centre, 0.3, len(speakers)) + rng.normal(0, 0.2, 8)[speakers], low, min(high, 9.0))
        sums = sums_of(metric, values, values, speakers, 1)
        found, point = speaker_interval(metric, sums), float(values.mean())
        assert low <= found.low < point < found.high <= high


def test_the_logit_scale_of_a_range_of_minus_1_to_1_is_fishers_z() -> None:
    values = np.array([-0.4, 0.1, 0.3, 0.6, -0.1, 0.2])
    metric = _mean_of(-1.0, 1.0, "logit")
    found = speaker_interval(metric, sums_of(metric, values, values, np.arange(6), 1))
    low, point, high = np.arctanh([found.low, values.mean(), found.high])
    assert high - point == pytest.approx(point - low)


def test_a_score_that_no_resample_has_is_unknown() -> None:
    undefined = replace(METRICS.get("wa"), value=lambda sums: np.full(sums.shape[:-2], np.nan))
    sums = np.ones((4, 2, 2), dtype=np.int64)
    assert not speaker_interval(undefined, sums).known
    assert not fold_interval(undefined, sums[np.newaxis]).known


def test_resamples_are_counts_that_take_a_byte_each() -> None:
    drawn = resamples(300)
    together = np.random.default_rng([SEED, 0]).multinomial(300, np.full(300, 1 / 300), size=RESAMPLES)
    assert drawn.nbytes == drawn.size
    assert np.array_equal(drawn, together)


def test_of_many_units_there_are_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    few = resamples(40)
    monkeypatch.setattr(intervals, "MANY", 39)
    assert np.array_equal(resamples.__wrapped__(40), few[:FEWER_RESAMPLES])
