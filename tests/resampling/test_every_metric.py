"""Intervals, comparisons, groups and corrected choices of every metric: of dimensions, distributions and sets too."""

import math
from itertools import pairwise

import numpy as np
import pytest

from ser_tune.metrics import METRICS, Metric, Ranking
from ser_tune.resampling import (
    choice_p_value,
    compare_paired,
    correct_selection,
    largest_gap,
    part_intervals,
    score,
    score_groups,
    speaker_interval,
    sums_of,
)
from ser_tune.resampling.intervals import resampled_scores, resampled_sums, resamples

EVERY = tuple(METRICS.get(name) for name in METRICS.names())
OUTPUTS, SPEAKERS, EACH = 3, 8, 25
WHO = np.repeat(np.arange(SPEAKERS), EACH)


def _truth_and_systems(kind: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Truth (N, ...), and predictions of a good, a medium and a bad system that differ by speaker."""
    rng = np.random.default_rng(8)
    shape = (SPEAKERS * EACH, OUTPUTS)
    raw = rng.normal(size=shape)
    noise = rng.normal(size=shape) * rng.uniform(0.7, 1.3, size=(SPEAKERS, 1))[WHO]
    heard = [raw + amount * noise for amount in (0.3, 0.9, 2.0)]
    if kind == "classes":
        return raw.argmax(axis=1), [system.argmax(axis=1) for system in heard]
    if kind == "label_sets":
        return raw > 0.5, [system > 0.5 for system in heard]
    if kind == "label_scores":
        return raw > 0.5, [1 / (1 + np.exp(-system)) for system in heard]
    if kind == "distributions":
        truth, *found = (np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True) for logits in (raw, *heard))
        return truth, found
    assert kind == "dimensions"
    return 200 + raw, [200 + system for system in heard]


every_metric = pytest.mark.parametrize("metric", EVERY, ids=lambda metric: metric.name)


@every_metric
def test_an_interval_is_around_the_score_and_within_the_range(metric: Metric) -> None:
    truth, systems = _truth_and_systems(metric.predictions)
    for predicted in systems:
        found = score([(truth, predicted, WHO)], [metric], OUTPUTS)[metric.name]
        assert metric.low <= found.interval.low < found.value < found.interval.high <= metric.high
        assert found.value == pytest.approx(found.fold_mean) == pytest.approx(metric.score(truth, predicted, OUTPUTS))
        assert len(found.parts) == (0 if metric.parts is None else OUTPUTS)
        if metric.part != "recall" and metric.parts is not None:
            assert found.value == pytest.approx(np.mean(list(found.parts.values())))


@every_metric
def test_two_systems_compare_by_the_metrics_direction(metric: Metric) -> None:
    truth, (good, medium, bad) = _truth_and_systems(metric.predictions)
    ranking = Ranking(metric)
    scores = [metric.score(truth, system, OUTPUTS) for system in (good, medium, bad)]
    assert all(ranking.is_better(better, worse) for better, worse in pairwise(scores))
    found = compare_paired(truth, [good], [medium], WHO, [metric], OUTPUTS)
    back = compare_paired(truth, [medium], [good], WHO, [metric], OUTPUTS)
    estimate, other = found.primary, back.primary
    assert estimate.value == pytest.approx(scores[0] - scores[1]) == pytest.approx(-other.value)
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((-other.interval.high, -other.interval.low))
    assert estimate.interval.low < estimate.value < estimate.interval.high
    assert found.p_value == back.p_value == 2 / 2**SPEAKERS  # every speaker's difference has the same sign
    same = compare_paired(truth, [good], [good], WHO, [metric], OUTPUTS)
    assert (same.primary.value, same.p_value, same.effect_size) == (0.0, 1.0, 0.0)


@every_metric
def test_groups_are_scored_alone_and_the_gap_is_from_best_to_worst(metric: Metric) -> None:
    truth, (good, _, bad) = _truth_and_systems(metric.predictions)
    groups = np.where(WHO < SPEAKERS // 2, "easy", "hard")
    own = groups.reshape(-1, *[1] * (good.ndim - 1)) == "easy"
    predicted = np.where(own, good, bad)
    easy, hard = score_groups(truth, predicted, WHO, list(groups), [metric], OUTPUTS)
    assert (easy.name, easy.speakers, easy.strata) == ("easy", SPEAKERS // 2, OUTPUTS)
    plain = metric.score(truth[groups == "easy"], good[groups == "easy"], OUTPUTS)
    assert easy.scores[metric.name].value == pytest.approx(plain)
    gap = largest_gap(truth, predicted, WHO, list(groups), metric, OUTPUTS)
    assert gap is not None
    assert (gap.best, gap.worst) == ("easy", "hard")
    assert gap.difference == abs(easy.scores[metric.name].value - hard.scores[metric.name].value)
    assert 0 < gap.interval.low < gap.difference < gap.interval.high


@every_metric
def test_the_winner_of_a_search_is_the_best_in_the_metrics_direction(metric: Metric) -> None:
    truth, (good, medium, bad) = _truth_and_systems(metric.predictions)
    searched = np.stack([sums_of(metric, truth, system, WHO, OUTPUTS) for system in (bad, good, medium)])
    found = correct_selection(metric, searched)
    assert found is not None
    assert found.score.value == pytest.approx(metric.score(truth, good, OUTPUTS), abs=1e-9)
    for gain, beaten in ((found.over_first, bad), (found.over_median, medium)):
        apart = abs(metric.score(truth, good, OUTPUTS) - metric.score(truth, beaten, OUTPUTS))
        assert gain.value == pytest.approx(apart, abs=1e-9)
        assert 0 < gain.interval.low < gain.value < gain.interval.high
    alone = correct_selection(metric, searched[1:2])
    assert alone is not None
    plain = speaker_interval(metric, searched[1])
    assert (alone.score.interval.low, alone.score.interval.high) == pytest.approx((plain.low, plain.high))
    assert choice_p_value(metric, searched[1:], searched[:1]) == 2 / 2**SPEAKERS


@every_metric
def test_every_output_has_an_interval(metric: Metric) -> None:
    truth, (_, medium, _) = _truth_and_systems(metric.predictions)
    found = part_intervals(truth, medium, WHO, metric, OUTPUTS)
    assert sorted(found) == ([] if metric.parts is None and truth.ndim > 1 else list(range(OUTPUTS)))
    for output, interval in found.items() if metric.parts is not None else ():
        assert metric.parts is not None
        value = metric.parts(sums_of(metric, truth, medium, WHO, OUTPUTS).sum(axis=0))[output]
        assert metric.low <= interval.low < value < interval.high <= metric.high


def test_condensed_sums_have_the_scores_of_all_sums() -> None:
    metric = METRICS.get("map")
    truth, systems = _truth_and_systems(metric.predictions)
    drawn = resamples(SPEAKERS)[:50]
    for predicted in systems:
        sums = sums_of(metric, truth, predicted, WHO, OUTPUTS)
        assert metric.condensed is not None
        assert metric.condensed(sums).size < sums.size / 10
        whole = metric.value(resampled_sums(drawn, sums))
        assert resampled_scores(metric, drawn, sums) == pytest.approx(whole, abs=1e-12, nan_ok=True)


def test_a_system_without_a_correlation_is_neither_better_nor_worse() -> None:
    """It predicts a constant: there is no difference, no interval of it, and nothing that a swap could explain."""
    pcc, ccc = METRICS.get("pcc"), METRICS.get("ccc")
    truth, (good, *_) = _truth_and_systems("dimensions")
    constant = np.full_like(good, 200.1)
    found = compare_paired(truth, [good], [constant], WHO, [pcc, ccc], OUTPUTS)
    assert math.isnan(found.primary.value)
    assert not found.primary.interval.known
    assert (found.p_value, found.effect_size) == (1.0, None)
    assert found.differences["ccc"].value == pytest.approx(ccc.score(truth, good, OUTPUTS))
    searched = np.stack([sums_of(pcc, truth, system, WHO, OUTPUTS) for system in (constant, good)])
    corrected = correct_selection(pcc, searched)
    assert corrected is not None
    assert corrected.score.value == pytest.approx(pcc.score(truth, good, OUTPUTS))
    assert corrected.score.interval.known
    assert not corrected.over_first.interval.known


@pytest.mark.parametrize("offset", [0.0, 200.0, 1e6])
def test_what_resampling_computes_does_not_depend_on_where_the_scale_begins(offset: float) -> None:
    ccc = METRICS.get("ccc")
    truth, (good, medium, _) = _truth_and_systems("dimensions")
    near, far = (
        compare_paired(truth + shift, [good + shift], [medium + shift], WHO, [ccc], OUTPUTS)
        for shift in (-200.0, offset - 200)
    )
    assert far.primary.value == pytest.approx(near.primary.value, abs=1e-9)
    assert far.primary.interval.high == pytest.approx(near.primary.interval.high, abs=1e-9)
    assert (far.p_value, far.effect_size) == (near.p_value, pytest.approx(near.effect_size, abs=1e-7))
